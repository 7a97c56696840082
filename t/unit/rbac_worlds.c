/*
 * Random worlds that change, and random questions: the index and a second opinion (t/lib/model_*.h)
 * have to come to the same decision by the same binding and rule, and an index that has seen
 * all changes to the same as one built afresh.
 *
 * KSGATE_SEED=n draws the worlds of seed n again; KSGATE_WORLDS=n draws so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "http/url.h"
#include "modules/rbac_say.h"
#include "modules/request_rules.h"
#include "t/lib/model_questions.h"

#define WORLDS    500
#define OBJECTS   100
#define QUESTIONS 240

struct tally {
    unsigned asked, allowed, refused, by_policy, by_template, by_use, by_kind[4];
};

/* ---- the index ---------------------------------------------------------------------------- */

static void
put(struct gw_rbac_index *x, const json_t *o, bool gone)
{
    const struct gw_kind *kind = gw_kind_find(
        model_is(model_kind(o), "Namespace") ? GW_STR("") : GW_STR("iam.kubesphere.io"),
        gw_str_of(model_kind(o)));
    struct gw_diag diag = {0};

    assert_non_null(kind);
    char *key = gw_object_key(kind, gw_str_of(model_ns(o)), gw_str_of(model_name(o)));
    struct gw_piece *piece = gone ? NULL : gw_rbac_piece_compile(kind, o, NULL, &diag);
    assert_true(gone || piece != NULL);
    gw_rbac_index_put(x, key, piece);
    gw_piece_unref(piece);
    free(key);
    gw_diag_fini(&diag);
}

/* A random object comes, takes the place of one of its name, or goes. */
static void
change(struct model_random *r, struct gw_rbac_index *x, json_t *world)
{
    size_t n = json_array_size(world);

    if (n > 0 && model_chance(r, 35)) {
        unsigned i = model_draw(r, (unsigned)n);

        put(x, json_array_get(world, i), true);
        (void)json_array_remove(world, i);
        return;
    }
    json_t *o = model_random_object(r);
    put(x, o, false);
    model_world_put(world, o);
}

/* ---- one question ------------------------------------------------------------------------- */

struct question {
    struct model_asked asked;
    const char *extension;
};

static struct gw_rbac_grant
ask(const struct gw_rbac_index *x, struct gw_arena *a, const struct question *q, bool *meaningful)
{
    struct gw_str groups[4];
    struct gw_subject s = {.name = gw_str_of(q->asked.who.name), .groups = groups};
    struct gw_request_info info;
    const char *why;
    struct gw_str query = gw_str_of(q->asked.url);
    struct gw_str path = gw_str_cut(&query, '?');

    while (s.n_groups < 4 && q->asked.who.groups[s.n_groups] != NULL) {
        groups[s.n_groups] = gw_str_of(q->asked.who.groups[s.n_groups]);
        s.n_groups++;
    }
    *meaningful = gw_path_check(path, &why) == GW_ERR_OK &&
                  gw_request_rules_read(a, gw_str_of(q->asked.method), path, query, &info) == NULL;
    return *meaningful ? gw_rbac_decide(x, a, &s, &info, gw_str_of(q->extension))
                       : (struct gw_rbac_grant){0};
}

/* "GlobalRoleBinding ns/name, rule 2 of template", or that it is denied or means nothing. */
static const char *
say(char into[600], bool meaningful, bool allowed, const char *kind, const char *ns,
    const char *name, int rule, const char *template)
{
    if (!meaningful || !allowed) {
        return meaningful ? "denied" : "refused";
    }
    (void)snprintf(into, 600, "%s %s/%s, rule %d of %s", kind, ns, name, rule, template);
    return into;
}

static const char *
say_grant(char into[600], bool meaningful, const struct gw_rbac_grant *g)
{
    const struct gw_rbac_binding *b = g->allowed ? g->binding : NULL;

    return b == NULL ? say(into, meaningful, false, "", "", "", 0, "")
                     : say(into, meaningful, true, b->object.kind, b->object.ns, b->object.name,
                           g->rule, g->template == NULL ? "" : g->template->object.name);
}

static void
count(struct tally *t, bool meaningful, const struct model_answer *a)
{
    t->asked++;
    t->refused += !meaningful;
    t->allowed += a->allowed;
    if (a->allowed) {
        static const char first[] = "GWCR";

        t->by_policy += a->rule == MODEL_BY_POLICY;
        t->by_template += a->template != NULL;
        t->by_kind[strchr(first, model_kind(a->binding)[0]) - first]++;
    }
}

static void
fail_with(const json_t *world, const struct question *q, const char *index, const char *model)
{
    size_t i;
    json_t *o;

    json_array_foreach(world, i, o)
    {
        char *text = json_dumps(o, JSON_COMPACT);

        print_message("# %s\n", text);
        free(text);
    }
    fail_msg("%s (%s %s %s) %s %s, extension \"%s\":\nthe index says: %s\nthe model says: %s",
             q->asked.who.name, q->asked.who.groups[0] ? q->asked.who.groups[0] : "",
             q->asked.who.groups[0] && q->asked.who.groups[1] ? q->asked.who.groups[1] : "",
             q->asked.who.groups[0] && q->asked.who.groups[1] && q->asked.who.groups[2]
                 ? q->asked.who.groups[2]
                 : "",
             q->asked.method, q->asked.url, q->extension, index, model);
}

static void
compare(const struct gw_rbac_index *x, const json_t *world, const struct question *q,
        struct tally *t)
{
    struct gw_arena *a = gw_arena_new();
    struct model_info info;
    struct model_answer expect = {0};
    bool means = model_info_read(&info, q->asked.method, q->asked.url);
    bool meaningful;
    char one[600];
    char two[600];

    struct gw_rbac_grant got = ask(x, a, q, &meaningful);
    if (means) {
        expect = model_decide(&(struct model_question){world, &q->asked.who, &info, q->extension});
    }
    count(t, means, &expect);
    const char *index = say_grant(one, meaningful, &got);
    const char *model =
        say(two, means, expect.allowed, model_kind(expect.binding), model_ns(expect.binding),
            model_name(expect.binding), expect.rule, model_name(expect.template));
    if (strcmp(index, model) != 0) {
        fail_with(world, q, index, model);
    }
    gw_arena_free(a);
}

/* A resource is of an extension when a row of its permissions says so: any can be. */
static struct question
draw_question(struct model_random *r, const json_t *world)
{
    struct question q = {.asked = model_random_question(r, world)};

    q.extension = model_extension_of(q.asked.url);
    if (q.extension[0] == '\0' && model_chance(r, 20)) {
        q.extension = MODEL_PICK(r, model_extensions);
    }
    return q;
}

/* ---- worlds ------------------------------------------------------------------------------- */

static void
one_world(struct model_random *r, struct tally *t)
{
    struct gw_rbac_index *x = gw_rbac_index_open(NULL);
    json_t *world = json_array();

    for (unsigned i = 0; i < OBJECTS; i++) {
        change(r, x, world);
    }
    for (unsigned i = 0; i < QUESTIONS; i++) {
        if (model_chance(r, 30)) {
            change(r, x, world);
        }
        struct question q = draw_question(r, world);
        compare(x, world, &q, t);
    }
    gw_rbac_index_close(x);

    size_t i;
    json_t *o;
    struct gw_rbac_index *fresh = gw_rbac_index_open(NULL);
    json_array_foreach(world, i, o)
    {
        put(fresh, o, false);
    }
    for (i = 0; i < QUESTIONS / 10; i++) {
        struct question q = draw_question(r, world);

        compare(fresh, world, &q, t);
    }
    gw_rbac_index_close(fresh);
    json_decref(world);
}

static unsigned
number_of_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void
test_the_index_decides_as_the_model_does(void **state)
{
    unsigned seed = number_of_environment("KSGATE_SEED", (unsigned)time(NULL));
    unsigned worlds = number_of_environment("KSGATE_WORLDS", WORLDS);
    struct tally t = {0};

    (void)state;
    print_message("# KSGATE_SEED=%u\n", seed);
    for (unsigned i = 0; i < worlds; i++) {
        struct model_random r = {((uint64_t)i << 32) + seed};

        one_world(&r, &t);
    }
    print_message("# %u questions in %u worlds: %u allowed (%u by a policy, %u by a template; "
                  "global %u, workspace "
                  "%u, cluster %u, namespace %u), %u refused\n",
                  t.asked, worlds, t.allowed, t.by_policy, t.by_template, t.by_kind[0],
                  t.by_kind[1], t.by_kind[2], t.by_kind[3], t.refused);
    /* a test that sees only denials proves nothing */
    assert_true(t.allowed > t.asked / 5 && t.allowed < t.asked * 4 / 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_index_decides_as_the_model_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
