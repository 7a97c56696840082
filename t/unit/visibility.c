/* visibility.c - which extensions somebody sees, and in which workspaces they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "modules/rbac.h"
#include "modules/subscriptions.h"
#include "modules/visibility.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static const char objects[] =
    "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: all}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: sub},"
    " spec: {visibility: subscribed}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: named},"
    " spec: {workspaces: [ws3, ws1, ws3]}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: both},"
    " spec: {workspaces: [ws1, ws2], visibility: subscribed}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: a},"
    " spec: {workspace: ws1, extension: sub}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: b},"
    " spec: {workspace: ws2, extension: both}}\n"
    "---\n"
    "{apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: c},"
    " spec: {workspace: ws3, extension: both}}\n"
    "---\n"
    "{apiVersion: v1, kind: Namespace,"
    " metadata: {name: proj1, labels: {kubesphere.io/workspace: ws1}}}\n"
    "---\n"
    "{apiVersion: v1, kind: Namespace, metadata: {name: stray}}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRole, metadata: {name: r}}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: Role,"
    " metadata: {name: r, namespace: proj1}}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: Role,"
    " metadata: {name: r, namespace: stray}}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: GlobalRole, metadata: {name: root},"
    " rules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: ClusterRole, metadata: {name: user},"
    " rules: [{verbs: [use], apiGroups: [ksgate.io], resources: [extensionservices],"
    " resourceNames: [both]}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRole, metadata: {name: root},"
    " rules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]}\n"
    "---\n"
    /* who is bound where */
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRoleBinding,"
    " metadata: {name: one, labels: {kubesphere.io/workspace: ws1}},"
    " roleRef: {kind: WorkspaceRole, name: r}, subjects: [{kind: User, name: one},"
    " {kind: User, name: many}, {kind: Group, name: team}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRoleBinding,"
    " metadata: {name: two, labels: {kubesphere.io/workspace: ws2}},"
    " roleRef: {kind: WorkspaceRole, name: root}, subjects: [{kind: User, name: two},"
    " {kind: User, name: many}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRoleBinding,"
    " metadata: {name: lost, labels: {kubesphere.io/workspace: ws1}},"
    " roleRef: {kind: WorkspaceRole, name: nothing}, subjects: [{kind: User, name: lost}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRoleBinding,"
    " metadata: {name: odd, labels: {kubesphere.io/workspace: ws1}},"
    " roleRef: {kind: Planet, name: r}, subjects: [{kind: User, name: lost}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: WorkspaceRoleBinding,"
    " metadata: {name: nowhere},"
    " roleRef: {kind: WorkspaceRole, name: r}, subjects: [{kind: User, name: lost}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: RoleBinding,"
    " metadata: {name: ns, namespace: proj1},"
    " roleRef: {kind: Role, name: r}, subjects: [{kind: User, name: ns},"
    " {kind: User, name: many}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: RoleBinding,"
    " metadata: {name: ns, namespace: stray},"
    " roleRef: {kind: Role, name: r}, subjects: [{kind: User, name: lost}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: RoleBinding,"
    " metadata: {name: ns, namespace: gone},"
    " roleRef: {kind: WorkspaceRole, name: r}, subjects: [{kind: User, name: lost}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: GlobalRoleBinding, metadata: {name: root},"
    " roleRef: {kind: GlobalRole, name: root}, subjects: [{kind: User, name: root}]}\n"
    "---\n"
    "{apiVersion: iam.kubesphere.io/v1beta1, kind: ClusterRoleBinding, metadata: {name: user},"
    " roleRef: {kind: ClusterRole, name: user}, subjects: [{kind: User, name: user}]}\n";

static struct gw_world *world;

/* Applies all documents; names that are in `gone` are taken out instead. */
static void
apply(const char *yaml)
{
    struct gw_yaml y = {0};
    struct gw_diag diag = {0};
    struct gw_change changes[64] = {0};
    size_t n = 0;

    assert_true(gw_yaml_read(&y, "t.yaml", gw_str_of(yaml), &diag));
    for (; n < y.n_docs; n++) {
        changes[n].object = gw_object_new(y.docs[n], &y, &diag);
        assert_non_null(changes[n].object);
        changes[n].key = changes[n].object->key;
    }
    struct gw_batch *b = gw_batch_compile(NULL, changes, n, 1, false, &diag);
    gw_world_apply(world, b);
    gw_batch_unref(b);
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(changes[i].object);
    }
    gw_diag_fini(&diag);
    gw_yaml_fini(&y);
}

static void
take_out(const char *key)
{
    struct gw_diag diag = {0};
    char *copy = gw_mem_strdup(key);
    struct gw_change change = {.key = copy};
    struct gw_batch *b = gw_batch_compile(NULL, &change, 1, 2, false, &diag);

    gw_world_apply(world, b);
    gw_batch_unref(b);
    gw_diag_fini(&diag);
    free(copy);
}

static int
setup(void **state)
{
    (void)state;
    world = gw_world_new(0, NULL, &world, 1);
    apply(objects);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_world_free(world);
    return 0;
}

/* ---- members ---- */

static const struct {
    const char *user, *workspaces; /* in the order of the walk */
} members[] = {
    {"one", "ws1"}, {"two", "ws2"}, {"many", "ws1 ws2 ws1"},
    {"ns", "ws1"},  {"lost", ""},   {"nobody", ""},
    {"root", ""},   {"user", ""},
};

static void
test_members(void **state)
{
    const struct gw_rbac_index *x = gw_world_index(world, &gw_rbac_view);

    (void)state;
    for (size_t i = 0; i < N(members); i++) {
        struct gw_arena *a = gw_arena_new();
        struct gw_subject s = {.name = gw_str_of(members[i].user)};
        struct gw_rbac_member m;
        struct gw_str ws;
        struct gw_buf all = {0};

        gw_rbac_member_find(&m, x, a, &s);
        gw_rbac_member_start(&m);
        while (gw_rbac_member_next(&m, &ws)) {
            gw_buf_printf(&all, "%s%.*s", all.n == 0 ? "" : " ", GW_STR_ARG(ws));
        }
        gw_buf_puts(&all, "");
        assert_string_equal(all.p, members[i].workspaces);
        for (unsigned k = 1; k <= 3; k++) {
            char name[8];

            (void)snprintf(name, sizeof(name), "ws%u", k);
            assert_int_equal(gw_rbac_member_of(&m, gw_str_of(name)),
                             strstr(members[i].workspaces, name) != NULL);
        }
        assert_false(gw_rbac_member_of(&m, GW_STR("")));
        gw_buf_fini(&all);
        gw_arena_free(a);
    }
}

/* ---- who sees what ---- */

static const struct {
    const char *user, *group, *sees;
} viewers[] = {
    {"one", NULL, "all sub named"},
    {"two", NULL, "all both"},
    {"many", NULL, "all sub named both"},
    {"ns", NULL, "all sub named"},
    {"lost", NULL, "all"},
    {"lost", "team", "all sub named"},
    {"nobody", NULL, "all"},
    {"user", NULL, "all both"},
    {"root", NULL, "all sub named both absent"},
};

static bool
sees(const char *user, const char *group, const char *extension, const char *policy)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_str groups[] = {gw_str_of(group)};
    struct gw_req req = {.arena = a, .world = world};
    struct gw_viewer v;

    req.subject = (struct gw_subject){
        .name = gw_str_of(user), .groups = groups, .n_groups = group == NULL ? 0 : 1};
    req.decision.policy = policy;
    gw_viewer_init(&v, &req);
    bool yes = gw_viewer_sees(&v, gw_str_of(extension));
    gw_arena_free(a);
    return yes;
}

static void
test_viewers(void **state)
{
    static const char *const extensions[] = {"all", "sub", "named", "both", "absent"};

    (void)state;
    for (size_t i = 0; i < N(viewers); i++) {
        struct gw_buf seen = {0};

        for (size_t k = 0; k < N(extensions); k++) {
            if (sees(viewers[i].user, viewers[i].group, extensions[k], "rbac")) {
                gw_buf_printf(&seen, "%s%s", seen.n == 0 ? "" : " ", extensions[k]);
            }
        }
        assert_string_equal(seen.p, viewers[i].sees);
        gw_buf_fini(&seen);
        assert_true(sees(viewers[i].user, NULL, "sub", "allow_all"));
    }
}

/* ---- changes ---- */

static void
test_changes(void **state)
{
    static const char again[] =
        "{apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: d},"
        " spec: {workspace: ws1, extension: sub}}\n";
    static const char moved[] =
        "{apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: d},"
        " spec: {workspace: ws2, extension: sub}}\n";
    static const char to_all[] =
        "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: sub}}\n";

    (void)state;
    apply(again);
    take_out("ksgate.io/Subscription//a");
    assert_true(gw_subscriptions_have(world, GW_STR("sub"), GW_STR("ws1")));
    apply(moved);
    assert_false(gw_subscriptions_have(world, GW_STR("sub"), GW_STR("ws1")));
    assert_true(gw_subscriptions_have(world, GW_STR("sub"), GW_STR("ws2")));
    assert_false(gw_subscriptions_have(world, GW_STR("sub/ws2"), GW_STR("")));
    take_out("ksgate.io/Subscription//d");
    assert_false(gw_subscriptions_have(world, GW_STR("sub"), GW_STR("ws2")));
    assert_false(sees("nobody", NULL, "sub", "rbac"));
    apply(to_all);
    assert_true(sees("nobody", NULL, "sub", "rbac"));
    take_out("ksgate.io/ExtensionService//sub");
    assert_false(sees("nobody", NULL, "sub", "rbac"));
    assert_true(gw_ext_index_has_restricted(world));
    take_out("ksgate.io/ExtensionService//named");
    take_out("ksgate.io/ExtensionService//both");
    assert_false(gw_ext_index_has_restricted(world));
}

/* The only one that is not for everybody can't be used (it came by another way than ours): what
 * else is of it is for them alone, still. */
static void
test_broken(void **state)
{
    static const char broken[] =
        "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: named},"
        " spec: {workspaces: [ws1], timeouts: never}}\n";
    static const char broken_for_all[] =
        "{apiVersion: ksgate.io/v1, kind: ExtensionService, metadata: {name: named},"
        " spec: {timeouts: never}}\n";
    static const char backend[] =
        "{apiVersion: ksgate.io/v1, kind: Endpoint, metadata: {name: named.a},"
        " spec: {extension: named, url: 'http://127.0.0.1:1'}}\n";

    (void)state;
    take_out("ksgate.io/ExtensionService//sub");
    take_out("ksgate.io/ExtensionService//both");
    apply(broken);
    apply(backend);
    assert_null(gw_ext_index_find(world, GW_STR("named")));
    assert_true(gw_ext_index_has_restricted(world));
    assert_true(sees("one", NULL, "named", "rbac"));
    assert_true(sees("root", NULL, "named", "rbac"));
    assert_false(sees("two", NULL, "named", "rbac"));
    assert_false(sees("nobody", NULL, "nothing", "rbac"));
    apply(broken_for_all);
    assert_null(gw_ext_index_find(world, GW_STR("named")));
    assert_false(gw_ext_index_has_restricted(world));
    assert_true(sees("nobody", NULL, "named", "rbac"));
    apply(broken);
    take_out("ksgate.io/ExtensionService//named");
    assert_false(gw_ext_index_has_restricted(world));
    take_out("ksgate.io/Endpoint//named.a");
    apply(objects);
    assert_true(sees("one", NULL, "named", "rbac"));
    assert_false(sees("two", NULL, "named", "rbac"));
}

/* ---- as they are stored ---- */

/* Who reads it as it is stored, and who compiles it, are of one opinion. */
static void
test_stored(void **state)
{
    static const struct {
        const char *spec;
        bool restricted, ws1, ws2; /* without a Subscription of either */
    } specs[] = {
        {"{}", false, true, true},
        {"{\"visibility\": \"all\", \"workspaces\": []}", false, true, true},
        {"{\"visibility\": null, \"workspaces\": null}", false, true, true},
        {"{\"workspaces\": [\"ws1\"]}", true, true, false},
        {"{\"workspaces\": \"ws1\"}", true, true, false},
        {"{\"workspaces\": [\"ws2\", \"ws1\"]}", true, true, true},
        {"{\"workspaces\": \"\"}", true, false, false},
        {"{\"workspaces\": [\"ws1\", 5]}", true, false, false},
        {"{\"workspaces\": [\"ws1\", null]}", true, false, false},
        {"{\"workspaces\": [\"ws1\", \"a/b\"]}", true, false, false},
        {"{\"workspaces\": [[\"ws1\"]]}", true, false, false},
        {"{\"workspaces\": {\"ws1\": true}}", true, false, false},
        {"{\"workspaces\": {}}", true, false, false},
        {"{\"workspaces\": true}", true, false, false},
        {"{\"visibility\": \"subscribed\"}", true, false, false},
        {"{\"visibility\": \"everyone\"}", true, false, false},
        {"{\"visibility\": [\"all\"]}", true, false, false},
    };

    (void)state;
    for (size_t i = 0; i < N(specs); i++) {
        struct gw_arena *a = gw_arena_new();
        json_t *spec = json_loads(specs[i].spec, 0, NULL);
        struct gw_ext_audience audience;

        gw_ext_audience_read(&audience, spec, a);
        json_decref(spec);
        assert_int_equal(audience.restricted, specs[i].restricted);
        assert_int_equal(gw_ext_audience_has(&audience, world, GW_STR("x"), GW_STR("ws1")),
                         specs[i].ws1);
        assert_int_equal(gw_ext_audience_has(&audience, world, GW_STR("x"), GW_STR("ws2")),
                         specs[i].ws2);
        gw_arena_free(a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_viewers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stored, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
