#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "modules/rbac_say.h"
#include "modules/request_rules.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a small world ------------------------------------------------------------------------ */

#define ROLE(kind, ns, name, rules) \
    kind, "{'metadata': {'name': '" name "', 'namespace': '" ns "'}, 'rules': [" rules "]}"
#define BINDING(kind, place, name, subject, role_kind, role)                              \
    kind, "{'metadata': {'name': '" name "', 'namespace': '" place                        \
          "', 'labels': {'kubesphere.io/workspace': '" place "'}}, 'subjects': [" subject \
          "], 'roleRef': {'kind': '" role_kind "', 'name': '" role "'}}"
#define USER(name)  "{'kind': 'User', 'name': '" name "'}"
#define GROUP(name) "{'kind': 'Group', 'name': '" name "'}"
#define RULE(verbs, groups, resources) \
    "{'verbs': [" verbs "], 'apiGroups': [" groups "], 'resources': [" resources "]}"
#define NS(name, ws) \
    "Namespace",     \
        "{'metadata': {'name': '" name "', 'labels': {'kubesphere.io/workspace': '" ws "'}}}"

#define REGISTER(extension) "/-/apis/ksgate.io/v1/extensionservices/" extension "/endpoints/x"

struct thing {
    const char *kind, *json;
};

static const struct thing small_world[] = {
    {NS("proj", "ws1")},
    {NS("other", "ws2")},
    {ROLE("GlobalRole", "", "root", RULE("'*'", "'*'", "'*'"))},
    {ROLE("GlobalRole", "", "reader", RULE("'get', 'list'", "'*'", "'*'"))},
    {ROLE("GlobalRole", "", "none", "")},
    {ROLE("ClusterRole", "", "pages",
          "{'verbs': ['GET'], 'nonResourceURLs': ['/extensions/e/*']}")},
    {ROLE("ClusterRole", "", "opener", RULE("'use'", "'ksgate.io'", "'extensionservices'"))},
    {ROLE("ClusterRole", "", "register-e",
          "{'verbs': ['register'], 'apiGroups': ['ksgate.io'], "
          "'resources': ['extensionservices'], 'resourceNames': ['e']}")},
    {ROLE("ClusterRole", "", "update-endpoints",
          RULE("'update'", "'ksgate.io'", "'extensionservices/endpoints'"))},
    {ROLE("WorkspaceRole", "", "ws1-pods", RULE("'get', 'list'", "''", "'pods'"))},
    {ROLE("WorkspaceRole", "", "ws1-user",
          "{'verbs': ['use'], 'apiGroups': ['ksgate.io'], "
          "'resources': ['extensionservices'], "
          "'resourceNames': ['e']}")},
    {ROLE("WorkspaceRole", "", "ws1-admin", RULE("'*'", "'*'", "'*'"))},
    {ROLE("Role", "proj", "viewer", RULE("'get'", "'*'", "'*'"))},

    {BINDING("GlobalRoleBinding", "", "b-root", USER("root"), "GlobalRole", "root")},
    {BINDING("GlobalRoleBinding", "", "a-none", USER("ann") ", " GROUP("dev"), "GlobalRole",
             "none")},
    {BINDING("GlobalRoleBinding", "", "c-odd", USER("ann"), "Planet", "x")},
    {BINDING("GlobalRoleBinding", "", "d-reader", GROUP("dev") ", " USER("ann"), "GlobalRole",
             "reader")},
    {BINDING("WorkspaceRoleBinding", "ws1", "wb", USER("wendy"), "WorkspaceRole", "ws1-pods")},
    {BINDING("WorkspaceRoleBinding", "ws1", "a-odd", USER("odd"), "Planet", "x")},
    {BINDING("WorkspaceRoleBinding", "ws1", "b-pods", USER("odd"), "WorkspaceRole", "ws1-pods")},
    {BINDING("WorkspaceRoleBinding", "ws1", "admin-ws1", USER("wanda"), "WorkspaceRole",
             "ws1-admin")},
    {BINDING("WorkspaceRoleBinding", "ws1", "use-e", USER("ursula"), "WorkspaceRole", "ws1-user")},
    {BINDING("ClusterRoleBinding", "", "use-all", USER("oscar"), "ClusterRole", "opener")},
    {BINDING("ClusterRoleBinding", "", "use-odd", USER("odd"), "ClusterRole", "opener")},
    {BINDING("ClusterRoleBinding", "", "reg-e", USER("rob"), "ClusterRole", "register-e")},
    {BINDING("ClusterRoleBinding", "", "upd", USER("uma"), "ClusterRole", "update-endpoints")},
    {BINDING("ClusterRoleBinding", "", "pages", USER("paul"), "ClusterRole", "pages")},
    {BINDING("ClusterRoleBinding", "", "lost", USER("lou"), "Role", "viewer")},
    {BINDING("RoleBinding", "proj", "nb", USER("nora"), "Role", "viewer")},
    {BINDING("RoleBinding", "proj", "use-here", USER("nick"), "ClusterRole", "opener")},
};

static json_t *
json_of(const char *text)
{
    char copy[1000];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *p = copy; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    json_t *json = json_loads(copy, 0, NULL);
    assert_non_null(json);
    return json;
}

static void
put(struct gw_rbac_index *x, struct thing t, bool gone)
{
    bool core = strcmp(t.kind, "Namespace") == 0;
    const struct gw_kind *kind =
        gw_kind_find(core ? GW_STR("") : GW_STR("iam.kubesphere.io"), gw_str_of(t.kind));
    struct gw_diag diag = {0};
    json_t *json = json_of(t.json);
    json_t *meta = json_object_get(json, "metadata");

    assert_non_null(kind);
    char *key = gw_object_key(
        kind,
        gw_str_of(kind->namespaced ? json_string_value(json_object_get(meta, "namespace")) : ""),
        gw_str_of(json_string_value(json_object_get(meta, "name"))));
    struct gw_piece *piece = gone ? NULL : gw_rbac_piece_compile(kind, json, NULL, &diag);
    assert_true(gone || piece != NULL);
    gw_rbac_index_put(x, key, piece);
    gw_piece_unref(piece);
    free(key);
    json_decref(json);
    gw_diag_fini(&diag);
}

static struct gw_rbac_index *
make_world(void)
{
    struct gw_rbac_index *x = gw_rbac_index_open(NULL);

    for (size_t i = 0; i < N(small_world); i++) {
        put(x, small_world[i], false);
    }
    return x;
}

/* The reason of what is allowed; what was nearest, after "no: ", of what is not. */
static const char *
ask(struct gw_rbac_index *x, struct gw_arena *a, const char *user, const char *group,
    const char *question, const char *extension)
{
    struct gw_str groups[] = {gw_str_of(group)};
    struct gw_subject s = {
        .name = gw_str_of(user), .groups = groups, .n_groups = group == NULL ? 0 : 1};
    struct gw_str query = gw_str_of(question);
    struct gw_str method = gw_str_cut(&query, ' ');
    struct gw_str path = gw_str_cut(&query, '?');
    struct gw_request_info info;

    assert_null(gw_request_rules_read(a, method, path, query, &info));
    struct gw_rbac_grant g = gw_rbac_decide(x, a, &s, &info, gw_str_of(extension));
    return g.allowed ? gw_rbac_say_reason(a, &g, &s).p
                     : gw_arena_printf(a, "no: %s", gw_rbac_nearest(x, a, &s, &info).p);
}

/* ---- decisions ---------------------------------------------------------------------------- */

static const struct {
    const char *user, *group, *question, *extension, *says;
} decisions[] = {
    {"root", NULL, "DELETE /api/v1/nodes/n", NULL,
     "RBAC: allowed by GlobalRoleBinding \"b-root\" of GlobalRole \"root\" to User \"root\""},
    /* global bindings come before the namespace is looked up; others after */
    {"root", NULL, "GET /api/v1/namespaces/nowhere/pods", NULL,
     "RBAC: allowed by GlobalRoleBinding \"b-root\" of GlobalRole \"root\" to User \"root\""},
    {"nora", NULL, "GET /api/v1/namespaces/nowhere/pods", NULL,
     "no: the namespace \"nowhere\" is not known here"},
    /* the first of the binding's subjects is told, not the first of the caller's */
    {"ann", "dev", "GET /api/v1/nodes", NULL,
     "RBAC: allowed by GlobalRoleBinding \"d-reader\" of GlobalRole \"reader\" to Group "
     "\"dev\""},
    {"ann", NULL, "GET /api/v1/nodes", NULL,
     "RBAC: allowed by GlobalRoleBinding \"d-reader\" of GlobalRole \"reader\" to User "
     "\"ann\""},
    {"ann", NULL, "DELETE /api/v1/nodes/n", NULL,
     "no: get, list are allowed by GlobalRole \"reader\" (GlobalRoleBinding \"d-reader\"); "
     "asked was delete"},
    {"nobody", "nogroup", "GET /api/v1/nodes", NULL, "no: no binding of the caller applies here"},

    /* workspaces */
    {"wendy", NULL, "GET /api/v1/namespaces/proj/pods/p", NULL,
     "RBAC: allowed by GlobalRoleBinding \"wb\" of WorkspaceRole \"ws1-pods\" to User "
     "\"wendy\""},
    {"wendy", NULL, "GET /api/v1/namespaces/other/pods/p", NULL,
     "no: no binding of the caller applies here"},
    {"wendy", NULL, "GET /api/v1/pods", NULL, "no: no binding of the caller applies here"},
    {"wendy", NULL, "GET /api/v1/namespaces/proj/secrets", NULL,
     "no: no rule of the caller's roles covers this"},
    /* an unknown kind of role ends the walk where it is not global */
    {"odd", NULL, "GET /api/v1/namespaces/proj/pods/p", NULL,
     "no: a binding whose roleRef is of no known kind ended the search"},
    /* rights in a workspace don't reach into another one's namespace by a selector */
    {"wendy", NULL, "GET /api/v1/watch/pods?labelSelector=kubesphere.io/workspace=ws1", NULL,
     "no: get, list are allowed by WorkspaceRole \"ws1-pods\""},
    {"wendy", NULL,
     "GET /api/v1/watch/namespaces/other/pods?labelSelector=kubesphere.io/workspace=ws1", NULL,
     "no: no binding of the caller applies here"},

    /* namespaces */
    {"nora", NULL, "GET /api/v1/namespaces/proj/pods/p", NULL,
     "RBAC: allowed by RoleBinding \"nb/proj\" of Role \"viewer\" to User \"nora\""},
    {"nora", NULL, "GET /api/v1/namespaces/other/pods/p", NULL,
     "no: no binding of the caller applies here"},
    /* a Role is only found from within a namespace */
    {"lou", NULL, "GET /api/v1/namespaces/proj/pods/p", NULL,
     "no: ClusterRoleBinding \"lost\" names Role \"viewer\", which is not known here"},

    /* extensions: by path */
    {"paul", NULL, "GET /extensions/e/index.html", "e",
     "RBAC: allowed by ClusterRoleBinding \"pages\" of ClusterRole \"pages\" to User \"paul\""},
    {"paul", NULL, "POST /extensions/e/index.html", "e",
     "no: GET is allowed by ClusterRole \"pages\" (ClusterRoleBinding \"pages\"); asked was "
     "POST"},
    {"paul", NULL, "GET /extensions/f/index.html", "f", "no: no rule of the caller's roles"},
    /* by `use` in a workspace: pages, and that workspace's resources */
    {"ursula", NULL, "POST /extensions/e/x", "e",
     "RBAC: allowed by GlobalRoleBinding \"use-e\" of WorkspaceRole \"ws1-user\" to User "
     "\"ursula\""},
    {"ursula", NULL, "POST /extensions/f/x", "f", "no: "},
    {"ursula", NULL, "POST /extensions/e/x", NULL, "no: "},
    {"ursula", NULL, "POST /kapis/g/v1/workspaces/ws1/things", "e",
     "RBAC: allowed by GlobalRoleBinding \"use-e\""},
    {"ursula", NULL, "POST /kapis/g/v1/namespaces/proj/things", "e",
     "RBAC: allowed by GlobalRoleBinding \"use-e\""},
    {"ursula", NULL, "POST /kapis/g/v1/workspaces/ws2/things", "e", "no: "},
    {"ursula", NULL, "POST /kapis/g/v1/namespaces/other/things", "e", "no: "},
    {"ursula", NULL, "POST /kapis/g/v1/namespaces/nowhere/things", "e", "no: the namespace"},
    {"ursula", NULL, "POST /kapis/g/v1/things", "e", "no: "},
    /* all of a workspace is not all of an extension */
    {"wanda", NULL, "POST /kapis/g/v1/workspaces/ws1/things", "e",
     "RBAC: allowed by GlobalRoleBinding \"admin-ws1\""},
    {"wanda", NULL, "POST /extensions/e/x", "e", "no: "},
    /* by `use` everywhere */
    {"oscar", NULL, "POST /extensions/f/x", "f",
     "RBAC: allowed by ClusterRoleBinding \"use-all\" of ClusterRole \"opener\" to User "
     "\"oscar\""},
    {"oscar", NULL, "POST /kapis/g/v1/namespaces/other/things", "f",
     "RBAC: allowed by ClusterRoleBinding \"use-all\""},
    {"oscar", NULL, "POST /kapis/g/v1/namespaces/nowhere/things", "f", "no: the namespace"},
    /* a binding of no known kind ends the search for the one, not for the other */
    {"odd", NULL, "POST /kapis/g/v1/namespaces/proj/things", "f",
     "RBAC: allowed by ClusterRoleBinding \"use-odd\""},
    {"odd", NULL, "POST /kapis/g/v1/namespaces/proj/things", NULL, "no: a binding whose roleRef"},
    {"root", NULL, "POST /extensions/e/x", "e", "RBAC: allowed by GlobalRoleBinding \"b-root\""},
    /* to register backends of an extension: `register` of it, or by the path's own verbs */
    {"rob", NULL, "PUT " REGISTER("e"), NULL,
     "RBAC: allowed by ClusterRoleBinding \"reg-e\" of ClusterRole \"register-e\" to User "
     "\"rob\""},
    {"rob", NULL, "DELETE " REGISTER("e"), NULL, "RBAC: allowed by ClusterRoleBinding \"reg-e\""},
    {"rob", NULL, "PUT " REGISTER("f"), NULL, "no: no rule of the caller's roles covers this"},
    {"rob", NULL, "GET " REGISTER("e"), NULL, "no: no rule of the caller's roles covers this"},
    {"rob", NULL, "PATCH " REGISTER("e"), NULL, "no: no rule of the caller's roles covers this"},
    {"rob", NULL, "PUT /-/apis/ksgate.io/v1/extensionservices/e", NULL,
     "no: register is allowed by ClusterRole \"register-e\" (ClusterRoleBinding \"reg-e\"); "
     "asked was update"},
    {"rob", NULL, "PUT /apis/other.io/v1/extensionservices/e/endpoints/x", NULL, "no: "},
    {"uma", NULL, "PUT " REGISTER("f"), NULL, "RBAC: allowed by ClusterRoleBinding \"upd\""},
    {"uma", NULL, "DELETE " REGISTER("f"), NULL, "no: no rule of the caller's roles covers this"},
    {"oscar", NULL, "PUT " REGISTER("e"), NULL,
     "no: use is allowed by ClusterRole \"opener\" (ClusterRoleBinding \"use-all\"); asked was "
     "register"},
    {"wanda", NULL, "PUT " REGISTER("e"), NULL, "no: "},
    /* a namespace's role opens no extension */
    {"nick", NULL, "POST /kapis/g/v1/namespaces/proj/things", "e", "no: "},
};

static void
test_decisions(void **state)
{
    struct gw_rbac_index *x = make_world();

    (void)state;
    for (size_t i = 0; i < N(decisions); i++) {
        struct gw_arena *a = gw_arena_new();
        const char *got = ask(x, a, decisions[i].user, decisions[i].group, decisions[i].question,
                              decisions[i].extension);

        if (strncmp(got, decisions[i].says, strlen(decisions[i].says)) != 0) {
            fail_msg("%s, %s:\n%s\nnot %s", decisions[i].user, decisions[i].question, got,
                     decisions[i].says);
        }
        gw_arena_free(a);
    }
    gw_rbac_index_close(x);
}

/* ---- changes ------------------------------------------------------------------------------ */

static bool
may(struct gw_rbac_index *x, const char *user, const char *question)
{
    struct gw_arena *a = gw_arena_new();
    bool yes = strncmp(ask(x, a, user, NULL, question, NULL), "RBAC", 4) == 0;

    gw_arena_free(a);
    return yes;
}

static void
test_changes_take_effect_at_once(void **state)
{
    static const struct thing empty_role = {ROLE("GlobalRole", "", "root", "")};
    static const struct thing full_role = {
        ROLE("GlobalRole", "", "root", RULE("'*'", "'*'", "'*'"))};
    static const struct thing for_eve = {BINDING(
        "GlobalRoleBinding", "", "b-root", USER("eve") ", " USER("eve"), "GlobalRole", "root")};
    static const struct thing moved = {NS("other", "ws1")};
    struct gw_rbac_index *x = make_world();

    (void)state;
    assert_true(may(x, "root", "GET /api/v1/nodes"));
    put(x, empty_role, false);
    assert_false(may(x, "root", "GET /api/v1/nodes"));
    put(x, empty_role, true);
    assert_false(may(x, "root", "GET /api/v1/nodes"));
    put(x, full_role, false);
    assert_true(may(x, "root", "GET /api/v1/nodes"));

    put(x, for_eve, false); /* the binding of the same name now names someone else, twice */
    assert_false(may(x, "root", "GET /api/v1/nodes"));
    assert_true(may(x, "eve", "GET /api/v1/nodes"));
    put(x, for_eve, true);
    assert_false(may(x, "eve", "GET /api/v1/nodes"));
    put(x, for_eve, true); /* gone already */

    assert_false(may(x, "wendy", "GET /api/v1/namespaces/other/pods"));
    put(x, moved, false);
    assert_true(may(x, "wendy", "GET /api/v1/namespaces/other/pods"));
    put(x, moved, true);
    assert_false(may(x, "wendy", "GET /api/v1/namespaces/other/pods"));
    gw_rbac_index_close(x);
}

#define TEMPLATE(name, scope, rules)                                                \
    "RoleTemplate", "{'metadata': {'name': '" name "', 'labels': {'scope': '" scope \
                    "'}}, 'spec': {'rules': [" rules "]}}"
#define TAKES(kind, ns, name, notes, field)                                                 \
    kind, "{'metadata': {'name': '" name "', 'namespace': '" ns "', 'annotations': {" notes \
          "}}, 'rules': [], 'aggregationRoleTemplates': " field "}"
#define AUTO "'iam.kubesphere.io/auto-aggregate': 'true'"

/* A template that changes changes all roles that take it in, at once. */
static void
test_roles_take_in_templates(void **state)
{
    static const struct thing pods = {TEMPLATE("t-pods", "global", RULE("'get'", "''", "'pods'"))};
    static const struct thing more = {
        TEMPLATE("t-pods", "global", RULE("'get', 'delete'", "''", "'pods'"))};
    static const struct thing other = {
        TEMPLATE("t-pods", "workspace", RULE("'get'", "''", "'pods'"))};
    static const struct thing nodes = {
        TEMPLATE("a-nodes", "global", RULE("'get'", "''", "'nodes'"))};
    static const struct thing by_label = {TAKES(
        "GlobalRole", "", "root", AUTO, "{'roleSelector': {'matchLabels': {'scope': 'global'}}}")};
    static const struct thing by_name = {
        TAKES("ClusterRole", "", "pages", "", "{'templateNames': ['gone', 't-pods']}")};
    static const struct thing plain = {ROLE("GlobalRole", "", "root", "")};
    struct gw_rbac_index *x = make_world();

    (void)state;
    put(x, by_label, false); /* before there is a template */
    put(x, by_name, false);
    assert_false(may(x, "root", "GET /api/v1/pods/p"));
    put(x, pods, false);
    assert_true(may(x, "root", "GET /api/v1/pods/p"));
    assert_true(may(x, "paul", "GET /api/v1/pods/p"));
    assert_false(may(x, "root", "DELETE /api/v1/pods/p"));
    put(x, nodes, false);
    assert_true(may(x, "root", "GET /api/v1/nodes/n"));
    assert_false(may(x, "paul", "GET /api/v1/nodes/n"));
    put(x, more, false);
    assert_true(may(x, "root", "DELETE /api/v1/pods/p"));
    assert_true(may(x, "paul", "DELETE /api/v1/pods/p"));
    put(x, other, false); /* its label is another now */
    assert_false(may(x, "root", "GET /api/v1/pods/p"));
    assert_true(may(x, "paul", "GET /api/v1/pods/p"));
    put(x, other, true);
    assert_false(may(x, "paul", "GET /api/v1/pods/p"));
    put(x, plain, false); /* the role takes in none any more */
    assert_false(may(x, "root", "GET /api/v1/nodes/n"));
    put(x, plain, true);
    put(x, by_label, false);
    assert_true(may(x, "root", "GET /api/v1/nodes/n"));
    gw_rbac_index_close(x);
}

/* What is said of a template's rule, and of what came nearest. */
static void
test_words_of_templates(void **state)
{
    static const struct thing pods = {
        TEMPLATE("t-pods", "global", RULE("'list', 'get'", "''", "'pods'"))};
    static const struct thing role = {
        TAKES("ClusterRole", "", "pages", "", "{'templateNames': ['t-pods']}")};
    struct gw_rbac_index *x = make_world();
    struct gw_arena *a = gw_arena_new();

    (void)state;
    put(x, pods, false);
    put(x, role, false);
    assert_string_equal(ask(x, a, "paul", NULL, "GET /api/v1/pods", NULL),
                        "RBAC: allowed by ClusterRoleBinding \"pages\" of ClusterRole \"pages\" to "
                        "User \"paul\"");
    assert_string_equal(ask(x, a, "paul", NULL, "DELETE /api/v1/pods/p", NULL),
                        "no: list, get are allowed by ClusterRole \"pages\" (ClusterRoleBinding "
                        "\"pages\"); asked was delete");
    gw_arena_free(a);
    gw_rbac_index_close(x);
}

/* Whatever the order of coming, bindings are asked in the order of their names. */
static void
test_order_is_by_name(void **state)
{
    static const char *const names[] = {"m", "c", "z", "a", "q", "b"};
    struct gw_rbac_index *x = gw_rbac_index_open(NULL);
    struct gw_arena *a = gw_arena_new();
    char json[300];

    (void)state;
    put(x, (struct thing){ROLE("ClusterRole", "", "all", RULE("'*'", "'*'", "'*'"))}, false);
    for (size_t i = 0; i < N(names); i++) {
        (void)snprintf(json, sizeof(json),
                       "{'metadata': {'name': '%s'}, 'subjects': [{'kind': '%s', 'name': 'x'}], "
                       "'roleRef': {'kind': 'ClusterRole', 'name': 'all'}}",
                       names[i], i % 2 == 0 ? "User" : "Group");
        put(x, (struct thing){"ClusterRoleBinding", json}, false);
    }
    static const char *const sorted[] = {"a", "b", "c", "m", "q", "z"};
    for (size_t i = 0; i < N(sorted); i++) {
        (void)snprintf(json, sizeof(json), "RBAC: allowed by ClusterRoleBinding \"%s\" of ",
                       sorted[i]);
        const char *got = ask(x, a, "x", "x", "GET /api/v1/nodes", NULL);
        assert_memory_equal(got, json, strlen(json));
        (void)snprintf(json, sizeof(json), "{'metadata': {'name': '%s'}}", sorted[i]);
        put(x, (struct thing){"ClusterRoleBinding", json}, true);
    }
    assert_false(may(x, "x", "GET /api/v1/nodes"));
    gw_arena_free(a);
    gw_rbac_index_close(x);
}

/* ---- objects that are wrong or unwise ----------------------------------------------------- */

static void
test_findings(void **state)
{
    static const struct {
        const char *kind, *json;
        bool usable;
        const char *says;
    } cases[] = {
        {"ClusterRole", "{'rules': {}}", false, "rules: expected a list"},
        {"ClusterRole", "{'rules': ['x']}", false, "rules[0]: expected an object"},
        {"ClusterRole", "{'rules': null}", true, NULL},
        {"GlobalRole", "{'metadata': {'annotations': {'ksgate.io/policy': 'x'}}}", true,
         "the policy in ksgate.io/policy allows nothing: it is no JSON"},
        {"GlobalRole", "{'metadata': {'annotations': {'iam.kubesphere.io/rego-override': 'x'}}}",
         true, "the Rego text in iam.kubesphere.io/rego-override is none of KubeSphere's own"},
        {"GlobalRole",
         "{'metadata': {'annotations': {'iam.kubesphere.io/rego-override': 'x', "
         "'ksgate.io/policy': '[]'}}}",
         true, NULL},
        {"RoleTemplate", "{'spec': {'rules': {}}}", false, "rules: expected a list"},
        {"RoleTemplate", "{}", true, NULL},
        {"ClusterRole", "{'aggregationRoleTemplates': {'templateNames': ['a']}}", true, NULL},
        {"ClusterRole", "{'aggregationRoleTemplates': {'templateNames': 'a'}}", true,
         "aggregationRoleTemplates takes in no RoleTemplate: it is not an object with"},
        {"ClusterRole",
         "{'aggregationRoleTemplates': {'roleSelector': {'matchLabels': {'a': ''}}}}", true,
         "it counts with the annotation iam.kubesphere.io/auto-aggregate"},
        {"ClusterRole",
         "{'metadata': {'annotations': {" AUTO
         "}}, 'aggregationRoleTemplates': {'roleSelector': {'matchLabels': {'a': ''}}}}",
         true, NULL},
        {"ClusterRole",
         "{'metadata': {'annotations': {" AUTO
         "}}, 'aggregationRoleTemplates': {'roleSelector': {}}}",
         true, "roleSelector takes in no RoleTemplate: it is empty"},
        {"ClusterRole",
         "{'metadata': {'annotations': {" AUTO "}}, 'aggregationRoleTemplates': {'roleSelector': "
         "{'matchExpressions': [{'key': 'a', 'operator': 'Like', 'values': ['b']}]}}}",
         true, "an element of matchExpressions is not a key with the operator"},
        {"ClusterRole",
         "{'metadata': {'annotations': {" AUTO
         "}}, 'aggregationRoleTemplates': {'roleSelector': {'matchLabels': {'a': 1}}}}",
         true, "it is not a selector with matchLabels"},
        {"ClusterRoleBinding", "{'subjects': []}", false, "roleRef: kind and name are required"},
        {"ClusterRoleBinding", "{'roleRef': {'kind': 'ClusterRole'}}", false,
         "roleRef: kind and name"},
        {"ClusterRoleBinding", "{'roleRef': {'kind': 'Clusterrole', 'name': 'x'}}", true,
         "roleRef.kind \"Clusterrole\" is not a kind of role: the binding gives nothing"},
        {"ClusterRoleBinding", "{'subjects': 1, 'roleRef': {'kind': 'Role', 'name': 'x'}}", false,
         "subjects: expected a list"},
        {"ClusterRoleBinding",
         "{'subjects': [{'kind': 'ServiceAccount', 'name': 'x', 'apiGroup': 'kubesphere.io'}], "
         "'roleRef': {'kind': 'Role', 'name': 'x'}}",
         true, "subjects[0] can never be anybody"},
        {"WorkspaceRoleBinding", "{'metadata': {}, 'roleRef': {'kind': 'Role', 'name': 'x'}}", true,
         "without the label kubesphere.io/workspace the binding gives nothing"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_diag diag = {0};
        json_t *json = json_of(cases[i].json);
        struct gw_piece *p = gw_rbac_piece_compile(
            gw_kind_find(GW_STR("iam.kubesphere.io"), gw_str_of(cases[i].kind)), json, NULL, &diag);

        assert_int_equal(p != NULL, cases[i].usable);
        assert_int_equal(diag.errors > 0, !cases[i].usable);
        assert_int_equal(diag.n, cases[i].says != NULL);
        if (cases[i].says != NULL && strstr(diag.findings[0].text, cases[i].says) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, diag.findings[0].text);
        }
        gw_piece_unref(p);
        json_decref(json);
        gw_diag_fini(&diag);
    }
}

static void
test_forbidden_in_kubernetes_words(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_subject s = {.name = GW_STR("to\"m<b>")};
    struct gw_request_info path = {.verb = GW_STR("GET"), .path = GW_STR("/a&b\n\x7f")};
    struct gw_request_info sub = {.verb = GW_STR("get"),
                                  .api_group = GW_STR("apps"),
                                  .resource = GW_STR("deployments"),
                                  .subresource = GW_STR("scale"),
                                  .name = GW_STR("web"),
                                  .ns = GW_STR("proj"),
                                  .is_resource = true};

    (void)state;
    assert_string_equal(
        gw_rbac_say_forbidden(a, &s, &path).p,
        "forbidden: User \"to\\\"m&lt;b&gt;\" cannot GET path \"/a&amp;b\\n\\x7f\"");
    /* what is in front of "forbidden" is a name and no markup there (apimachinery, NewForbidden());
     * letters that turn the text around, or are not seen, are written out as Go does */
    sub.name = GW_STR("<a&\"b\u202e\u00e9");
    assert_string_equal(gw_rbac_say_forbidden(a, &s, &sub).p,
                        "deployments.apps \"<a&\\\"b\\u202e\u00e9\" is forbidden: User "
                        "\"to\\\"m&lt;b&gt;\" cannot get resource "
                        "\"deployments/scale\" in API group \"apps\" in the namespace \"proj\"");
    sub.name = GW_STR("web");
    s.name = GW_STR("tom");
    assert_string_equal(gw_rbac_say_forbidden(a, &s, &sub).p,
                        "deployments.apps \"web\" is forbidden: User \"tom\" cannot get resource "
                        "\"deployments/scale\" in API group \"apps\" in the namespace \"proj\"");
    sub = (struct gw_request_info){.verb = GW_STR("delete"),
                                   .api_group = GW_STR("ksgate.io"),
                                   .resource = GW_STR("extensionservices"),
                                   .subresource = GW_STR("endpoints"),
                                   .name = GW_STR("shop"),
                                   .is_resource = true};
    assert_string_equal(gw_rbac_say_forbidden(a, &s, &sub).p,
                        "extensionservices.ksgate.io \"shop\" is forbidden: User \"tom\" cannot "
                        "register resource \"extensionservices\" in API group \"ksgate.io\" at the "
                        "cluster scope");
    gw_arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_changes_take_effect_at_once),
        cmocka_unit_test(test_roles_take_in_templates),
        cmocka_unit_test(test_words_of_templates),
        cmocka_unit_test(test_order_is_by_name),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_forbidden_in_kubernetes_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
