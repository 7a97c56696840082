/* claims.c - which claims meet, who of two comes first, and how it is said: a table of pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/claim_objects.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Both ways round. */
static void
meets(struct gw_object *a, struct gw_object *b, bool wanted, const char *what)
{
    struct gw_claims *x = claims_of(a);
    struct gw_claims *y = claims_of(b);
    const struct gw_claim *other;

    if (x == NULL || y == NULL) { /* claims nothing */
        assert_false(wanted);
    } else if ((gw_claims_meet(x, y, &other) != NULL) != wanted ||
               (gw_claims_meet(y, x, &other) != NULL) != wanted) {
        fail_msg("%s: %s", what, wanted ? "do not meet" : "meet");
    }
    gw_claims_free(x);
    gw_claims_free(y);
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

        c[i] = claims_of(proxy(names[i], ages[order[i]], "/proxy/a", "GET"));
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
    struct gw_claims *x = claims_of(a);
    struct gw_claims *y = claims_of(b);
    struct gw_buf out = {0};

    gw_claims_say(&out, x, y, named);
    assert_string_equal(out.p, wanted);
    gw_buf_fini(&out);
    gw_claims_free(x);
    gw_claims_free(y);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
