/* admin.c - which path and method below /-/ is answered by which function. */
#include "gateway/admin.h"
#include "gateway/settings.h"
#include "http/write.h"
#include "server/admin_call.h"

/* A '*' in a pattern stands for one segment. */
struct row {
    const char *method, *pattern;
    gw_admin_fn *run;
};

/* A collection and its objects, below a group and version. */
#define OBJECTS(base)                                                                      \
    {"GET", base "/*", gw_admin_list}, {"POST", base "/*", gw_admin_create},               \
        {"GET", base "/*/*", gw_admin_get_object}, {"PUT", base "/*/*", gw_admin_replace}, \
        {"PATCH", base "/*/*", gw_admin_patch},                                            \
    {                                                                                      \
        "DELETE", base "/*/*", gw_admin_delete                                             \
    }

/* The first row that fits wins.  A method that is not here is a 405 when another one is. */
static const struct row rows[] = {
    {"GET", "healthz", gw_admin_healthz},
    {"GET", "readyz", gw_admin_readyz},
    {"GET", "metrics", gw_admin_metrics},
    {"GET", "version", gw_admin_version},
    {"GET", "jwks.json", gw_admin_jwks},
    {"POST", "reload", gw_admin_reload},
    {"POST", "apply", gw_admin_apply},
    {"GET", "apis/ksgate.io/v1/explain", gw_admin_explain},
    {"POST", "apis/ksgate.io/v1/explain", gw_admin_explain},
    {"GET", "apis/ksgate.io/v1/decisions", gw_admin_decisions},
    {"GET", "apis/ksgate.io/v1/decisions/*", gw_admin_decision},
    {"GET", "apis/ksgate.io/v1/extensions", gw_admin_extensions},
    {"PUT", "apis/ksgate.io/v1/extensionservices/*/endpoints/*", gw_admin_register},
    {"DELETE", "apis/ksgate.io/v1/extensionservices/*/endpoints/*", gw_admin_leave},
    {"POST", "apis/authorization.k8s.io/v1/subjectaccessreviews", gw_admin_review},
    {"POST", "apis/authorization.k8s.io/v1/selfsubjectaccessreviews", gw_admin_review},
    {"POST", GW_REVIEW_PATH, gw_admin_review},
    {"GET", "api", gw_admin_core},
    {"GET", "api/v1", gw_admin_resources},
    {"GET", "api/v1/namespaces/*/events", gw_admin_events},
    {"GET", "apis", gw_admin_groups},
    {"GET", "openapi/v2", gw_admin_openapi_v2},
    {"GET", "openapi/v3", gw_admin_openapi},
    {"GET", "openapi/v3/api/v1", gw_admin_openapi_group},
    {"GET", "openapi/v3/apis/*/*", gw_admin_openapi_group},
    {"GET", "apis/*", gw_admin_group},
    {"GET", "apis/*/*", gw_admin_resources},
    OBJECTS("apis/*/*"),
    OBJECTS("apis/*/*/namespaces/*"),
    OBJECTS("api/v1"),
    OBJECTS("api/v1/namespaces/*"),
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static bool
fits(const struct gw_admin_call *call, const char *pattern)
{
    struct gw_str rest = gw_str_of(pattern);
    unsigned i = 0;

    for (; rest.n > 0; i++) {
        struct gw_str piece = gw_str_cut(&rest, '/');

        if (i == call->n_parts ||
            (!gw_str_eq(piece, GW_STR("*")) && !gw_str_eq(piece, call->part[i]))) {
            return false;
        }
    }
    return i == call->n_parts;
}

/* Names become JSON, which is UTF-8. */
static bool
is_utf8(struct gw_str s)
{
    json_t *text = json_stringn(s.p, s.n);

    json_decref(text);
    return text != NULL;
}

/* The decoded segments below "/-/".  False: no text, or more than any pattern has. */
static bool
split_path(struct gw_admin_call *call)
{
    struct gw_str rest = call->req->target.path;

    while (rest.n > 0 && rest.p[rest.n - 1] == '/') {
        rest.n--;
    }
    /* else the path is one of the core's that we answer (gw_conf_route()) */
    for (rest = gw_str_skip(rest, gw_str_has_prefix(rest, GW_STR("/-/")) ? 3 : 1); rest.n > 0;) {
        struct gw_str piece = gw_str_cut(&rest, '/');

        if (call->n_parts == GW_ADMIN_PARTS) {
            return false;
        }
        piece = gw_path_decode(call->req->arena, piece);
        if (piece.n == 0 || !is_utf8(piece)) {
            return false;
        }
        call->part[call->n_parts++] = piece;
    }
    return true;
}

/* HEAD is GET whose body is not sent. */
static struct gw_str
method_of(const struct gw_req *req)
{
    return gw_str_eq(req->head->method, GW_STR("HEAD")) ? GW_STR("GET") : req->head->method;
}

static enum gw_verdict
no_row(struct gw_admin_call *call)
{
    struct gw_out allow;

    gw_out_init(&allow, call->req->arena, 32);
    for (size_t i = 0; i < N_ROWS; i++) {
        if (fits(call, rows[i].pattern)) {
            gw_out_str(&allow, allow.n == 0 ? GW_STR("") : GW_STR(", "));
            gw_out_str(&allow, gw_str_of(rows[i].method));
        }
    }
    if (allow.n == 0) {
        return gw_admin_refuse(
            call, GW_ERR_NO_ROUTE,
            "the gateway's own interface has no such path; there are "
            "/-/healthz, /-/readyz, /-/metrics, /-/version, /-/jwks.json, /-/reload, /-/apply, "
            "/-/api/v1/... and /-/apis/{group}/{version}/...");
    }
    gw_edits_set(call->req, &call->req->down, GW_STR("Allow"), (struct gw_str){allow.p, allow.n});
    return gw_admin_refuse(call, GW_ERR_BAD_METHOD, "%.*s is not allowed here; allowed: %.*s",
                           GW_STR_ARG(call->req->head->method), (int)allow.n, allow.p);
}

enum gw_verdict
gw_admin_step(struct gw_req *req, const void *conf)
{
    struct gw_admin_call *call = gw_arena_alloc(req->arena, sizeof(*call));
    struct gw_str method = method_of(req);

    (void)conf;
    call->req = req;
    if (!split_path(call)) {
        call->n_parts = 0;
        return no_row(call);
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        if (gw_str_eq(method, gw_str_of(rows[i].method)) && fits(call, rows[i].pattern)) {
            return rows[i].run(call);
        }
    }
    return no_row(call);
}

struct gw_str
gw_admin_query(const struct gw_admin_call *call, const char *name)
{
    struct gw_str value = GW_STR_NONE;

    (void)gw_query_get(call->req->arena, call->req->target.query, gw_str_of(name), &value);
    return value;
}

enum gw_verdict
gw_admin_number(struct gw_admin_call *call, const char *name, uint64_t *number)
{
    struct gw_str text = gw_admin_query(call, name);

    if (text.n > 0 && !gw_str_u64(text, number)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "%s=%.*s: it takes a number", name,
                               GW_STR_ARG(text));
    }
    return GW_NEXT;
}

enum gw_verdict
gw_admin_until(struct gw_admin_call *call)
{
    struct gw_str wait = gw_admin_query(call, "wait");

    if (gw_str_eq(wait, GW_STR("live"))) {
        call->until = GW_UNTIL_LIVE;
    } else if (gw_str_eq(wait, GW_STR("fleet"))) {
        call->until = GW_UNTIL_FLEET;
    } else if (wait.n > 0) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "wait=%.*s: only live (every worker of this gateway uses the "
                               "change) and fleet (so does every other gateway that lives) are "
                               "known",
                               GW_STR_ARG(wait));
    }
    return GW_NEXT;
}

static void
on_body(struct gw_req *req, enum gw_err err, struct gw_str body, void *arg)
{
    struct gw_admin_call *call = arg;
    enum gw_verdict v = err == GW_ERR_OK ? call->then(call, body)
                                         : gw_admin_refuse(call, err, "%s%s%s", gw_err_text(err),
                                                           req->detail == NULL ? "" : ": ",
                                                           req->detail == NULL ? "" : req->detail);

    if (call->inside) { /* the step itself answers; it has not begun to wait */
        call->came = true;
        call->verdict = v;
    } else if (v != GW_WAIT) {
        gw_req_resume(req, v);
    }
}

enum gw_verdict
gw_admin_body(struct gw_admin_call *call, gw_admin_body_fn *then)
{
    call->then = then;
    call->inside = true;
    gw_body_read(call->req, on_body, call);
    call->inside = false;
    return call->came ? call->verdict : GW_WAIT;
}
