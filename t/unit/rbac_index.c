/* An index that goes through thousands of random batches, beside a plain list of the bindings:
 * whatever came and went, each subject has what the list says, in its order, and versions that
 * somebody still holds stay as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"
#include "modules/rbac_decide.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define NAMES    5 /* of bindings of one kind and place */
#define PLACES   4
#define LEVELS   4
#define KEYS     (LEVELS * PLACES * NAMES)
#define VERSIONS 4

static const char *const kinds[LEVELS] = {"GlobalRoleBinding", "WorkspaceRoleBinding",
                                          "RoleBinding", "ClusterRoleBinding"};

static const char *const places[PLACES] = {"p0", "p1", "p2", ""};

/* What must be found: which piece is under each key. */
struct model {
    struct gw_piece *index;
    const struct gw_rbac_binding *at[KEYS]; /* borrowed from the index; NULL: none */
};

static unsigned
draw(unsigned below)
{
    return (unsigned)rand() % below;
}

/* What the k-th key is.  A workspace is a label, so it may change under the same key. */
static const struct gw_kind *
key_of(unsigned k, char key[100], unsigned *level, unsigned *place, char name[20])
{
    *level = k % LEVELS;
    *place = *level == GW_RBAC_NS ? k / LEVELS % PLACES : 0;
    (void)snprintf(name, 20, "b%u", *level == GW_RBAC_NS ? k / LEVELS / PLACES : k / LEVELS);
    (void)snprintf(key, 100, "iam.kubesphere.io/%s/%s/%s", kinds[*level],
                   *level == GW_RBAC_NS ? places[*place] : "", name);
    return gw_kind_find(GW_STR("iam.kubesphere.io"), gw_str_of(kinds[*level]));
}

static struct gw_piece *
make_binding(const struct gw_kind *kind, unsigned level, unsigned place, const char *name)
{
    struct gw_diag diag = {0};
    struct gw_buf text = {0};

    place = level == 1 ? draw(PLACES) : place;
    gw_buf_printf(
        &text,
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{"
        "\"kubesphere.io/workspace\":\"%s\"}},\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":"
        "\"r%u\"},\"subjects\":[",
        name, level == 2 ? places[place] : "", level == 1 ? places[place] : "", draw(3));
    for (unsigned i = 0, n = draw(4); i < n; i++) {
        bool group = draw(2) == 0;

        gw_buf_printf(&text, "%s{\"kind\":\"%s\",\"name\":\"%c%u\"}", i == 0 ? "" : ",",
                      group ? "Group" : "User", group ? 'g' : 'u', draw(3));
    }
    gw_buf_puts(&text, "]}");
    json_t *json = json_loads(text.p, 0, NULL);
    assert_non_null(json);
    struct gw_piece *p = gw_rbac_piece_compile(kind, json, NULL, &diag);
    assert_non_null(p);
    json_decref(json);
    gw_buf_fini(&text);
    gw_diag_fini(&diag);
    return p;
}

/* A batch of random changes; the same key may be there more than once. */
static void
change(struct model *m)
{
    struct gw_put puts[12];
    char keys[12][100];
    size_t n = 1 + draw(draw(4) == 0 ? 12 : 3);

    for (size_t i = 0; i < n; i++) {
        unsigned k = draw(draw(3) == 0 ? 4 : KEYS);
        unsigned level;
        unsigned place;
        char name[20];
        const struct gw_kind *kind = key_of(k, keys[i], &level, &place, name);

        puts[i] = (struct gw_put){
            .key = keys[i], .piece = draw(5) < 2 ? NULL : make_binding(kind, level, place, name)};
        m->at[k] = (const struct gw_rbac_binding *)(void *)puts[i].piece;
    }
    struct gw_piece *before = m->index;
    m->index = gw_rbac_index_next(before, puts, n);
    gw_piece_unref(before);
    for (size_t i = 0; i < n; i++) {
        gw_piece_unref(puts[i].piece);
    }
}

/* ---- what is found ------------------------------------------------------------------------- */

static bool
is_of(const struct gw_rbac_binding *b, const struct gw_subject *who)
{
    return gw_rbac_index_subject(b, who) != NULL;
}

/* The next one behind `after` that applies. */
static const struct gw_rbac_binding *
next_of_model(const struct model *m, const struct gw_rbac_binding *after,
              const struct gw_subject *who, enum gw_rbac_level level, const struct gw_str *place)
{
    const struct gw_rbac_binding *first = NULL;

    for (unsigned i = 0; i < KEYS; i++) {
        const struct gw_rbac_binding *b = m->at[i];

        if (b != NULL && b->level == level && (place == NULL || gw_str_eq(b->place, *place)) &&
            is_of(b, who) && (after == NULL || gw_rbac_holder_order(b, after) > 0) &&
            (first == NULL || gw_rbac_holder_order(b, first) < 0)) {
            first = b;
        }
    }
    return first;
}

static void
check_subject(const struct model *m, const struct gw_subject *who)
{
    static const char *const asked[] = {"", "p0", "p1", "p2", "p9"};
    struct gw_arena *a = gw_arena_new();
    struct gw_rbac_found found;

    gw_rbac_index_find((const struct gw_rbac_index *)(const void *)m->index, a, who, &found);
    for (int level = GW_RBAC_GLOBAL; level <= GW_RBAC_CLUSTER; level++) {
        bool has_places = level == GW_RBAC_WORKSPACE || level == GW_RBAC_NS;

        for (size_t p = 0; p <= (has_places ? N(asked) : 0); p++) {
            struct gw_str place = gw_str_of(p < N(asked) ? asked[p] : "");
            bool anywhere = has_places && p == N(asked);
            const struct gw_rbac_binding *want = NULL;

            gw_rbac_found_start(&found, (enum gw_rbac_level)level, anywhere ? NULL : &place);
            do {
                want = next_of_model(m, want, who, (enum gw_rbac_level)level,
                                     anywhere ? NULL : &place);
                assert_ptr_equal(gw_rbac_found_next(&found), want);
            } while (want != NULL);
        }
    }
    gw_arena_free(a);
}

static void
check(const struct model *m)
{
    struct gw_str groups[] = {GW_STR("g0"), GW_STR("g1"), GW_STR("g2"), GW_STR("g0")};
    static const char *const users[] = {"u0", "u1", "u2", "u3", ""};

    for (size_t u = 0; u < N(users); u++) {
        for (unsigned first = 0; first < 3; first++) {
            struct gw_subject who = {.name = gw_str_of(users[u]),
                                     .groups = groups + first,
                                     .n_groups = draw(N(groups) - first + 1)};

            check_subject(m, &who);
        }
    }
}

static void
test_random_batches(void **state)
{
    struct model versions[VERSIONS] = {0};
    long long before = gw_pool_bytes(GW_POOL_rbac);

    (void)state;
    srand(7);
    for (size_t i = 0; i < VERSIONS; i++) {
        versions[i].index = gw_rbac_index_next(NULL, NULL, 0);
    }
    for (unsigned round = 0; round < 4000; round++) {
        struct model *m = &versions[draw(VERSIONS)];

        if (draw(20) == 0) {
            const struct model *other = &versions[draw(VERSIONS)];
            struct gw_piece *old = m->index;

            (void)gw_piece_ref(other->index);
            *m = *other;
            gw_piece_unref(old);
        }
        change(m);
        if (round % 8 == 0) {
            check(&versions[draw(VERSIONS)]);
        }
    }
    for (size_t i = 0; i < VERSIONS; i++) {
        check(&versions[i]);
        gw_piece_unref(versions[i].index);
    }
    assert_int_equal(gw_pool_bytes(GW_POOL_rbac), before);
}

/* A group that has very many bindings, as system:authenticated may: what a request asks for is
 * found, whatever is around it. */
static void
test_a_holder_of_many(void **state)
{
    static struct gw_put puts[5000];
    static char keys[5000][80];
    const struct gw_kind *kind = gw_kind_find(GW_STR("iam.kubesphere.io"), GW_STR("RoleBinding"));
    struct gw_diag diag = {0};

    (void)state;
    for (unsigned i = 0; i < N(puts); i++) {
        json_t *json =
            json_pack("{s:{s:s, s:o}, s:{s:s, s:s}, s:[{s:s, s:s}]}", "metadata", "name", "all",
                      "namespace", json_sprintf("p%u", i * 7919 % 5000), "roleRef", "kind",
                      "ClusterRole", "name", "r", "subjects", "kind", "Group", "name", "g");

        puts[i] = (struct gw_put){.key = keys[i],
                                  .piece = gw_rbac_piece_compile(kind, json, NULL, &diag)};
        (void)snprintf(keys[i], sizeof(keys[i]), "iam.kubesphere.io/RoleBinding/p%u/all",
                       i * 7919 % 5000);
        json_decref(json);
    }
    struct gw_piece *x = gw_rbac_index_next(NULL, puts, N(puts));
    struct gw_arena *a = gw_arena_new();
    struct gw_str group = GW_STR("g");
    struct gw_subject who = {.name = GW_STR("u"), .groups = &group, .n_groups = 1};
    struct gw_rbac_found found;

    gw_rbac_index_find((const struct gw_rbac_index *)(const void *)x, a, &who, &found);
    assert_int_equal(found.n, 1);
    assert_int_equal(found.holders[0]->n_places, N(puts));
    for (unsigned i = 0; i < N(puts); i++) {
        const struct gw_rbac_binding *b = (const struct gw_rbac_binding *)(void *)puts[i].piece;

        gw_rbac_found_start(&found, GW_RBAC_NS, &b->place);
        assert_ptr_equal(gw_rbac_found_next(&found), b);
        assert_null(gw_rbac_found_next(&found));
    }
    gw_arena_free(a);
    for (unsigned i = 0; i < N(puts); i++) {
        gw_piece_unref(puts[i].piece);
    }
    gw_piece_unref(x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_batches),
        cmocka_unit_test(test_a_holder_of_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
