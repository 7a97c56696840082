/* ext_versions.c - which version a request goes to, compared with a slow reading of the spec
 * itself: random rows, random requests; and that what many specs share is a whole copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/module.h"
#include "gateway/upstream.h"
#include "t/lib/objects.h"

extern const struct gw_module gw_mod_ext_router;

#define WORLDS   200
#define REQUESTS 50
#define ROWS     4

static const char *const names[ROWS] = {"v1", "v2", "v3", "v4"};
static const char *const values[] = {"0", "1", "2"};
static const char *const users[] = {"", "ann", "bob", "cid"}; /* "": nobody */
static const char *const groups[] = {"g0", "g1", "g2"};

static unsigned
draw(unsigned n)
{
    return (unsigned)rand() % n; /* NOLINT: reproducible, and no secret */
}

static const char *
value(void)
{
    return values[draw(3)];
}

/* -- a spec --------------------------------------------------------------------------------------
 */

/* One text, or a list of some. */
static json_t *
some_of(const char *const *list, unsigned n)
{
    if (draw(2) == 0) {
        return json_string(list[draw(n)]);
    }
    return json_pack("[s, s]", list[draw(n)], list[draw(n)]);
}

static json_t *
random_match(void)
{
    json_t *m = json_object();

    while (json_object_size(m) == 0) {
        if (draw(3) == 0) {
            json_object_set_new(m, "header", json_pack("{s:o}", "X-A", some_of(values, 3)));
        } else if (draw(4) == 0) {
            json_object_set_new(
                m, "header",
                json_pack("{s:o, s:o}", "X-A", some_of(values, 3), "x-b", some_of(values, 3)));
        }
        if (draw(3) == 0) {
            json_object_set_new(m, "cookie", json_pack("{s:o}", "a", some_of(values, 3)));
        }
        if (draw(3) == 0) {
            json_object_set_new(m, "user", some_of(users + 1, 3));
        }
        if (draw(3) == 0) {
            json_object_set_new(m, "group", some_of(groups, 3));
        }
    }
    return m;
}

static json_t *
random_rows(void)
{
    json_t *rows = json_array();

    for (unsigned i = 0; i < ROWS; i++) {
        json_t *row = json_pack("{s:s, s:i}", "name", names[i], "weight", (int)draw(26));

        if (draw(3) > 0) {
            json_object_set_new(row, "match", random_match());
        } else if (draw(2) == 0) {
            json_object_set_new(row, "match", json_pack("[o, o]", random_match(), random_match()));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Each version has an endpoint, and so has the rest. */
static void
apply_spec(struct gw_world *w, const char *name, json_t *rows)
{
    json_t *endpoints = json_pack("[{s:s}]", "url", "http://10.0.0.9:80");

    for (unsigned i = 0; i < ROWS; i++) {
        char url[32];

        (void)snprintf(url, sizeof(url), "http://10.0.0.%u:80", i);
        json_array_append_new(endpoints, json_pack("{s:s, s:s}", "url", url, "version", names[i]));
    }
    json_t *spec =
        json_pack("{s:s, s:o, s:O}", "access", "public", "endpoints", endpoints, "versions", rows);
    char *text = json_dumps(spec, JSON_COMPACT);
    apply(w, "ExtensionService", name, text);
    assert_int_equal(diag.errors, 0);
    free(text);
    json_decref(spec);
}

/* -- a request -----------------------------------------------------------------------------------
 */

struct asker {
    const char *a, *b, *cookie; /* of X-A, X-B and the cookie a; NULL: not sent */
    const char *user;
    unsigned n_groups;
    struct gw_str groups[3];
};

static void
random_asker(struct asker *x)
{
    *x = (struct asker){.a = draw(2) == 0 ? NULL : value(),
                        .b = draw(2) == 0 ? NULL : value(),
                        .cookie = draw(2) == 0 ? NULL : value(),
                        .user = users[draw(4)]};
    for (unsigned i = 0; i < 3; i++) {
        if (draw(3) == 0) {
            x->groups[x->n_groups++] = gw_str_of(groups[i]);
        }
    }
}

static void
add_header(struct gw_headers *h, const char *name, const char *text)
{
    enum gw_header_id id = gw_header_id(gw_str_of(name));

    if (text != NULL) {
        h->list[h->n++] = (struct gw_header){
            .name = gw_str_of(name), .value = gw_str_of(text), .id = (unsigned short)id};
        h->present |= id == GW_H_OTHER ? 0 : (uint64_t)1 << id;
    }
}

/* As the gateway decides; the caller frees its arena. */
static struct gw_req *
decide(struct gw_world *w, const char *extension, const struct asker *x)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_head *head = gw_arena_alloc(a, sizeof(*head));

    req->arena = a;
    req->world = w;
    req->head = head;
    head->method = GW_STR("GET");
    head->target = gw_str_of(gw_arena_printf(a, "/extensions/%s/x", extension));
    head->headers.list = gw_arena_alloc(a, 3 * sizeof(*head->headers.list));
    add_header(&head->headers, "x-a", x->a);
    add_header(&head->headers, "X-B", x->b);
    add_header(&head->headers, "Cookie",
               x->cookie == NULL ? NULL : gw_arena_printf(a, "z=9; a=%s", x->cookie));
    req->client_ip = GW_STR("192.0.2.1");
    req->subject.name = gw_str_of(*x->user == '\0' ? "system:anonymous" : x->user);
    req->subject.anonymous = *x->user == '\0';
    req->subject.groups = x->groups;
    req->subject.n_groups = x->n_groups;
    assert_int_equal(gw_target_split(head->method, head->target, &req->target), GW_ERR_OK);
    assert_int_equal(gw_mod_ext_router.on[GW_FIND](req, NULL), GW_NEXT);
    assert_int_equal(gw_mod_ext_router.on[GW_REWRITE](req, NULL), GW_NEXT);
    return req;
}

/* -- the model -----------------------------------------------------------------------------------
 */

/* Is it, or is it among them? */
static bool
says(const json_t *condition, const char *text)
{
    bool good = false;

    if (text != NULL && json_is_string(condition)) {
        good = strcmp(json_string_value(condition), text) == 0;
    }
    for (size_t i = 0; text != NULL && i < json_array_size(condition); i++) {
        good = good || strcmp(json_string_value(json_array_get(condition, i)), text) == 0;
    }
    return good;
}

static bool
says_any(const json_t *condition, const struct asker *x)
{
    for (unsigned i = 0; i < x->n_groups; i++) {
        if (says(condition, x->groups[i].p)) {
            return true;
        }
    }
    return false;
}

static bool
all_hold(const json_t *m, const struct asker *x)
{
    const json_t *header = json_object_get(m, "header");
    const json_t *a = json_object_get(header, "X-A");
    const json_t *b = json_object_get(header, "x-b");
    const json_t *cookie = json_object_get(json_object_get(m, "cookie"), "a");
    const json_t *user = json_object_get(m, "user");
    const json_t *group = json_object_get(m, "group");

    return (a == NULL || says(a, x->a)) && (b == NULL || says(b, x->b)) &&
           (cookie == NULL || says(cookie, x->cookie)) && (user == NULL || says(user, x->user)) &&
           (group == NULL || says_any(group, x));
}

static bool
row_matches(const json_t *row, const struct asker *x)
{
    const json_t *match = json_object_get(row, "match");
    bool good = json_is_object(match) && all_hold(match, x);

    for (size_t i = 0; i < json_array_size(match); i++) {
        good = good || all_hold(json_array_get(match, i), x);
    }
    return good;
}

/* NULL: no row matches. */
static const char *
model(const json_t *rows, const struct asker *x)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (row_matches(json_array_get(rows, i), x)) {
            return names[i];
        }
    }
    return NULL;
}

/* -- tests ---------------------------------------------------------------------------------------
 */

static unsigned matched;

static void
compare(struct gw_world *w, const json_t *rows, const struct asker *x)
{
    const char *expected = model(rows, x);
    struct gw_req *req = decide(w, "devops", x);
    struct gw_req *again = decide(w, "devops", x);
    const struct gw_decision *d = &req->decision;
    bool match = strcmp(d->version_by, "match") == 0;

    if (match != (expected != NULL) || (match && !gw_str_eq(d->version, gw_str_of(expected)))) {
        char *text = json_dumps(rows, JSON_COMPACT);

        fail_msg("%s: %s %s %s as %s: %.*s (%s), not %s", text, x->a, x->b, x->cookie, x->user,
                 GW_STR_ARG(d->version), d->version_by, expected == NULL ? "by weight" : expected);
    }
    assert_int_equal(req->to.n_endpoints, 1);
    assert_ptr_equal(req->to.endpoints[0], again->to.endpoints[0]);
    if (strcmp(d->version_by, "rest") == 0) {
        assert_string_equal(gw_endpoint_url(req->to.endpoints[0]).p, "http://10.0.0.9:80");
    }
    matched += match;
    gw_arena_free(req->arena);
    gw_arena_free(again->arena);
}

static void
test_random_rows(void **state)
{
    const char *seed = getenv("KSGATE_SEED");
    unsigned n = seed == NULL ? (unsigned)time(NULL) : (unsigned)strtoul(seed, NULL, 10);

    (void)state;
    print_message("KSGATE_SEED=%u\n", n);
    srand(n);
    for (unsigned i = 0; i < WORLDS; i++) {
        struct gw_world *w = gw_world_new(0, NULL, NULL, 0);
        json_t *rows = random_rows();

        apply_spec(w, "devops", rows);
        for (unsigned k = 0; k < REQUESTS; k++) {
            struct asker x;

            random_asker(&x);
            compare(w, rows, &x);
        }
        json_decref(rows);
        gw_world_free(w);
    }
    assert_true(matched > WORLDS * REQUESTS / 20 && matched < WORLDS * REQUESTS * 19 / 20);
}

static unsigned
count_by_weight(struct gw_world *w, const char *extension, bool *has, unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        char user[16];
        struct asker x = {.user = user};

        (void)snprintf(user, sizeof(user), "user-%u", i);
        struct gw_req *req = decide(w, extension, &x);
        has[i] = strcmp(req->decision.version_by, "weight") == 0;
        count += has[i];
        gw_arena_free(req->arena);
    }
    return count;
}

/* The spec is shared by both, and outlives the first; but each draws its own users. */
static void
test_extensions_that_say_the_same(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);
    json_t *rows =
        json_pack("[{s:s, s:i, s:{s:s}}]", "name", "v1", "weight", 20, "match", "user", "ann");
    bool first[1000];
    bool second[1000];
    unsigned both = 0;

    (void)state;
    apply_spec(w, "devops", rows);
    apply_spec(w, "other", rows);
    unsigned n = count_by_weight(w, "devops", first, 1000);
    unsigned m = count_by_weight(w, "other", second, 1000);
    assert_true(n > 150 && n < 250 && m > 150 && m < 250);
    for (unsigned i = 0; i < 1000; i++) {
        both += first[i] && second[i];
    }
    assert_true(both > 10 && both < 80); /* 40, by chance */
    apply(w, "ExtensionService", "devops", NULL);
    assert_int_equal(count_by_weight(w, "other", second, 1000), m);
    struct asker ann = {.user = "ann"};
    struct gw_req *req = decide(w, "other", &ann);
    assert_string_equal(req->decision.version_by, "match");
    gw_arena_free(req->arena);
    json_decref(rows);
    gw_world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_rows),
        cmocka_unit_test(test_extensions_that_say_the_same),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    gw_diag_fini(&diag);
    return failed;
}
