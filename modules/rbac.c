/* rbac.c - asks whether whoever asks may do what is asked. */
#include "modules/rbac.h"
#include "base/clock.h"
#include "gateway/module.h"
#include "modules/rbac_say.h"
#include "modules/visibility.h"

enum mode {
    MODE_RBAC,
    MODE_ALLOW_ALL
};

struct conf {
    int mode;
    int core; /* enum gw_access */
    const char *const *always_allowed;
    struct gw_str *paths; /* the same, with their lengths */
    size_t n_paths;
};

static const char *const mode_words[] = {"rbac", "allow_all", NULL};
static const char *const core_words[] = {
    [GW_ACCESS_AUTHORIZED] = "authorized",
    [GW_ACCESS_AUTHENTICATED] = "authenticated",
    [GW_ACCESS_PUBLIC] = "public",
    NULL,
};

/* clang-format off */
static const struct gw_setting settings[] = {
    {.name = "mode", .set = gw_set_word, .at = offsetof(struct conf, mode), .words = mode_words, .initial = "rbac",
     .help = "`rbac` decides by the registered roles and bindings; `allow_all` lets everybody do everything and is for development only."},
    {.name = "core", .set = gw_set_word, .at = offsetof(struct conf, core), .words = core_words, .initial = "authorized",
     .help = "Who may use the paths of the core: those whom the roles allow; every user (`authenticated`), or all (`public`), where ks-core decides about the rest, as it does without a gateway."},
    {.name = "always_allowed", .set = gw_set_text_list, .at = offsetof(struct conf, always_allowed),
     .initial = "[/oauth/*, /dist/*, /.well-known/openid-configuration, /version, /metrics, /livez, /healthz, /openapi/v2, /openapi/v3, /-/healthz, /-/readyz, /-/jwks.json]",
     .help = "Paths that need no permission, also below `/clusters/{name}`; a `*` at the end makes it a prefix."},
    {0},
};
/* clang-format on */

const struct gw_view gw_rbac_view = {
    .name = "rbac",
    .kinds = gw_rbac_piece_kinds,
    .compile = gw_rbac_piece_compile,
    .next = gw_rbac_index_next,
};

static struct gw_place
place_of(const struct gw_loader *l, const char *name)
{
    const json_t *root = gw_yaml_root(l->source);

    return gw_yaml_key_place(l->source, json_object_get(root, "authorization"), name);
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct conf *c = conf;
    bool good = true;
    size_t n = 0;

    if (c->mode == MODE_ALLOW_ALL) {
        gw_diag_warn(loader->diag, place_of(loader, "mode"),
                     "authorization.mode: allow_all lets everybody do everything; never use it "
                     "where others can connect");
    }
    while (c->always_allowed != NULL && c->always_allowed[n] != NULL) {
        n++;
    }
    c->paths = gw_arena_alloc(loader->arena, (n + 1) * sizeof(*c->paths));
    for (; c->n_paths < n; c->n_paths++) {
        c->paths[c->n_paths] = gw_str_of(c->always_allowed[c->n_paths]);
        if (!gw_rbac_path_ok(c->paths[c->n_paths])) {
            gw_diag_error(loader->diag, place_of(loader, "always_allowed"),
                          "authorization.always_allowed: only trailing * allowed in \"%s\"",
                          c->always_allowed[c->n_paths]);
            good = false;
        }
    }
    return good;
}

/* What they may do themselves, all who are known may ask (Kubernetes: system:basic-user). */
static bool
asks_about_self(const struct gw_request_info *info)
{
    return gw_str_eq(info->resource, GW_STR("selfsubjectaccessreviews")) &&
           gw_str_eq(info->api_group, GW_STR("authorization.k8s.io")) &&
           gw_str_eq(info->verb, GW_STR("create"));
}

/* What allows a request before any role is asked, or NULL. */
static const char *
without_roles(const struct gw_req *req, const struct conf *c)
{
    if (req->subject.trusted) {
        return "admin-socket";
    }
    if (c->mode == MODE_ALLOW_ALL) {
        return "allow_all";
    }
    if (req->access == GW_ACCESS_PUBLIC) {
        return "public";
    }
    if (gw_rbac_paths_have(c->paths, c->n_paths, req->info.path)) {
        return "path";
    }
    if (req->subject.anonymous) {
        return NULL;
    }
    if (req->access == GW_ACCESS_AUTHENTICATED) {
        return "authenticated";
    }
    return req->decision.route == GW_ROUTE_ADMIN && asks_about_self(&req->info) ? "self" : NULL;
}

/* Is it open even to whoever sent a credential that is no good? */
static bool
is_open_to_all(const char *policy)
{
    return policy != NULL && (strcmp(policy, "public") == 0 || strcmp(policy, "path") == 0);
}

/* The names are copied, because the request may outlive the objects that they are of. */
static void
record(struct gw_req *req, const struct gw_rbac_grant *g)
{
    struct gw_decision *d = &req->decision;
    const struct gw_rbac_binding *b = g->binding;

    d->binding_kind = gw_str_of(b->object.kind);
    d->binding = gw_arena_str(req->arena, gw_str_of(b->object.name));
    d->role_kind = gw_arena_str(req->arena, gw_str_of(b->role_kind));
    d->role = gw_arena_str(req->arena, gw_str_of(b->role_name));
    d->role_template = g->template == NULL
                           ? GW_STR_NONE
                           : gw_arena_str(req->arena, gw_str_of(g->template->object.name));
    d->rule = g->rule;
    if (req->dry) { /* live, nobody reads it, and it takes longer than the decision */
        d->reason = gw_rbac_say_reason(req->arena, g, &req->subject);
    }
}

/* For the log and for explain, not for the client: it names roles. */
static struct gw_str
why_not(const struct gw_req *req, const struct gw_rbac_index *index)
{
    struct gw_str near = gw_rbac_nearest(index, req->arena, &req->subject, &req->info);
    struct gw_str extension = req->decision.extension;

    if (extension.n == 0) {
        return near;
    }
    return gw_str_of(gw_arena_printf(
        req->arena, "%.*s; `use` of extensionservices.ksgate.io \"%.*s\" would allow all of it",
        GW_STR_ARG(near), GW_STR_ARG(extension)));
}

/* May the caller know why?  Whoever may ask `explain` may, and a workspace's or a namespace's role
 * that says so counts there: what is told is of the caller's own bindings.  Where it is not known
 * whose the namespace is, only who may ask everywhere is told that it is not known. */
static bool
may_know(const struct gw_req *req, const struct gw_rbac_index *index)
{
    struct gw_request_info what = req->info;

    if (req->subject.anonymous) {
        return false;
    }
    what.verb = GW_STR("list"); /* as GET /-/apis/ksgate.io/v1/explain is */
    what.api_group = GW_STR("ksgate.io");
    what.api_version = GW_STR("v1");
    what.resource = GW_STR("explain");
    what.subresource = what.name = GW_STR_NONE;
    what.scope = what.is_resource ? what.scope : GW_STR("Cluster");
    what.is_resource = true;
    what.is_kubernetes = false;
    return gw_rbac_decide(index, req->arena, &req->subject, &what, GW_STR_NONE).allowed;
}

/* A role or binding that would allow it may be one that we have not heard of yet. */
static enum gw_verdict
leave_undecided(struct gw_req *req)
{
    req->decision.policy = "registry-unknown";
    req->err = GW_ERR_REGISTRY_UNKNOWN;
    return GW_FAIL;
}

static enum gw_verdict
deny(struct gw_req *req, const struct gw_rbac_index *index)
{
    struct gw_str message = gw_rbac_say_forbidden(req->arena, &req->subject, &req->info);

    req->decision.allowed = GW_DENIED;
    req->decision.reason = why_not(req, index);
    gw_req_fail(req, req->subject.anonymous ? GW_ERR_NO_TOKEN : GW_ERR_FORBIDDEN, "%s", "");
    req->detail = message.p;
    if (!req->dry && may_know(req, index)) {
        req->cause = req->decision.reason;
    }
    return GW_FAIL;
}

/* An extension that not everybody may know of is entered first: it says what is asked for. */
static enum gw_verdict
enter_extension(struct gw_req *req, const struct conf *c)
{
    return gw_visibility_enter(req, gw_world_index(req->world, &gw_rbac_view),
                               req->subject.trusted || c->mode == MODE_ALLOW_ALL);
}

static enum gw_verdict
ask(struct gw_req *req, const void *conf)
{
    struct gw_decision *d = &req->decision;
    const struct gw_rbac_index *index = gw_world_index(req->world, &gw_rbac_view);

    d->rule = -2;
    if (d->route == GW_ROUTE_CORE) { /* an extension's level is its object's */
        req->access = (enum gw_access)((const struct conf *)conf)->core;
    }
    d->policy = without_roles(req, conf);
    if (req->credential_err != GW_ERR_OK && !is_open_to_all(d->policy)) {
        d->allowed = GW_DENIED;
        d->policy = "credential";
        req->err = req->credential_err;
        req->detail = req->credential_detail;
        return GW_FAIL;
    }
    if (d->policy != NULL) {
        d->allowed = GW_ALLOWED;
        return GW_NEXT;
    }
    d->policy = "rbac";
    struct gw_rbac_grant g =
        gw_rbac_decide(index, req->arena, &req->subject, &req->info, d->extension);
    if (!g.allowed) {
        return gw_world_knows(req->world) ? deny(req, index) : leave_undecided(req);
    }
    d->allowed = GW_ALLOWED;
    record(req, &g);
    return GW_NEXT;
}

static enum gw_verdict
decide(struct gw_req *req, const void *conf)
{
    enum gw_verdict v = gw_ext_router_door(req) == NULL ? GW_NEXT : enter_extension(req, conf);

    v = v == GW_NEXT ? ask(req, conf) : v;

    if (v != GW_NEXT && !req->dry) { /* else forward notes it */
        req->decision.decided_us = gw_clock_mono_us() - req->decision.start_us;
    }
    return v;
}

static const struct gw_view *const views[] = {&gw_rbac_view, NULL};

const struct gw_module gw_mod_rbac = {
    .name = "rbac",
    .about = "Decides by roles and bindings whether the caller may do what is asked.",
    .section = "authorization",
    .settings = settings,
    .conf_size = sizeof(struct conf),
    .routes = GW_ON(GW_ROUTE_CORE) | GW_ON(GW_ROUTE_EXTENSIONS) | GW_ON(GW_ROUTE_ADMIN),
    .open = open_conf,
    .views = views,
    .on = {[GW_ACCESS] = decide},
};
