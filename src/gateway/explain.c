#include "gateway/explain.h"

#include "base/clock.h"
#include "gateway/explain_attrs.h"
#include "gateway/intake.h"
#include "gateway/relax.h"

#define ANONYMOUS GW_STR("system:anonymous")

/* ---- the dry request ---------------------------------------------------------------------- */

static void
add_header(struct gw_headers *h, struct gw_str name, struct gw_str value)
{
    enum gw_header_id id = gw_header_id(name);

    h->list[h->n++] = (struct gw_header){.name = name, .value = value, .id = (unsigned short)id};
    h->present |= id == GW_H_OTHER ? 0 : (uint64_t)1 << id;
}

/* By hand and not by the parser: a question may be about a method that no parser lets in. */
static void
make_head(struct gw_req *req, const struct gw_question *q)
{
    struct gw_head *head = gw_arena_alloc(req->arena, sizeof(*head));
    struct gw_headers *h = &head->headers;

    head->method = q->method;
    head->target = q->url;
    head->minor = 1;
    h->size = q->n_headers + 2;
    h->list = gw_arena_alloc(req->arena, h->size * sizeof(*h->list));
    if (q->host.n > 0) {
        add_header(h, GW_STR("Host"), q->host);
    }
    if (q->authorization.n > 0) {
        add_header(h, GW_STR("Authorization"), q->authorization);
    }
    for (unsigned i = 0; i < q->n_headers; i++) {
        add_header(h, q->headers[i].name, q->headers[i].value);
    }
    head->upgrade = gw_headers_has(h, GW_H_UPGRADE) &&
                    gw_headers_list_has(h, GW_H_CONNECTION, GW_STR("upgrade"));
    req->head = head;
}

/* Else the steps find out who asks, as they do for a live request. */
static bool
is_named(const struct gw_question *q)
{
    return q->authorization.n == 0 && (q->user.p != NULL || q->n_groups > 0);
}

static void
name_subject(struct gw_req *req, const struct gw_question *q)
{
    static const struct gw_str nobody[] = {{"system:unauthenticated", 22}};

    if (is_named(q)) {
        req->subject = (struct gw_subject){.name = q->user.p != NULL ? q->user : GW_STR(""),
                                           .groups = q->groups,
                                           .n_groups = q->n_groups,
                                           .anonymous = gw_str_eq(q->user, ANONYMOUS)};
    } else if (q->attrs != NULL) {
        req->subject = (struct gw_subject){
            .name = ANONYMOUS, .groups = nobody, .n_groups = 1, .anonymous = true};
    }
}

static void
release_conf(void *conf)
{
    gw_conf_unref(conf);
}

static struct gw_req *
make_request(struct gw_conf *c, struct gw_world *w, const struct gw_question *q)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));

    req->arena = a;
    req->world = w;
    req->snapshot = gw_conf_ref(c);
    gw_arena_defer(a, release_conf, c);
    req->plan = &c->plans[GW_ROUTE_CORE];
    req->dry = true;
    req->asker = q->asker;
    req->host = q->host;
    req->client_ip = gw_intake_address(req, q->remote_addr);
    req->peer_trusted = true;
    req->decision.route = GW_ROUTE_CORE;
    req->decision.wall_ms = gw_clock_wall_ms();
    req->decision.rule = -2;
    make_head(req, q);
    name_subject(req, q);
    return req;
}

/* ---- a walk that stops before anything is sent -------------------------------------------- */

/* The permission does not hang on whether anything is there to answer. */
static bool
is_routing(enum gw_err err)
{
    return err == GW_ERR_NO_EXTENSION || err == GW_ERR_EXTENSION_DISABLED ||
           err == GW_ERR_NO_ENDPOINT;
}

/* It is there, but not for whoever the question is about: that is the decision. */
static bool
is_hidden(const struct gw_req *req, enum gw_verdict v)
{
    return v == GW_FAIL && req->decision.allowed == GW_DENIED;
}

static enum gw_verdict
run_step(struct gw_req *req)
{
    const struct gw_step *s = &req->plan->steps[req->step];
    enum gw_verdict v = s->run(req, s->conf);

    if (v == GW_WAIT) {
        req->pending.cancel(req->pending.arg);
        req->pending = (struct gw_pending){0};
        return gw_req_fail(req, GW_ERR_INTERNAL,
                           "%s has to wait for an answer from elsewhere; a dry run can't",
                           s->module);
    }
    return v;
}

/* Walks on after there turned out to be no extension or no backend: whether it is permitted is
 * to be told all the same. */
static void
walk(struct gw_req *req)
{
    enum gw_err routing = GW_ERR_OK;
    const char *detail = NULL;

    for (; req->step < req->plan->forward; req->step++) {
        enum gw_verdict v = run_step(req);

        if (v == GW_REPLY || (v == GW_FAIL && !is_routing(req->err)) || is_hidden(req, v)) {
            break;
        }
        if (v == GW_FAIL && routing == GW_ERR_OK) { /* the first is what the client is told */
            routing = req->err;
            detail = req->detail;
            if (routing == GW_ERR_NO_EXTENSION) {
                req->decision.extension = GW_STR_NONE; /* there is none to have rights on */
            }
        }
        req->err = GW_ERR_OK;
    }
    if (routing != GW_ERR_OK) {
        req->err = routing;
        req->detail = detail;
    }
}

/* Runs the one step of that module and phase. */
static void
run_only(struct gw_req *req, const struct gw_plan *plan, const char *module, const char *phase)
{
    req->plan = plan;
    for (req->step = 0; req->step < plan->forward; req->step++) {
        const struct gw_step *s = &plan->steps[req->step];

        if (strcmp(s->module, module) == 0 && strcmp(s->phase, phase) == 0) {
            run_step(req);
            return;
        }
    }
}

/* A decoded path as a request has it. */
static struct gw_str
encode(struct gw_arena *a, struct gw_str path)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = gw_arena_raw(a, 3 * path.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];

        if (c > 0x20 && c < 0x7f && c != '%' && c != '?' && c != '#') {
            text[n++] = (char)c;
        } else {
            text[n++] = '%';
            text[n++] = digits[c >> 4];
            text[n++] = digits[c & 15];
        }
    }
    return (struct gw_str){text, n};
}

/* ---- questions with attributes ------------------------------------------------------------ */

/* What no request can ask for has no permission either (kubesphere.md 5.5): "/dist/../kapis" is
 * below /dist to a rule, and elsewhere to a backend.  One slash in front is optional there. */
static bool
check_path(struct gw_req *req)
{
    struct gw_str path = req->info.path;
    const char *why = NULL;

    if (req->info.is_resource || path.n == 0) {
        return true;
    }
    if (path.p[0] != '/') {
        path = gw_str_of(gw_arena_printf(req->arena, "/%.*s", GW_STR_ARG(path)));
    }
    req->err = gw_path_check(encode(req->arena, path), &why);
    if (req->err == GW_ERR_OK) {
        return true;
    }
    req->detail = why;
    req->decision.allowed = GW_DENIED;
    req->decision.policy = "path";
    req->decision.reason = gw_str_of(why == NULL ? gw_err_text(req->err) : why);
    return false;
}

/* Of an extension: what its paths are, and who may know of it, is its own to say. */
static bool
is_of_extension(const struct gw_request_info *info)
{
    struct gw_str path = info->path;

    path = path.n > 0 && path.p[0] == '/' ? gw_str_skip(path, 1) : path;
    return !info->is_resource && gw_str_has_prefix(path, GW_STR("extensions/"));
}

/* ---- questions with a method and a URL ---------------------------------------------------- */

/* As live requests are checked before any step; CONNECT and TRACE are asked about like any other
 * method and refused at the end, so that the permission can be told. */
static bool
check_target(struct gw_req *req, const struct gw_conf *c)
{
    const char *why = NULL;

    req->err = gw_intake_target(req, GW_STR("GET"));
    if (req->err == GW_ERR_OK && !gw_str_eq(req->target.path, GW_STR("*"))) {
        req->err = gw_path_check(req->target.path, &why);
        if (req->err != GW_ERR_OK) {
            req->err = gw_relax_path(req, c, &why);
        }
    }
    req->detail = why != NULL ? why : req->detail;
    if (req->target.authority.n > 0) {
        req->host = req->target.authority;
    }
    return req->err == GW_ERR_OK;
}

static void
refuse_method(struct gw_req *req)
{
    if (req->err != GW_ERR_OK) {
        return;
    }
    if (gw_str_eq(req->head->method, GW_STR("CONNECT"))) {
        req->err = GW_ERR_NOT_IMPLEMENTED;
    } else if (gw_str_eq(req->head->method, GW_STR("TRACE"))) {
        req->err = GW_ERR_BAD_METHOD;
    }
}

/* The plan that the URL leads to.  Where nothing serves it, it is asked what the core would
 * decide, since that is what the rules are about. */
static void
route(struct gw_req *req, const struct gw_conf *c)
{
    req->plan = gw_conf_route(c, req->host, req->target.path);
    if (req->plan->route == GW_ROUTE_CONSOLE && c->settings.core.console == NULL) {
        req->plan = &c->plans[GW_ROUTE_CORE];
    }
    req->decision.route = req->plan->route;
}

static void
walk_url(struct gw_req *req, const struct gw_conf *c)
{
    if (!check_target(req, c)) {
        req->decision.route = GW_N_ROUTES;
        req->decision.end = "refused";
        return;
    }
    route(req, c);
    const struct gw_plan *plan = req->plan;
    if (plan->route == GW_ROUTE_CONSOLE) { /* its own plan has no use for it; the answer does */
        run_only(req, &c->plans[GW_ROUTE_CORE], "request_info", "find");
        req->err = GW_ERR_OK;
        req->plan = plan;
        req->step = 0;
    }
    walk(req);
    if (req->decision.allowed == GW_UNDECIDED && req->err == GW_ERR_OK) {
        req->decision.allowed = GW_ALLOWED;
        req->decision.policy =
            gw_route_name(req->decision.route); /* its plan asks nobody for permission */
    }
    refuse_method(req);
}

static void
become_request(struct gw_req *req)
{
    struct gw_head *head = gw_arena_alloc(req->arena, sizeof(*head));

    *head = *req->head;
    head->method = req->info.verb;
    struct gw_str path = req->info.path;
    head->target =
        encode(req->arena, path.p[0] == '/'
                               ? path
                               : gw_str_of(gw_arena_printf(req->arena, "/%.*s", GW_STR_ARG(path))));
    req->head = head;
    req->info = (struct gw_request_info){0};
}

struct gw_req *
gw_explain_run(struct gw_conf *c, struct gw_world *w, const struct gw_question *q)
{
    struct gw_req *req = make_request(c, w, q);

    if (q->attrs == NULL) {
        walk_url(req, c);
        return req;
    }
    req->info = gw_explain_attrs_read(q->attrs);
    if (is_of_extension(&req->info)) {
        become_request(req);
        walk_url(req, c);
        return req;
    }
    req->decision.route = GW_N_ROUTES; /* of none: roles decide, and no route's own level */
    if (check_path(req)) {
        run_only(req, req->plan, "rbac", "access");
    }
    return req;
}
