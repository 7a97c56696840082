#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/rbac_index.h"
#include "t/lib/vectors.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the shared vectors ------------------------------------------------------------------- */

static bool
rule_allows(const json_t *unit)
{
    struct gw_rbac_rule r;
    struct gw_diag diag = {0};
    struct gw_request_info info = vectors_info(json_object_get(unit, "attrs"));

    assert_true(gw_rbac_rule_read(&r, json_object_get(unit, "rule"), 0, NULL, &diag));
    bool got = gw_rbac_rule_allows(&r, &info);
    gw_rbac_rule_fini(&r);
    gw_diag_fini(&diag);
    return got;
}

static bool
resource_matches(const json_t *unit)
{
    struct gw_rbac_rule r;
    struct gw_diag diag = {0};
    struct gw_str resource = vectors_text(unit, "combined");
    struct gw_str sub = vectors_text(unit, "sub");

    assert_true(gw_rbac_rule_read(&r, json_object_get(unit, "rule"), 0, NULL, &diag));
    resource.n -= sub.n == 0 ? 0 : sub.n + 1;
    bool got = gw_rbac_rule_has_resource(&r, resource, sub);
    gw_rbac_rule_fini(&r);
    gw_diag_fini(&diag);
    return got;
}

static bool
url_matches(const json_t *unit)
{
    struct gw_rbac_rule r;
    struct gw_diag diag = {0};

    assert_true(gw_rbac_rule_read(&r, json_object_get(unit, "rule"), 0, NULL, &diag));
    bool got = gw_rbac_rule_has_url(&r.urls, vectors_text(unit, "path"));
    gw_rbac_rule_fini(&r);
    gw_diag_fini(&diag);
    return got;
}

static void
check_path(const json_t *unit, const char *name)
{
    const json_t *excluded = json_object_get(unit, "excluded");
    const json_t *expect = json_object_get(unit, "expect");
    struct gw_str patterns[16];
    bool ok = true;

    for (size_t i = 0; i < json_array_size(excluded); i++) {
        patterns[i] = gw_str_of(json_string_value(json_array_get(excluded, i)));
        ok = ok && gw_rbac_path_ok(patterns[i]);
    }
    if (json_object_get(expect, "constructError") != NULL) {
        assert_false(ok);
        return;
    }
    bool allow = gw_str_eq(vectors_text(expect, "decision"), GW_STR("allow"));
    if (!ok || gw_rbac_paths_have(patterns, json_array_size(excluded),
                                  vectors_text(unit, "path")) != allow) {
        fail_msg("%s: \"%s\"", name, vectors_text(unit, "path").p);
    }
}

/* The binding whose subjects are the unit's. */
static struct gw_piece *
binding_of(const json_t *unit)
{
    static const struct gw_kind in_ns = {.group = "", .kind = "RoleBinding", .namespaced = true};
    static const struct gw_kind global = {.group = "", .kind = "ClusterRoleBinding"};
    struct gw_diag diag = {0};
    struct gw_str ns = vectors_text(unit, "namespace");
    json_t *json = json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "metadata", "name", "b", "namespace",
                             ns.p, "roleRef", "kind", "Role", "name", "r");
    json_t *subjects = json_object_get(unit, "subjects");

    if (subjects != NULL) {
        json_object_set(json, "subjects", subjects);
    }
    struct gw_piece *p = gw_rbac_piece_compile(ns.n > 0 ? &in_ns : &global, json, NULL, &diag);
    assert_non_null(p);
    json_decref(json);
    gw_diag_fini(&diag);
    return p;
}

static void
check_applies(const json_t *unit, const char *name)
{
    const json_t *user = json_object_get(unit, "user");
    const json_t *list = json_object_get(user, "groups");
    const json_t *expect = json_object_get(unit, "expect");
    struct gw_str groups[8];
    struct gw_subject subject = {.name = vectors_text(user, "name"), .groups = groups};
    struct gw_piece *p = binding_of(unit);
    const struct gw_rbac_binding *b = (const struct gw_rbac_binding *)(const void *)p;

    for (; subject.n_groups < json_array_size(list); subject.n_groups++) {
        groups[subject.n_groups] =
            gw_str_of(json_string_value(json_array_get(list, subject.n_groups)));
    }
    const struct gw_rbac_subject *s = gw_rbac_index_subject(b, &subject);
    json_int_t index = json_integer_value(json_object_get(expect, "index"));
    if ((s != NULL) != json_is_true(json_object_get(expect, "applies")) ||
        (s != NULL && s - b->subjects != index)) {
        fail_msg("%s", name);
    }
    gw_piece_unref(p);
}

static void
check_bool(const json_t *unit, const char *name, bool got)
{
    if (got != json_is_true(json_object_get(unit, "expect"))) {
        fail_msg("%s: %s", name, json_dumps(unit, 0));
    }
}

/* Runs one unit; false: it is of a kind that is not asked here. */
static bool
check_unit(const json_t *unit)
{
    const char *kind = vectors_text(unit, "kind").p;
    const char *name = vectors_text(unit, "name").p;

    if (strcmp(kind, "ruleAllows") == 0) {
        check_bool(unit, name, rule_allows(unit));
    } else if (strcmp(kind, "resourceMatches") == 0) {
        check_bool(unit, name, resource_matches(unit));
    } else if (strcmp(kind, "nonResourceURLMatches") == 0) {
        check_bool(unit, name, url_matches(unit));
    } else if (strcmp(kind, "pathAuthorizer") == 0) {
        check_path(unit, name);
    } else if (strcmp(kind, "appliesTo") == 0) {
        check_applies(unit, name);
    } else {
        return false;
    }
    return true;
}

static void
test_the_shared_vectors(void **state)
{
    json_t *all = vectors_load("rbac_rules.json");
    const json_t *units = json_object_get(all, "units");
    size_t ran = 0;

    (void)state;
    if (all == NULL) {
        skip();
    }
    for (size_t i = 0; i < json_array_size(units); i++) {
        ran += check_unit(json_array_get(units, i)) ? 1 : 0;
    }
    printf("# %zu of %zu units of rbac_rules.json ran\n", ran, json_array_size(units));
    assert_true(ran > 100);
    json_decref(all);
}

/* ---- our own ------------------------------------------------------------------------------ */

static json_t *
json_of(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);

    assert_non_null(json);
    return json;
}

static void
test_rules_that_are_wrong(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        const char *says; /* in the first finding; NULL: none */
    } cases[] = {
        {"{'verbs': ['get'], 'resources': null}", true, NULL},
        {"{'verbs': 'get'}", false, "rules[3].verbs: expected a list of texts"},
        {"{'resources': ['pods', 1]}", false, "rules[3].resources: expected a list of texts"},
        {"['get']", false, "rules[3]: expected an object"},
        {"{'resource': ['pods']}", true, "did you mean resources?"},
        {"{'zzz': 1}", true, "rules[3].zzz is not known and has no effect"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char text[200];
        struct gw_diag diag = {0};
        struct gw_rbac_rule r;

        (void)snprintf(text, sizeof(text), "%s", cases[i].text);
        for (char *p = text; *p != '\0'; p++) {
            if (*p == '\'') {
                *p = '"';
            }
        }
        json_t *json = json_of(text);
        assert_int_equal(gw_rbac_rule_read(&r, json, 3, NULL, &diag), cases[i].ok);
        assert_int_equal(diag.n, cases[i].says == NULL ? 0 : 1);
        if (cases[i].says != NULL && strstr(diag.findings[0].text, cases[i].says) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, diag.findings[0].text);
        }
        gw_rbac_rule_fini(&r);
        gw_diag_fini(&diag);
        json_decref(json);
    }
}

static void
test_what_is_reached_by_another_verb(void **state)
{
    struct gw_rbac_rule r;
    struct gw_diag diag = {0};
    json_t *json =
        json_of("{\"verbs\": [\"list\"], \"apiGroups\": [\"\"], \"resources\": [\"pods\"]}");
    struct gw_request_info info = {
        .verb = GW_STR("delete"), .resource = GW_STR("pods"), .is_resource = true};

    (void)state;
    assert_true(gw_rbac_rule_read(&r, json, 0, NULL, &diag));
    assert_false(gw_rbac_rule_allows(&r, &info));
    assert_true(gw_rbac_rule_reaches(&r, &info));
    info.subresource = GW_STR("log");
    assert_false(gw_rbac_rule_reaches(&r, &info));
    gw_rbac_rule_fini(&r);
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shared_vectors),
        cmocka_unit_test(test_rules_that_are_wrong),
        cmocka_unit_test(test_what_is_reached_by_another_verb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
