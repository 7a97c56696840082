/* Which claims meet, and who has what when they do: a table of pairs, and random worlds beside a
 * model that compares each object with each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "registry/claim_index.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define AGE      "2026-11-30T13:41:58Z"

static struct gw_object *
object(const char *fmt, ...)
{
    struct gw_diag diag = {0};
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    assert_true(vasprintf(&text, fmt, ap) > 0);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    json_t *json = json_loads(text, 0, NULL);
    struct gw_object *o = json == NULL ? NULL : gw_object_stored(json, &diag);
    if (o == NULL) {
        fail_msg("%s: %s", text, json == NULL ? "no JSON" : gw_diag_first(&diag));
    }
    json_decref(json);
    free(text);
    return o;
}

#define HEAD(kind) "{'apiVersion':'extensions.kubesphere.io/v1alpha1','kind':'" kind "',"

static struct gw_object *
proxy(const char *name, const char *created, const char *path, const char *method)
{
    return object(HEAD("ReverseProxy") "'metadata':{'name':'%s','creationTimestamp':'%s'},"
                                       "'spec':{'matcher':{'path':'%s','method':'%s'}}}",
                  name, created, path, method);
}

static struct gw_object *
console_proxy(const char *name, const char *path)
{
    return object(HEAD("ReverseProxy") "'metadata':{'name':'%s','labels':{"
                                       "'kubesphere.io/reverse-proxy-target':'ks-console'}},"
                                       "'spec':{'matcher':{'path':'%s','method':'*'}}}",
                  name, path);
}

static struct gw_object *
api(const char *name, const char *group, const char *version)
{
    return object(HEAD("APIService") "'metadata':{'name':'%s'},"
                                     "'spec':{'group':'%s','version':'%s'}}",
                  name, group, version);
}

/* link "": by its extension. */
static struct gw_object *
bundle(const char *name, const char *extension, const char *link, const char *file)
{
    return object(HEAD("JSBundle") "'metadata':{'name':'%s','labels':{"
                                   "'kubesphere.io/extension-ref':'%s'}},'status':{'link':'%s'},"
                                   "'spec':{'assets':{'style':{'link':''},"
                                   "'files':[{'link':'/dist/x/1.js'},{'link':'%s'},{}]}}}",
                  name, extension, link, file);
}

/* Both ways round. */
static void
meets(struct gw_object *a, struct gw_object *b, bool wanted, const char *what)
{
    struct gw_claims *x = gw_claims_read(a, false);
    struct gw_claims *y = gw_claims_read(b, false);
    const struct gw_claim *other;

    if (x == NULL || y == NULL) { /* claims nothing */
        assert_false(wanted);
    } else if ((gw_claims_meet(x, y, &other) != NULL) != wanted ||
               (gw_claims_meet(y, x, &other) != NULL) != wanted) {
        fail_msg("%s: %s", what, wanted ? "do not meet" : "meet");
    }
    gw_claims_free(x);
    gw_claims_free(y);
    gw_object_unref(a);
    gw_object_unref(b);
}

static void
test_paths(void **state)
{
    static const struct {
        const char *path, *method, *other_path, *other_method;
        bool meet;
    } cases[] = {
        {"/proxy/a", "GET", "/proxy/a", "GET", true},
        {"/proxy/a", "GET", "/proxy/b", "GET", false},
        {"/proxy/a", "GET", "/proxy/a", "POST", false},
        {"/proxy/a", "*", "/proxy/a", "POST", true},
        {"/proxy/a", "get", "/proxy/a", "GET", false}, /* methods are compared by bytes */
        {"/proxy/a", "", "/proxy/a", "", true},
        {"/proxy/a", "", "/proxy/a", "GET", false},
        {"/proxy/a", "", "/proxy/a", "*", true},
        {"/proxy/a/*", "GET", "/proxy/a/b", "GET", true},
        {"/proxy/a/*", "GET", "/proxy/a/b", "PUT", false},
        {"/proxy/a/*", "GET", "/proxy/a/", "GET", true},
        {"/proxy/a/*", "GET", "/proxy/a", "GET", false}, /* as it is matched */
        {"/proxy/a*", "GET", "/proxy/a", "GET", true},
        {"/proxy/a*", "GET", "/proxy/ab/c", "GET", true},
        {"/proxy/a/*", "GET", "/proxy/ab/c", "GET", false},
        {"/proxy/a/*", "GET", "/proxy/a/b/*", "GET", true},
        {"/proxy/a/*", "*", "/proxy/b/*", "*", false},
        {"/proxy/a/*", "GET", "/proxy/a/*", "GET", true},
        {"/proxy/a/**", "GET", "/proxy/a/*", "GET", true},
        {"/proxy/a/**", "GET", "/proxy/a/b", "GET", true},
        {"/proxy/*/b", "GET", "/proxy/a/b", "GET", false}, /* a star in the middle is a star */
        {"/proxy/*/b", "GET", "/proxy/*/b", "GET", true},
        {"/proxy/*", "GET", "/proxy/*/b", "GET", true},
        {"*", "*", "/proxy/a", "GET", true},
        {"*", "*", "*", "GET", true},
        {"*", "PUT", "*", "GET", false},
        {"/proxy/A", "GET", "/proxy/a", "GET", false},
        {"", "*", "", "*", false}, /* no request has an empty path */
        {"", "*", "/proxy/a", "*", false},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char what[200];

        (void)snprintf(what, sizeof(what), "%s %s and %s %s", cases[i].method, cases[i].path,
                       cases[i].other_method, cases[i].other_path);
        meets(proxy("a", AGE, cases[i].path, cases[i].method),
              proxy("b", AGE, cases[i].other_path, cases[i].other_method), cases[i].meet, what);
    }
    meets(console_proxy("a", "/proxy/*"), proxy("b", AGE, "/proxy/a", "GET"), false,
          "the console's and the API server's");
    meets(console_proxy("a", "/proxy/*"), console_proxy("b", "/proxy/a"), true, "the console's");
}

static void
test_others(void **state)
{
    (void)state;
    meets(api("a", "g", "v1"), api("b", "g", "v1"), true, "group and version");
    meets(api("a", "g", "v1"), api("b", "g", "v2"), false, "another version");
    meets(api("a", "g/v", "1"), api("b", "g", "v/1"), true, "which no path tells apart");
    meets(api("a", "", "v1"), api("b", "", "v1"), true, "no group");
    meets(api("a", "g", ""), api("b", "g", ""), false, "no version");
    meets(bundle("a", "x", "/dist/x/m.js", "/a"), bundle("b", "x", "/dist/x/1.js", "/b"), true,
          "a link and a file's");
    meets(bundle("a", "x", "", "/dist/y/2.js"), bundle("b", "y", "/dist/x/index.js", ""), true,
          "a link that is not written down");
    meets(api("a", "g", "v1"), proxy("b", AGE, "g/v1", "*"), false, "kinds");
    meets(object("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'n'}}"),
          api("b", "g", "v1"), false, "one that claims nothing");
    meets(object(HEAD("ReverseProxy") "'metadata':{'name':'a'},'spec':7}"),
          object(HEAD("JSBundle") "'metadata':{'name':'a'},'spec':{'assets':{'files':{}}}}"), false,
          "what is of other types");
}

static void
test_order(void **state)
{
    static const char *const ages[] = {"2025-11-30T13:41:58Z",
                                       "2026-11-30T13:41:58.5Z",
                                       "2026-11-30T13:41:58Z",
                                       "2026-11-30T13:41:58",
                                       "yesterday",
                                       ""};
    /* of the same age: by name; of no age that can be read: last */
    static const size_t order[] = {0, 2, 1, 3, 4, 5};
    struct gw_claims *c[N(ages) + 1];

    (void)state;
    for (size_t i = 0; i < N(ages); i++) {
        static const char *const names[] = {"o3", "o2", "o1", "o4", "o5", "o6"};
        struct gw_object *o = proxy(names[i], ages[order[i]], "/proxy/a", "GET");

        c[i] = gw_claims_read(o, false);
        gw_object_unref(o);
    }
    struct gw_object *o = proxy("z", "", "/proxy/a", "GET");
    c[N(ages)] = gw_claims_read(o, true);
    gw_object_unref(o);
    for (size_t i = 0; i < N(ages); i++) {
        assert_true(gw_claims_order(c[N(ages)], c[i]) < 0); /* a file's comes first */
        assert_int_equal(gw_claims_order(c[i], c[i]), 0);
        for (size_t j = i + 1; j < N(ages); j++) {
            assert_true(gw_claims_order(c[i], c[j]) < 0);
            assert_true(gw_claims_order(c[j], c[i]) > 0);
        }
    }
    for (size_t i = 0; i <= N(ages); i++) {
        gw_claims_free(c[i]);
    }
}

static void
says(struct gw_object *a, struct gw_object *b, bool named, const char *wanted)
{
    struct gw_claims *x = gw_claims_read(a, false);
    struct gw_claims *y = gw_claims_read(b, false);
    struct gw_buf out = {0};

    gw_claims_say(&out, x, y, named);
    assert_string_equal(out.p, wanted);
    gw_buf_fini(&out);
    gw_claims_free(x);
    gw_claims_free(y);
    gw_object_unref(a);
    gw_object_unref(b);
}

static void
test_text(void **state)
{
    (void)state;
    says(proxy("b", AGE, "/proxy/x/*", "GET"), proxy("a", AGE, "/proxy/x/y", "*"), true,
         "spec.matcher.path: /proxy/x/* with method GET overlaps /proxy/x/y with any method of "
         "ReverseProxy \"a\"; choose another one, or delete the other object");
    says(proxy("b", AGE, "/proxy/x/*", "GET"), proxy("a", AGE, "/proxy/x/y", "*"), false,
         "spec.matcher.path: /proxy/x/* with method GET is taken by another object; choose another "
         "one");
    says(api("b", "devops.io", "v1"), api("a", "devops.io", "v1"), true,
         "spec.group: group \"devops.io\" with version v1 is that of APIService \"a\"; choose "
         "another one, or delete the other object");
    says(bundle("b", "y", "", "/dist/y/1.js"), bundle("a", "devops", "/dist/y/index.js", ""), true,
         "status.link: /dist/y/index.js is that of JSBundle \"a\" (extension devops); choose "
         "another one, or delete the other object");
}

/* ---- many links ----------------------------------------------------------------------------- */

/* A bundle without other links: n, that end with i modulo `of`. */
static struct gw_claims *
links(const char *name, const char *start, unsigned n, unsigned of)
{
    struct gw_diag diag = {0};
    json_t *files = json_array();

    for (unsigned i = 0; i < n; i++) {
        (void)json_array_append_new(
            files, json_pack("{s:o}", "link", json_sprintf("%s%u", start, i % of)));
    }
    json_t *json = json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:o}}}", "apiVersion",
                             "extensions.kubesphere.io/v1alpha1", "kind", "JSBundle", "metadata",
                             "name", name, "spec", "assets", "files", files);
    struct gw_object *o = gw_object_stored(json, &diag);
    assert_non_null(o);
    json_decref(json);
    struct gw_claims *c = gw_claims_read(o, false);
    gw_object_unref(o);
    return c;
}

static bool
all_count(void *arg, const struct gw_claims *other)
{
    (void)other;
    ++*(unsigned *)arg;
    return true;
}

static void
note_turn(void *arg, const struct gw_claim_turn *t)
{
    assert_true(t->claims->too_many);
    assert_ptr_equal(t->winner, t->claims);
    ++*(unsigned *)arg;
}

static void
test_links(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_claims *same = links("same", "/dist/x/", 20000, 1);
    struct gw_claims *most = links("most", "/dist/x/", 5000, GW_CLAIMS_MAX);
    struct gw_claims *more = links("more", "/dist/x/", GW_CLAIMS_MAX + 1, GW_CLAIMS_MAX + 1);
    struct gw_claims *many = links("many", "/dist/y/", 5000, 5000);
    struct gw_buf out = {0};
    unsigned n = 0;

    (void)state;
    assert_int_equal(same->n, 1);
    assert_false(same->too_many);
    assert_int_equal(most->n, GW_CLAIMS_MAX);
    assert_false(most->too_many);
    assert_true(more->too_many);
    assert_int_equal(more->n, 0);
    assert_true(many->too_many);
    gw_claims_say(&out, many, many, true);
    assert_string_equal(out.p, "spec.assets.files: has more than 1000 different links; leave some "
                               "out, or make several objects of it");

    gw_claim_index_put(x, same->object, false);
    assert_non_null(gw_claim_index_meet(x, same, all_count, &n));
    assert_int_equal(n, 1); /* it would be 20 000 times 20 000 */
    n = 0;
    gw_claim_index_put(x, many->object, false);
    gw_claim_index_settle(x, note_turn, &n);
    assert_int_equal(n, 1);
    assert_true(gw_claim_index_is_held(x, many->object->key));
    assert_false(gw_claim_index_is_held(x, same->object->key));
    gw_claim_index_take(x, many->object->key);
    assert_false(gw_claim_index_is_held(x, many->object->key));
    gw_claim_index_free(x);
    gw_buf_fini(&out);
    gw_claims_free(same);
    gw_claims_free(most);
    gw_claims_free(more);
    gw_claims_free(many);
}

/* The least of many: what other programs do meanwhile is not in it. */
static uint64_t
cost_to_compare(unsigned n)
{
    struct gw_claims *a = links("a", "/dist/a/", n, n);
    struct gw_claims *b = links("b", "/dist/b/", n, n);
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 200; i++) {
        const struct gw_claim *other;
        struct timespec from;
        struct timespec to;

        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        assert_null(gw_claims_meet(a, b, &other));
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        uint64_t ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 + (uint64_t)to.tv_nsec -
                      (uint64_t)from.tv_nsec;
        least = ns < least ? ns : least;
    }
    gw_claims_free(a);
    gw_claims_free(b);
    return least;
}

static void
test_many_links(void **state)
{
    struct gw_claims *a = links("a", "/dist/a/", 500, 500);
    struct gw_claims *b = links("b", "/dist/a/49", 500, 500);
    const struct gw_claim *other;
    uint64_t few = cost_to_compare(50);
    uint64_t more = cost_to_compare(GW_CLAIMS_MAX);

    (void)state;
    const struct gw_claim *mine = gw_claims_meet(a, b, &other);
    assert_non_null(mine);
    assert_true(gw_claim_meets(mine, other));
    print_message("# 50 links: %llu ns, %d: %llu ns\n", (unsigned long long)few, GW_CLAIMS_MAX,
                  (unsigned long long)more);
    assert_true(more < 100 * few); /* 20 times as many; each with each would be 400 times */
    gw_claims_free(a);
    gw_claims_free(b);
}

/* ---- random worlds -------------------------------------------------------------------------- */

#define NAMES 60

struct thing {
    struct gw_object *o; /* NULL: not there */
    bool from_file;
};

static unsigned
draw(unsigned n)
{
    return (unsigned)rand() % n;
}

static struct gw_object *
draw_object(unsigned name)
{
    static const char *const paths[] = {"*",    "/*",   "/a",    "/a*",    "/a/",
                                        "/a/*", "/a/b", "/a/b*", "/a/b/c", "/a/bc",
                                        "/b",   "/b/*", "/b/c",  "/b/cd/*"};
    static const char *const methods[] = {"GET", "GET", "PUT", "*", ""};
    char text[8];
    char created[32];

    (void)snprintf(text, sizeof(text), "o%u", name);
    (void)snprintf(created, sizeof(created), "2026-11-30T13:41:%02u%s", draw(20),
                   draw(8) == 0 ? "" : "Z");
    if (name % 6 == 0) {
        static const char *const groups[] = {"a", "b", "c"};
        return api(text, groups[draw(N(groups))], "v1");
    }
    if (name % 6 == 1) {
        return bundle(text, paths[draw(N(paths))], "", paths[draw(N(paths))]);
    }
    if (name % 6 == 2) {
        return console_proxy(text, paths[draw(N(paths))]);
    }
    return proxy(text, created, paths[draw(N(paths))], methods[draw(N(methods))]);
}

static int
by_order(const void *a, const void *b)
{
    return gw_claims_order(*(struct gw_claims *const *)a, *(struct gw_claims *const *)b);
}

/* Whoever comes first has what it claims; so does each further one that meets none of these. */
static void
compare(struct gw_claim_index *x, const struct thing *things, const bool *told)
{
    struct gw_claims *all[NAMES];
    bool has[NAMES] = {false};
    size_t n = 0;

    for (size_t i = 0; i < NAMES; i++) {
        all[n] = things[i].o == NULL ? NULL : gw_claims_read(things[i].o, things[i].from_file);
        n += all[n] != NULL;
    }
    qsort(all, n, sizeof(struct gw_claims *), by_order);
    for (size_t i = 0; i < n; i++) {
        const struct gw_claim *other;

        has[i] = true;
        for (size_t j = 0; j < i && has[i]; j++) {
            has[i] = !has[j] || gw_claims_meet(all[i], all[j], &other) == NULL;
        }
        const char *key = all[i]->object->key;
        if (gw_claim_index_is_held(x, key) == has[i]) {
            fail_msg("%s is %s", key, has[i] ? "held" : "not held");
        }
        if (told[strtoul(all[i]->object->name + 1, NULL, 10)] == has[i]) {
            fail_msg("%s was not told of", key);
        }
    }
    for (size_t i = 0; i < n; i++) {
        gw_claims_free(all[i]);
    }
}

/* Keeps in told[] what was said of each. */
static void
on_turned(void *arg, const struct gw_claim_turn *t)
{
    bool *told = arg;
    unsigned long name = strtoul(t->claims->object->name + 1, NULL, 10);

    assert_int_equal(told[name], t->was_held);
    told[name] = t->winner != NULL;
    if (t->winner != NULL) {
        const struct gw_claim *other;

        assert_non_null(gw_claims_meet(t->claims, t->winner, &other));
        assert_true(gw_claims_order(t->winner, t->claims) < 0);
    }
}

static void
test_worlds(void **state)
{
    const char *given = getenv("KSGATE_SEED");
    unsigned seed = given == NULL ? (unsigned)time(NULL) : (unsigned)strtoul(given, NULL, 10);
    struct thing things[NAMES] = {{0}};
    bool told[NAMES] = {false};
    struct gw_claim_index *x = gw_claim_index_new();

    (void)state;
    print_message("# KSGATE_SEED=%u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned n = draw(4) == 0 ? draw(20) : 1; n > 0; n--) {
            unsigned i = draw(NAMES);

            gw_object_unref(things[i].o);
            things[i].o = NULL;
            if (draw(round / 500 % 2 == 0 ? 5 : 2) == 0) {
                struct gw_object *o = draw_object(i);

                gw_claim_index_take(x, o->key);
                gw_object_unref(o);
                told[i] = false;
                continue;
            }
            things[i] = (struct thing){draw_object(i), draw(15) == 0};
            gw_claim_index_put(x, things[i].o, things[i].from_file);
        }
        gw_claim_index_settle(x, on_turned, told);
        compare(x, things, told);
    }
    gw_claim_index_free(x);
    for (size_t i = 0; i < NAMES; i++) {
        gw_object_unref(things[i].o);
    }
}

/* The same things in another order. */
static void
test_any_order(void **state)
{
    struct gw_object *o[NAMES];
    bool held[NAMES] = {false};

    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        o[i] = draw_object(i);
    }
    for (unsigned round = 0; round < 50; round++) {
        struct gw_claim_index *x = gw_claim_index_new();
        bool told[NAMES] = {false};

        for (unsigned i = NAMES; i > 0; i--) {
            unsigned at = draw(i);
            struct gw_object *swap = o[at];

            o[at] = o[i - 1];
            o[i - 1] = swap;
            gw_claim_index_put(x, o[i - 1], false);
            if (round % 2 == 0) {
                gw_claim_index_settle(x, on_turned, told);
            }
        }
        gw_claim_index_settle(x, on_turned, told);
        for (unsigned i = 0; i < NAMES; i++) {
            unsigned long name = strtoul(o[i]->name + 1, NULL, 10);
            bool is = gw_claim_index_is_held(x, o[i]->key);

            assert_true(round == 0 || held[name] == is);
            held[name] = is;
        }
        gw_claim_index_free(x);
    }
    for (unsigned i = 0; i < NAMES; i++) {
        gw_object_unref(o[i]);
    }
}

/* ---- many ----------------------------------------------------------------------------------- */

static void
no_turn(void *arg, const struct gw_claim_turn *t)
{
    (void)arg;
    (void)t;
    fail_msg("%s turned", t->claims->object->key);
}

static struct gw_claim_index *
many(unsigned n)
{
    struct gw_claim_index *x = gw_claim_index_new();

    for (unsigned i = 0; i < n; i++) {
        char name[16];
        char path[40];

        (void)snprintf(name, sizeof(name), "o%u", i);
        (void)snprintf(path, sizeof(path), "/proxy/extension-%u/*", i);
        struct gw_object *o = proxy(name, AGE, path, "*");
        gw_claim_index_put(x, o, false);
        gw_object_unref(o);
    }
    gw_claim_index_settle(x, no_turn, NULL);
    return x;
}

/* The least of many: what other programs do meanwhile is not in it. */
static uint64_t
cost(struct gw_claim_index *x)
{
    struct gw_object *o = proxy("new", AGE, "/proxy/extension-500/a", "GET");
    struct gw_claims *c = gw_claims_read(o, false);
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 2000; i++) {
        struct timespec from;
        struct timespec to;
        unsigned n = 0;

        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        const struct gw_claims *other = gw_claim_index_meet(x, c, all_count, &n);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        assert_string_equal(other->object->name, "o500");
        assert_int_equal(n, 1); /* and nobody else was even looked at */
        uint64_t ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 + (uint64_t)to.tv_nsec -
                      (uint64_t)from.tv_nsec;
        least = ns < least ? ns : least;
    }
    gw_claims_free(c);
    gw_object_unref(o);
    return least;
}

static void
test_many(void **state)
{
    struct gw_claim_index *few = many(1000);
    struct gw_claim_index *more = many(10000);
    uint64_t a = cost(few);
    uint64_t b = cost(more);

    (void)state;
    print_message("# among 1000: %llu ns, among 10000: %llu ns\n", (unsigned long long)a,
                  (unsigned long long)b);
    assert_true(b < 5 * a + 1000); /* it would be ten times as much if each were looked at */
    gw_claim_index_free(few);
    gw_claim_index_free(more);
}

static void
count_turn(void *arg, const struct gw_claim_turn *t)
{
    (void)t;
    ++*(unsigned *)arg;
}

/* Ten thousand that all want the same: one has it, and then the next. */
static void
test_crowd(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "o%05u", i);
        struct gw_object *o = proxy(name, AGE, "/proxy/x/*", "*");
        gw_claim_index_put(x, o, false);
        gw_object_unref(o);
    }
    gw_claim_index_settle(x, count_turn, &n);
    assert_int_equal(n, 9999);
    n = 0;
    gw_claim_index_take(x, "extensions.kubesphere.io/ReverseProxy//o00000");
    gw_claim_index_settle(x, count_turn, &n);
    assert_int_equal(n, 9999); /* one has it now, for the others it is another one who has */
    assert_false(gw_claim_index_is_held(x, "extensions.kubesphere.io/ReverseProxy//o00001"));
    assert_true(gw_claim_index_is_held(x, "extensions.kubesphere.io/ReverseProxy//o09999"));
    gw_claim_index_free(x);
}

/* What is on its way, of one key twice: each is there until it is taken out itself. */
static void
test_names(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_object *a = proxy("a", AGE, "/proxy/a", "GET");
    struct gw_object *b = proxy("a", AGE, "/proxy/b", "GET");
    struct gw_claims *of_a = gw_claims_read(a, false);
    struct gw_claims *of_b = gw_claims_read(b, false);
    unsigned n = 0;

    (void)state;
    gw_claim_index_put_as(x, "first", a);
    gw_claim_index_put_as(x, "second", b);
    gw_claim_index_put_as(x, "third", b);
    assert_ptr_equal(gw_claim_index_meet(x, of_a, all_count, &n)->object, a);
    assert_ptr_equal(gw_claim_index_meet(x, of_b, all_count, &n)->object, b);
    gw_claim_index_take(x, "second");
    gw_claim_index_take(x, a->key); /* a name that nothing has */
    assert_non_null(gw_claim_index_meet(x, of_a, all_count, &n));
    assert_non_null(gw_claim_index_meet(x, of_b, all_count, &n));
    gw_claim_index_take(x, "third");
    assert_null(gw_claim_index_meet(x, of_b, all_count, &n));
    gw_claim_index_take(x, "first");
    assert_null(gw_claim_index_meet(x, of_a, all_count, &n));
    gw_claim_index_free(x);
    gw_claims_free(of_a);
    gw_claims_free(of_b);
    gw_object_unref(a);
    gw_object_unref(b);
}

/* ---- many, in groups ------------------------------------------------------------------------ */

static void
put_proxy(struct gw_claim_index *x, const char *name, const char *created, const char *path,
          const char *method)
{
    struct gw_object *o = proxy(name, created, path, method);

    gw_claim_index_put(x, o, false);
    gw_object_unref(o);
}

/* One wildcard with n methods, all of which have it. */
static void
with_methods(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[16];
        char method[16];

        (void)snprintf(name, sizeof(name), "o%u", i);
        (void)snprintf(method, sizeof(method), "M%u", i);
        put_proxy(x, name, AGE, "/proxy/x/*", method);
    }
}

/* n younger wildcards over n older leaves. */
static void
with_leaves(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[16];
        char path[40];

        (void)snprintf(name, sizeof(name), "o%u", i);
        (void)snprintf(path, sizeof(path), "/proxy/x/%u", i);
        put_proxy(x, name, "2025-11-30T13:41:58Z", path, "GET");
        (void)snprintf(name, sizeof(name), "w%u", i);
        put_proxy(x, name, AGE, "/proxy/x/*", "GET");
    }
}

static void
take_leaves(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char key[80];

        (void)snprintf(key, sizeof(key), "extensions.kubesphere.io/ReverseProxy//o%u", i);
        gw_claim_index_take(x, key);
    }
}

/* To settle all, to take half of them out, and to settle the rest.  turns: how many are held at
 * first. */
static uint64_t
cost_of(void (*with)(struct gw_claim_index *, unsigned), unsigned n, unsigned turns)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 3; i++) {
        struct gw_claim_index *x = gw_claim_index_new();
        struct timespec from;
        struct timespec to;
        unsigned turned = 0;

        with(x, n);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        gw_claim_index_settle(x, count_turn, &turned);
        assert_int_equal(turned, turns);
        take_leaves(x, n);
        gw_claim_index_settle(x, count_turn, &turned);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        assert_int_equal(turned, 2 * turns); /* one of them has it now, the others not from whom */
        gw_claim_index_free(x);
        uint64_t ns = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 + (uint64_t)to.tv_nsec -
                      (uint64_t)from.tv_nsec;
        least = ns < least ? ns : least;
    }
    return least;
}

static void
test_groups(void **state)
{
    uint64_t few = cost_of(with_methods, 500, 0);
    uint64_t more = cost_of(with_methods, 4000, 0);

    (void)state;
    print_message("# 500 methods: %llu us, 4000: %llu us\n", (unsigned long long)few / 1000,
                  (unsigned long long)more / 1000);
    assert_true(more < 35 * few); /* 64 times, if each were compared with each */
    few = cost_of(with_leaves, 500, 500);
    more = cost_of(with_leaves, 4000, 4000);
    print_message("# 500 wildcards over as many: %llu us, 4000: %llu us\n",
                  (unsigned long long)few / 1000, (unsigned long long)more / 1000);
    assert_true(more < 35 * few);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),  cmocka_unit_test(test_others),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_links),  cmocka_unit_test(test_many_links),
        cmocka_unit_test(test_worlds), cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_many),   cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
