/* explain_json.c - what gw_explain_run() found out, as JSON. */
#include "base/clock.h"
#include "gateway/explain.h"
#include "gateway/targets.h"
#include "gateway/upstream.h"

static json_t *
text(struct gw_str s)
{
    json_t *v = json_stringn(s.p == NULL ? "" : s.p, s.n);

    return v != NULL ? v : json_string("(not UTF-8)");
}

static void
put(json_t *o, const char *name, struct gw_str value)
{
    json_object_set_new(o, name, text(value));
}

/* The path's last n segments. */
static json_t *
parts_of(const struct gw_request_info *info)
{
    json_t *list = json_array();
    struct gw_str rest = info->path;

    while (rest.n > 0 && rest.p[rest.n - 1] == '/') {
        rest.n--;
    }
    for (unsigned i = 0; i < info->n_parts; i++) {
        size_t at = rest.n;

        while (at > 0 && rest.p[at - 1] != '/') {
            at--;
        }
        json_array_insert_new(list, 0, text(gw_str_skip(rest, at)));
        rest.n = at == 0 ? 0 : at - 1;
    }
    return list;
}

/* ---- where it comes from ------------------------------------------------------------------ */

static struct gw_str
header_of(const struct gw_req *req, struct gw_str name)
{
    const struct gw_header *h = gw_headers_find(&req->head->headers, name);

    return h == NULL ? GW_STR_NONE : h->value;
}

static struct gw_str
as_v4(struct gw_str ip)
{
    return gw_str_eq(ip, GW_STR("::1")) ? GW_STR("127.0.0.1") : ip;
}

/* As KubeSphere takes it from a proxy that it trusts (kubesphere.md, section 3). */
static struct gw_str
source_ip(const struct gw_req *req)
{
    static const struct gw_str names[] = {
        {"x-client-ip", 11}, {"x-real-ip", 9}, {"x-forwarded-for", 15}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct gw_str v = header_of(req, names[i]);

        if (v.n > 0) {
            return as_v4(v);
        }
    }
    return as_v4(req->client_ip);
}

/* ---- the members of the answer ------------------------------------------------------------ */

/* Nothing is known of a request that was refused before it meant anything. */
static bool
is_meaningless(const struct gw_req *req)
{
    return req->err == GW_ERR_BAD_TARGET || req->err == GW_ERR_BAD_PATH;
}

static struct gw_str
message_of(const struct gw_req *req)
{
    struct gw_str detail = gw_str_of(req->detail);
    struct gw_str words = gw_str_of(gw_err_text(req->err));

    if (detail.n == 0) {
        return words;
    }
    if (req->err == GW_ERR_FORBIDDEN || req->err == GW_ERR_NO_TOKEN) {
        return detail; /* Kubernetes' own words */
    }
    return gw_str_of(
        gw_arena_printf(req->arena, "%.*s: %.*s", GW_STR_ARG(words), GW_STR_ARG(detail)));
}

static json_t *
info_json(const struct gw_req *req, const struct gw_question *q)
{
    const struct gw_request_info *i = &req->info;
    json_t *o = json_object();

    if (is_meaningless(req)) {
        put(o, "error", req->detail == NULL ? message_of(req) : gw_str_of(req->detail));
        json_object_set_new(o, "status", json_integer(gw_err_status(req->err)));
        return o;
    }
    put(o, "apiGroup", i->api_group);
    put(o, "apiPrefix", i->api_prefix);
    put(o, "apiVersion", i->api_version);
    put(o, "cluster", i->cluster);
    json_object_set_new(o, "isKubernetesRequest", json_boolean(i->is_kubernetes));
    json_object_set_new(o, "isResourceRequest", json_boolean(i->is_resource));
    put(o, "name", i->name);
    put(o, "namespace", i->ns);
    if (i->n_parts > 0) {
        json_object_set_new(o, "parts", parts_of(i));
    }
    put(o, "path", i->path);
    put(o, "resource", i->resource);
    put(o, "resourceScope", i->scope);
    if (q->remote_addr.n > 0) {
        put(o, "sourceIP", source_ip(req));
    }
    put(o, "subresource", i->subresource);
    put(o, "verb", i->verb);
    put(o, "workspace", i->workspace);
    return o;
}

/* Which rule allowed it: of which role, given by which binding. */
static json_t *
rule_json(const struct gw_decision *d)
{
    json_t *o;

    if (d->role.n == 0) {
        return json_null();
    }
    o = json_object();
    put(o, "kind", d->role_kind);
    put(o, "name", d->role);
    put(o, "bindingKind", d->binding_kind);
    put(o, "binding", d->binding);
    if (d->role_template.n > 0) {
        put(o, "template", d->role_template);
    }
    if (d->rule >= 0) {
        json_object_set_new(o, "index", json_integer(d->rule));
    } else {
        json_object_set_new(o, "policy", json_true());
    }
    return o;
}

static json_t *
subject_json(const struct gw_req *req)
{
    json_t *o = json_object();
    json_t *groups = json_array();

    put(o, "name", req->subject.name);
    for (unsigned i = 0; i < req->subject.n_groups; i++) {
        json_array_append_new(groups, text(req->subject.groups[i]));
    }
    json_object_set_new(o, "groups", groups);
    if (req->decision.authentication != NULL) {
        json_object_set_new(o, "by", json_string(req->decision.authentication));
    }
    if (req->decision.credential != NULL) {
        json_object_set_new(o, "credential", json_string(req->decision.credential));
    }
    return o;
}

static void
add_since(json_t *o, uint64_t wall_ms)
{
    struct gw_buf since = {0};

    gw_clock_rfc3339(&since, wall_ms);
    put(o, "since", gw_buf_text(&since));
    gw_buf_fini(&since);
}

/* unhealthy: those that get nothing as long as there are others. */
static void
add_endpoint(json_t *list, json_t *unhealthy, struct gw_str url)
{
    struct gw_health_status status;

    if (url.n == 0) {
        return;
    }
    json_array_append_new(list, text(url));
    if (gw_targets_status(url, &status) && !status.healthy) {
        json_t *o = json_object();

        put(o, "endpoint", url);
        put(o, "reason", gw_str_of(status.reason));
        add_since(o, status.since_ms);
        json_array_append_new(unhealthy, o);
    }
}

/* Requests to it have failed, as the worker that answers knows. */
static void
add_left_alone(json_t *unhealthy, const struct gw_req *req, const struct gw_endpoint *e)
{
    const char *state = "";
    const char *why = e == NULL ? NULL : gw_outlier_why(e, req->arena, &state);

    if (why == NULL) {
        return;
    }
    uint64_t s = (gw_outlier_wait_ms(e) + 999) / 1000;
    json_t *o = json_object();
    put(o, "endpoint", gw_endpoint_url(e));
    put(o, "state", gw_str_of(state));
    put(o, "reason",
        gw_str_of(gw_arena_printf(req->arena, "%s for %llu s more, in this worker: %s", state,
                                  (unsigned long long)s, why)));
    json_array_append_new(unhealthy, o);
}

static bool
is_served(const struct gw_req *req)
{
    const struct gw_conf *c = req->snapshot;

    return req->target.path.n == 0 || c->settings.core.console != NULL ||
           gw_conf_route(c, req->host, req->target.path)->route != GW_ROUTE_CONSOLE;
}

/* Where it would go. */
static void
add_route(json_t *answer, const struct gw_req *req)
{
    const struct gw_conf *c = req->snapshot;
    json_t *list = json_array();
    json_t *unhealthy = json_array();
    bool served = is_served(req);

    put(answer, "route", gw_str_of(gw_route_name(served ? req->decision.route : GW_N_ROUTES)));
    if (req->decision.extension.n > 0) {
        put(answer, "extension", req->decision.extension);
    }
    if (req->decision.version_by != NULL) {
        json_t *version = json_object();

        put(version, "name", req->decision.version);
        put(version, "by", gw_str_of(req->decision.version_by));
        put(version, "why", req->decision.version_why);
        json_object_set_new(answer, "version", version);
    }
    for (unsigned i = 0; i < req->to.n_endpoints; i++) {
        add_endpoint(list, unhealthy, gw_endpoint_url(req->to.endpoints[i]));
        add_left_alone(unhealthy, req, req->to.endpoints[i]);
    }
    if (served && !is_meaningless(req) && req->plan->route == GW_ROUTE_CORE) {
        add_endpoint(list, unhealthy, gw_str_of(c->settings.core.url));
        add_left_alone(unhealthy, req, gw_world_core(req->world));
    } else if (served && !is_meaningless(req) && req->plan->route == GW_ROUTE_CONSOLE) {
        add_endpoint(list, unhealthy, gw_str_of(c->settings.core.console));
        add_left_alone(unhealthy, req, gw_world_console(req->world));
    }
    json_object_set_new(answer, "endpoints", list);
    if (json_array_size(unhealthy) > 0) {
        json_object_set(answer, "unhealthy", unhealthy);
    }
    json_decref(unhealthy);
}

/* What the client would be told, when it is not passed on. */
static void
add_outcome(json_t *answer, const struct gw_req *req)
{
    if (req->err != GW_ERR_OK) {
        json_object_set_new(answer, "status", json_integer(gw_err_status(req->err)));
        put(answer, "message", message_of(req));
    } else if (req->target.path.n > 0 && !is_served(req)) {
        json_object_set_new(answer, "status", json_integer(gw_err_status(GW_ERR_NO_ROUTE)));
        put(answer, "message", gw_str_of(gw_err_text(GW_ERR_NO_ROUTE)));
    }
}

json_t *
gw_explain_json(const struct gw_req *req, const struct gw_question *q)
{
    const struct gw_decision *d = &req->decision;
    bool allowed = d->allowed == GW_ALLOWED;
    json_t *answer = json_object();

    if (q->id.n > 0) {
        put(answer, "id", q->id);
    }
    json_object_set_new(answer, "requestInfo", info_json(req, q));
    json_object_set_new(answer, "decision", json_string(allowed ? "allow" : "deny"));
    /* KubeSphere gives a reason only to what is allowed; why not has a name of its own. */
    put(answer, "reason", allowed ? d->reason : GW_STR(""));
    json_object_set_new(answer, "rule", rule_json(d));
    if (!allowed && d->reason.n > 0) {
        put(answer, "nearest", d->reason);
    }
    if (d->policy != NULL) {
        json_object_set_new(answer, "policy", json_string(d->policy));
    }
    add_outcome(answer, req);
    json_object_set_new(answer, "subject", subject_json(req));
    if (q->attrs == NULL) {
        add_route(answer, req);
    }
    if (d->extension.n > 0) {
        put(answer, "identity", gw_str_of(gw_identity_words[req->identity]));
    }
    return answer;
}
