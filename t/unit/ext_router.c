/* ext_router.c - extensions: what a spec may say, where a request goes, what it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/upstream.h"
#include "modules/ext_index.h"
#include "modules/ext_permissions.h"
#include "t/lib/objects.h"

extern const struct gw_module gw_mod_ext_router;

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* ---- objects ---- */

static const struct {
    const char *spec, *error, *warning; /* NULL: none */
} specs[] = {
    {"{}", NULL, NULL},
    {"{endpoints: [{url: 'http://10.0.0.7:8080', weight: 3, version: v1}]}", NULL, NULL},
    {"{endpoints: [{url: 'unix:/run/x.sock'}]}", NULL, NULL},
    {"{service: {namespace: extension-devops, name: devops-api, port: 9090, scheme: http}}", NULL,
     NULL},
    {"{service: {namespace: a, name: '0b', port: 1}, endpoints: [{url: 'http://a'}]}", NULL, NULL},
    {"{service: {name: b, port: 80}}", "spec.service.namespace: is required", NULL},
    {"{service: {namespace: a, port: 80}}", "spec.service.name: is required", NULL},
    {"{service: {namespace: a, name: b}}", "spec.service.port: is required", NULL},
    {"{service: {namespace: a, name: b, port: 99999}}", "above the maximum", NULL},
    {"{service: {namespace: a, name: b, port: http}}", "spec.service.port", NULL},
    {"{service: {namespace: a, name: b.c, port: 80}}",
     "spec.service.name: \"b.c\" is not the name of a Kubernetes Service", NULL},
    {"{service: {namespace: A, name: b, port: 80}}",
     "spec.service.namespace: \"A\" is not the namespace of a Kubernetes Service", NULL},
    {"{service: {namespace: a, name: -b, port: 80}}", "spec.service.name", NULL},
    {"{service: {namespace: a, name: '', port: 80}}", "spec.service.name", NULL},
    {"{service: {namespace: a, name: b, port: 443, scheme: https}}",
     "spec.service.scheme: TLS to backends is not there yet", NULL},
    {"{service: {namespace: a, name: b, port: 80, path: /x}}", "unknown setting \"path\"", NULL},
    {"{enabled: false, access: public, identity: none}", NULL, NULL},
    {"{path: {stripPrefix: false, prepend: /base}, timeouts: {connect: 1s, firstByte: 2s, idle: "
     "3s, "
     "tunnelIdle: 1h}, retry: {attempts: 0}, limits: {connections: 8}}",
     NULL, NULL},
    {"{permissions: [{path: '/w/{workspace}/p/{name}', group: g, resource: p}]}", NULL, NULL},
    {"{directives: {}, workspaces: []}", NULL, NULL}, /* says nothing */
    {"{loadBalancer: {policy: hash, hash: {header: X-User}, slowStart: 5s}}", NULL, NULL},
    {"{loadBalancer: {policy: hash, hash: {cookie: session}}}", NULL, NULL},
    {"{loadBalancer: {policy: hash, hash: {ip: true}}}", NULL, NULL},
    {"{loadBalancer: {policy: hash}}", "needs one of header, cookie and ip", NULL},
    {"{loadBalancer: {policy: hash, hash: {ip: true, cookie: a}}}",
     "needs one of header, cookie and ip", NULL},
    {"{loadBalancer: {policy: hash, hash: {header: 'a b'}}}", "is not the name of a header", NULL},
    {"{loadBalancer: {policy: hash, hash: {cookie: 'a;b'}}}", "is not the name of a cookie", NULL},
    {"{loadBalancer: {hash: {ip: true}}}", NULL, "hash has no effect"},
    /* later fields: their shape is checked, and they are warned about */
    {"{healthCheck: {path: /h, interval: 5s, timeout: 1s, healthy: 2, unhealthy: 3}}", NULL, NULL},
    {"{healthCheck: {type: tcp, path: /h}}", NULL, "spec.healthCheck.path has no effect"},
    {"{healthCheck: {path: h}}", "spec.healthCheck.path: expected a path", NULL},
    {"{outlier: {consecutiveErrors: 5, ejectFor: 10s, maxEjected: 50%}}", NULL, NULL},
    {"{outlier: {consecutiveErrors: 0}}", NULL, NULL},
    {"{outlier: {maxEjected: 101%}}", "spec.outlier.maxEjected", NULL},
    {"{limits: {connections: 256, pending: 128, requests: {rate: 100/s, burst: 200, per: user}}}",
     NULL, "spec.limits.requests is not in effect"},
    {"{retry: {attempts: 1, budget: 20%}}", NULL, NULL},
    {"{retry: {budget: 20 of them}}", "spec.retry.budget", NULL},
    {"{workspaces: [ws1]}", NULL, NULL},
    {"{workspaces: [a/b]}", "spec.workspaces[0]: \"a/b\" is not the name of a workspace", NULL},
    {"{visibility: subscribed, workspaces: [ws1, ws2]}", NULL, NULL},
    {"{visibility: subscribed, access: public}", NULL, "public does not open it to strangers"},
    {"{visibility: subscribe}", "did you mean \"subscribed\"?", NULL},
    {"{directives: {method: GET}}", NULL, "spec.directives is not in effect"},
    {"{tls: {caBundle: x, insecureSkipVerify: false, serverName: y}}", NULL,
     "spec.tls is not in effect"},
    {"{identity: assertion}", NULL, NULL},
    {"{identity: assertions}", "did you mean \"assertion\"?", NULL},
    {"{loadBalancer: {policy: p2d}}", "did you mean \"p2c\"?", NULL},
    {"{healthCheck: {interval: 5}}", "5 has no unit", NULL},
    {"{limits: {requests: {rate: 100}}}", "expected a rate such as 100/s", NULL},
    {"{limits: {requests: {rate: 0/s}}}", "expected a rate such as 100/s", NULL},
    {"{limits: {requests: {burst: 1}}}", "spec.limits.requests.rate: is required", NULL},
    {"{directives: [a]}", "spec.directives: expected a mapping", NULL},
    /* versions */
    {"{versions: []}", NULL, NULL},
    {"{versions: [{name: v2, weight: 10, match: {header: {X-Canary: '1'}}}]}", NULL, NULL},
    {"{versions: [{name: v2, match: [{user: alice, cookie: {canary: ['1', 'yes']}}, {workspace: "
     "[a, b]}, {group: testers}], fallback: none}, {name: v1.2.3+7, weight: 100}]}",
     NULL, NULL},
    {"{versions: [{name: a, weight: 60}, {name: b, weight: 40}, {name: c}]}", NULL, NULL},
    {"{versions: {name: v2}}", "spec.versions: expected a list", NULL},
    {"{versions: [{weight: 10}]}", "spec.versions[0].name: is required", NULL},
    {"{versions: [{name: ''}]}", "spec.versions[0].name: can't be empty", NULL},
    {"{versions: [{name: 'v 2'}]}", "spec.versions[0].name: \"v 2\" is not the name of a version",
     NULL},
    {"{versions: [{name: a}, {name: b}, {name: a}]}",
     "spec.versions[2].name: \"a\" has a row already: spec.versions[0]", NULL},
    {"{versions: [{name: a, weight: 101}]}", "above the maximum", NULL},
    {"{versions: [{name: a, weight: -1}]}", "below the minimum", NULL},
    {"{versions: [{name: a, weight: 10%}]}", "spec.versions[0].weight", NULL},
    {"{versions: [{name: a, weight: 60}, {name: b, weight: 41}, {name: c}]}",
     "spec.versions[1].weight: with it the weights are 101, and they are percent", NULL},
    {"{versions: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, "
     "{name: h}, {name: i}, {name: j}, {name: k}, {name: l}, {name: m}, {name: n}, {name: o}, "
     "{name: p}, {name: q}]}",
     "spec.versions: has 17 rows; at most 16", NULL},
    {"{versions: [{name: a, match: {}}]}", "spec.versions[0].match: says nothing", NULL},
    {"{versions: [{name: a, match: []}]}", "spec.versions[0].match: an empty list", NULL},
    {"{versions: [{name: a, match: [{user: b}, {}]}]}", "spec.versions[0].match[1]: says nothing",
     NULL},
    {"{versions: [{name: a, match: {user: []}}]}", "spec.versions[0].match.user: an empty list",
     NULL},
    {"{versions: [{name: a, match: {users: [b]}}]}", "did you mean \"user\"?", NULL},
    {"{versions: [{name: a, match: {user: {b: c}}}]}", "spec.versions[0].match.user", NULL},
    {"{versions: [{name: a, match: {header: X-Canary}}]}",
     "spec.versions[0].match.header: expected a mapping of names to values", NULL},
    {"{versions: [{name: a, match: {header: {}}}]}", "spec.versions[0].match.header: names none",
     NULL},
    {"{versions: [{name: a, match: {header: {X-Canary: 1}}}]}",
     "spec.versions[0].match.header.X-Canary", NULL},
    {"{versions: [{name: a, match: {header: {X-Canary: []}}}]}",
     "spec.versions[0].match.header.X-Canary: an empty list", NULL},
    {"{versions: [{name: a, match: {header: {'X Canary': '1'}}}]}", "is not the name of a header",
     NULL},
    {"{versions: [{name: a, match: {cookie: {'a;b': '1'}}}]}", "is not the name of a cookie", NULL},
    {"{versions: [{name: a, match: {header: {X-Remote-User: alice}}}]}",
     "\"X-Remote-User\" is the gateway's own", NULL},
    {"{versions: [{name: a, match: {header: {x_remote_group: testers}}}]}", "is the gateway's own",
     NULL},
    {"{versions: [{name: a, match: {header: {Cookie: 'canary=1'}}}]}", "use cookie", NULL},
    {"{versions: [{name: a, match: {header: {authorization: 'Bearer x'}}}]}", "is a secret", NULL},
    {"{versions: [{name: a, fallback: stable}]}", "spec.versions[0].fallback", NULL},
    /* mistakes */
    {"[]", "expected a mapping", NULL},
    {"{enable: true}", "did you mean \"enabled\"?", NULL},
    {"{access: publik}", "did you mean \"public\"?", NULL},
    {"{endpoints: [{weight: 1}]}", "spec.endpoints[0].url: is required", NULL},
    {"{endpoints: [{url: 'http://a', weight: -1}]}", "below the minimum", NULL},
    {"{endpoints: [{url: 'https://a'}]}", "TLS to backends is not there yet", NULL},
    {"{endpoints: [{url: 'http://a/base'}]}", "has a path", NULL},
    {"{endpoints: [{url: 'ftp://a'}]}", "spec.endpoints[0].url", NULL},
    {"{endpoints: [{url: 'http://u:p@a'}]}", "spec.endpoints[0].url", NULL},
    {"{path: {prepend: base}}", "must begin with a slash", NULL},
    {"{path: {prepend: /base/}}", "must begin with a slash, and not end with one", NULL},
    {"{path: {prepend: '/a?b'}}", "spec.path.prepend", NULL},
    {"{path: {prepend: '/a/../b'}}", "spec.path.prepend", NULL},
    {"{permissions: [{path: p, group: g, resource: r}]}", "must begin with a slash", NULL},
    {"{permissions: [{path: /p/, group: g, resource: r}]}", "must begin with a slash", NULL},
    {"{permissions: [{path: '/p//q', group: g, resource: r}]}", "empty segment", NULL},
    {"{permissions: [{path: '/{project}/q', group: g, resource: r}]}", "a placeholder other than",
     NULL},
    {"{permissions: [{path: '/{name}', group: g, resource: r}]}", "needs more than a {name}", NULL},
    {"{permissions: [{path: '/{workspace}/{workspace}', group: g, resource: r}]}", "twice", NULL},
    {"{permissions: [{path: /p, resource: r}]}", "spec.permissions[0].group: is required", NULL},
};

static bool
has_finding(enum gw_severity severity, const char *text)
{
    for (size_t i = 0; i < diag.n; i++) {
        if (diag.findings[i].severity == severity && strstr(diag.findings[i].text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static void
compile(const char *kind, const char *spec, const char *error, const char *warning)
{
    const struct gw_kind *k = gw_kind_find(GW_STR("ksgate.io"), gw_str_of(kind));
    struct gw_buf text = {0};
    struct gw_yaml y = {0};

    gw_diag_fini(&diag);
    gw_buf_printf(&text, "{metadata: {name: x}, spec: %s}", spec);
    assert_true(gw_yaml_read(&y, "t.yaml", gw_buf_text(&text), &diag));
    struct gw_piece *p = gw_ext_spec_compile(k, y.docs[0], &y, &diag);
    bool used = p != NULL && (strcmp(kind, "Endpoint") == 0 ||
                              !((const struct gw_ext_service *)p)->spec->broken);
    if (used != (error == NULL) || (diag.errors > 0) != (error != NULL) ||
        (error != NULL && !has_finding(GW_ERROR, error)) ||
        (error == NULL && warning == NULL && diag.n > 0) ||
        (warning != NULL && !has_finding(GW_WARNING, warning))) {
        fail_msg("%s: %s", spec, diag.n == 0 ? "was taken" : diag.findings[0].text);
    }
    for (size_t i = 0; i < diag.n; i++) {
        assert_int_equal(diag.findings[i].place.line, 1);
    }
    gw_piece_unref(p);
    gw_buf_fini(&text);
    gw_yaml_fini(&y);
}

static void
test_specs(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(specs); i++) {
        compile("ExtensionService", specs[i].spec, specs[i].error, specs[i].warning);
    }
    compile("Endpoint", "{extension: devops, url: 'http://10.0.0.7:80'}", NULL, NULL);
    compile("Endpoint", "{url: 'http://10.0.0.7:80'}", "spec.extension: is required", NULL);
    compile("Endpoint", "{extension: devops}", "spec.url: is required", NULL);
    compile("Endpoint", "{extension: devops, url: 'https://a'}", "TLS to backends", NULL);
    compile("Endpoint", "{extension: devops, url: 'http://a', leaseSeconds: 0}",
            "below the minimum", NULL);
    compile("Endpoint", "{extension: devops, url: 'http://a', drain: true}", "unknown setting",
            NULL);
    gw_diag_fini(&diag);
}

/* ---- requests ---- */

static struct gw_req *
request_of(struct gw_world *w, const char *method, const char *target)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_head *head = gw_arena_alloc(a, sizeof(*head));

    req->arena = a;
    req->world = w;
    head->method = gw_arena_str(a, gw_str_of(method));
    head->target = gw_arena_str(a, gw_str_of(target));
    req->head = head;
    assert_int_equal(gw_target_split(head->method, head->target, &req->target), GW_ERR_OK);
    return req;
}

static enum gw_verdict
find(struct gw_req *req)
{
    return gw_mod_ext_router.on[GW_FIND](req, NULL);
}

static const struct {
    const char *method, *path;
    const char *expected; /* verb resource/subresource name workspace namespace cluster scope */
} permissions[] = {
    {"GET", "/workspaces/w/pipelines", "list pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/", "list pipelines/ - w - - Workspace"},
    {"HEAD", "/workspaces/w/pipelines", "list pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines?watch=true", "watch pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines?watch", "watch pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines?watch=false", "list pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines?watch=0", "list pipelines/ - w - - Workspace"},
    {"POST", "/workspaces/w/pipelines", "create pipelines/ - w - - Workspace"},
    {"DELETE", "/workspaces/w/pipelines", "deletecollection pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/p", "get pipelines/ p w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/p?watch=true", "get pipelines/ p w - - Workspace"},
    {"PUT", "/workspaces/w/pipelines/p", "update pipelines/ p w - - Workspace"},
    {"PATCH", "/workspaces/w/pipelines/p", "patch pipelines/ p w - - Workspace"},
    {"DELETE", "/workspaces/w/pipelines/p", "delete pipelines/ p w - - Workspace"},
    {"OPTIONS", "/workspaces/w/pipelines/p", " pipelines/ p w - - Workspace"},
    {"get", "/workspaces/w/pipelines/p", " pipelines/ p w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/p/runs", "get pipelines/runs p w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/p/runs/7/log", "get pipelines/runs p w - - Workspace"},
    {"GET", "/workspaces/a%20b/pipelines/%C3%A9", "get pipelines/ \xc3\xa9 a b - - Workspace"},
    /* the longest row wins, whatever the order */
    {"GET", "/workspaces/w/pipelines/shared/s", "get shared/ s w - - Workspace"},
    {"GET", "/workspaces/w/pipelines/shares/s", "get pipelines/s shares w - - Workspace"},
    {"GET", "/workspaces/w", "get workspaces/ w - - - Cluster"},
    {"GET", "/workspaces", "list workspaces/ - - - - Cluster"},
    {"GET", "/namespaces/n/jobs/j", "get jobs/ j - n - Namespace"},
    {"GET", "/c/east/w/ws/ns/n/things", "list things/ - ws n east Namespace"},
    {"GET", "/nodes/n1/log/tail", "get nodes/log n1 - - - Cluster"},
    /* as the most lenient of servers would read them */
    {"GET", "/Workspaces/W/PIPELINES", "list pipelines/ - W - - Workspace"},
    {"GET", "/workspaces;a=b/w/pipelines;c", "list pipelines/ - w - - Workspace"},
    {"GET", "/workspaces/w;x/pipelines", "list pipelines/ - w;x - - Workspace"},
    {"GET", "/;/workspaces/;a=b/w/pipelines", "list pipelines/ - w - - Workspace"},
    {"GET", "/workspaces%20/w/%2570ipelines./x", "get pipelines/ x w - - Workspace"},
    /* no row */
    {"GET", "/", NULL},
    {"GET", "/other", NULL},
    {"GET", "/Workspace/w/pipelines", NULL},
    {"GET", "/nodes/n1", NULL},
};

static void
show(struct gw_buf *b, struct gw_str s, const char *after)
{
    gw_buf_printf(b, "%.*s%s", GW_STR_ARG(s.n == 0 ? GW_STR("-") : s), after);
}

static void
test_permissions(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply(w, "ExtensionService", "devops",
          "{permissions: ["
          "{path: '/workspaces/{name}', group: t, resource: workspaces},"
          "{path: '/workspaces/{workspace}/pipelines/{name}', group: g, resource: pipelines},"
          "{path: '/workspaces/{workspace}/pipelines/shared/{name}', group: g, resource: shared},"
          "{path: '/namespaces/{namespace}/jobs', group: g, resource: jobs},"
          "{path: '/c/{cluster}/w/{workspace}/ns/{namespace}/things', group: g, resource: things},"
          "{path: '/nodes/{name}/log', group: g, resource: nodes}]}");
    for (size_t i = 0; i < N(permissions); i++) {
        char target[256];
        struct gw_buf got = {0};

        (void)snprintf(target, sizeof(target), "/extensions/devops%s", permissions[i].path);
        struct gw_req *req = request_of(w, permissions[i].method, target);
        req->info.verb = req->head->method;
        assert_int_equal(find(req), GW_NEXT);
        struct gw_request_info *info = &req->info;
        gw_buf_str(&got, info->verb);
        gw_buf_printf(&got, " %.*s/%.*s ", GW_STR_ARG(info->resource),
                      GW_STR_ARG(info->subresource));
        show(&got, info->name, " ");
        show(&got, info->workspace, " ");
        show(&got, info->ns, " ");
        show(&got, info->cluster, " ");
        show(&got, info->scope, "");
        if (info->is_resource != (permissions[i].expected != NULL) ||
            (info->is_resource && strcmp(got.p, permissions[i].expected) != 0)) {
            fail_msg("%s %s: %s", permissions[i].method, permissions[i].path,
                     info->is_resource ? got.p : "no resource");
        }
        gw_buf_fini(&got);
        gw_arena_free(req->arena);
    }
    gw_world_free(w);
}

static const struct {
    const char *name, *method, *target, *sent; /* sent NULL: as received */
} targets[] = {
    {"strip", "GET", "/extensions/strip/", "/"},
    {"strip", "GET", "/extensions/strip/a/b%2e?x=%20&y", "/a/b%2e?x=%20&y"},
    {"strip", "GET", "/extensions/strip/?", "/?"},
    {"strip", "GET", "/extensions/str%69p/a", "/a"},
    {"strip", "POST", "/extensions/strip", "/"},
    {"strip", "POST", "/extensions/strip?q=1", "/?q=1"},
    {"strip", "GET", "/extensions/strip/a/", "/a/"},
    {"prepend", "GET", "/extensions/prepend/a?q", "/base/a?q"},
    {"prepend", "POST", "/extensions/prepend", "/base/"},
    {"keep", "GET", "/extensions/keep/a?q", NULL},
    {"keep", "POST", "/extensions/keep", NULL},
    {"both", "GET", "/extensions/both/a?q", "/base/extensions/both/a?q"},
};

static void
test_targets(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply(w, "ExtensionService", "strip", "{}");
    apply(w, "ExtensionService", "prepend", "{path: {prepend: /base}}");
    apply(w, "ExtensionService", "keep", "{path: {stripPrefix: false}}");
    apply(w, "ExtensionService", "both", "{path: {stripPrefix: false, prepend: /base}}");
    for (size_t i = 0; i < N(targets); i++) {
        struct gw_req *req = request_of(w, targets[i].method, targets[i].target);
        bool strips =
            strcmp(targets[i].name, "strip") == 0 || strcmp(targets[i].name, "prepend") == 0;

        assert_int_equal(find(req), GW_NEXT);
        if (!gw_str_eq(req->to.target, gw_str_of(targets[i].sent))) {
            fail_msg("%s: %.*s", targets[i].target, GW_STR_ARG(req->to.target));
        }
        assert_true(gw_str_eq(req->decision.extension, gw_str_of(targets[i].name)));
        assert_int_equal(req->to.map_back, strips);
        assert_int_equal(req->to.forwarded_prefix.n,
                         strips ? strlen("/extensions/") + strlen(targets[i].name) : 0);
        gw_arena_free(req->arena);
    }
    gw_world_free(w);
}

static void
expect_fail(struct gw_world *w, const char *target, enum gw_err err)
{
    struct gw_req *req = request_of(w, "GET", target);
    enum gw_verdict v = find(req);

    if (v == GW_NEXT) {
        v = gw_mod_ext_router.on[GW_REWRITE](req, NULL);
    }
    if (v != GW_FAIL || req->err != err) {
        fail_msg("%s: %s, not %s", target, gw_err_name(req->err), gw_err_name(err));
    }
    gw_arena_free(req->arena);
}

static void
test_refusals(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply(w, "ExtensionService", "off",
          "{enabled: false, endpoints: [{url: 'http://127.0.0.1:1'}]}");
    apply(w, "ExtensionService", "alone", "{}");
    apply(w, "ExtensionService", "idle", "{endpoints: [{url: 'http://127.0.0.1:1', weight: 0}]}");
    apply(w, "Endpoint", "early.1", "{extension: early, url: 'http://127.0.0.1:1'}");
    expect_fail(w, "/extensions", GW_ERR_NO_EXTENSION);
    expect_fail(w, "/extensions/", GW_ERR_NO_EXTENSION);
    expect_fail(w, "/extensions/none/", GW_ERR_NO_EXTENSION);
    expect_fail(w, "/extensions/alon/", GW_ERR_NO_EXTENSION);
    expect_fail(w, "/extensions/ALONE/", GW_ERR_NO_EXTENSION);
    expect_fail(w, "/extensions/early/", GW_ERR_NO_EXTENSION); /* not without its service */
    expect_fail(w, "/extensions/off/x", GW_ERR_EXTENSION_DISABLED);
    expect_fail(w, "/extensions/off", GW_ERR_EXTENSION_DISABLED);
    expect_fail(w, "/extensions/alone/x", GW_ERR_NO_ENDPOINT);
    expect_fail(w, "/extensions/idle/x", GW_ERR_NO_ENDPOINT);

    struct gw_req *req = request_of(w, "GET", "/extensions/alone?a=b");
    assert_int_equal(find(req), GW_REPLY);
    assert_int_equal(req->reply.status, 308);
    assert_int_equal(req->down.n_add, 1);
    assert_true(gw_str_eq(req->down.add[0].value, GW_STR("/extensions/alone/?a=b")));
    gw_arena_free(req->arena);
    gw_world_free(w);
}

/* "URL:weight URL:weight" of what a request would get. */
static void
expect_endpoints(struct gw_world *w, const char *expected)
{
    struct gw_req *req = request_of(w, "GET", "/extensions/x/");
    struct gw_buf got = {0};

    gw_buf_puts(&got, "");
    if (find(req) == GW_NEXT) {
        for (unsigned i = 0; i < req->to.n_endpoints; i++) {
            struct gw_str url = gw_endpoint_url(req->to.endpoints[i]);

            gw_buf_printf(&got, "%s%c:%u", i > 0 ? " " : "", url.p[url.n - 1],
                          req->to.weights == NULL ? 1 : req->to.weights[i]);
        }
    } else {
        gw_buf_puts(&got, gw_err_name(req->err));
    }
    assert_string_equal(got.p, expected);
    gw_buf_fini(&got);
    gw_arena_free(req->arena);
}

static void
test_endpoints_come_and_go(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply(w, "Endpoint", "x.a", "{extension: x, url: 'http://127.0.0.1:3'}");
    expect_endpoints(w, "no_extension");
    apply(w, "ExtensionService", "x",
          "{endpoints: [{url: 'http://127.0.0.1:1'}, {url: 'http://127.0.0.1:2', weight: 5}]}");
    expect_endpoints(w, "1:1 2:5 3:1");
    apply(w, "Endpoint", "x.b", "{extension: x, url: 'http://127.0.0.1:4', weight: 7}");
    expect_endpoints(w, "1:1 2:5 4:7 3:1");
    apply(w, "Endpoint", "x.b", "{extension: x, url: 'http://127.0.0.1:4', draining: true}");
    expect_endpoints(w, "1:1 2:5 3:1");
    apply(w, "Endpoint", "x.b", "{extension: x, url: 'http://127.0.0.1:1'}"); /* there already */
    expect_endpoints(w, "1:1 2:5 3:1");
    apply(w, "ExtensionService", "x", "{}");
    expect_endpoints(w, "1:1 3:1");
    apply(w, "Endpoint", "x.a", "{extension: other, url: 'http://127.0.0.1:3'}"); /* it moves */
    expect_endpoints(w, "1:1");
    apply(w, "Endpoint", "x.b", NULL);
    apply(w, "Endpoint", "x.b", NULL); /* again: nothing */
    expect_endpoints(w, "");
    apply(w, "ExtensionService", "x", NULL);
    expect_endpoints(w, "no_extension");
    gw_world_free(w);
}

/* A request keeps what it found, although all of it goes meanwhile. */
static void
test_a_request_keeps_its_route(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply(w, "ExtensionService", "x", "{endpoints: [{url: 'http://127.0.0.1:1'}]}");
    struct gw_req *req = request_of(w, "GET", "/extensions/x/y");
    assert_int_equal(find(req), GW_NEXT);
    struct gw_endpoint *e = req->to.endpoints[0];
    apply(w, "ExtensionService", "x",
          "{endpoints: [{url: 'http://127.0.0.1:1'}, {url: 'http://127.0.0.1:2'}]}");
    struct gw_req *next = request_of(w, "GET", "/extensions/x/y");
    assert_int_equal(find(next), GW_NEXT);
    assert_ptr_equal(next->to.endpoints[0], e); /* the same, with its connections */
    apply(w, "ExtensionService", "x", NULL);
    assert_int_equal(req->to.n_endpoints, 1);
    assert_true(gw_str_eq(gw_endpoint_url(req->to.endpoints[0]), GW_STR("http://127.0.0.1:1")));
    assert_true(gw_str_eq(req->decision.extension, GW_STR("x")));
    assert_true(gw_str_eq(req->to.forwarded_prefix, GW_STR("/extensions/x")));
    gw_arena_free(req->arena);
    gw_arena_free(next->arena);
    gw_world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_endpoints_come_and_go),
        cmocka_unit_test(test_a_request_keeps_its_route),
    };
    int failed = cmocka_run_group_tests_name("ext_router", tests, NULL, NULL);

    gw_diag_fini(&diag);
    gw_arena_trim();
    return failed;
}
