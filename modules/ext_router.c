/*
 * ext_router.c - which extension, which of its backends, which resource of a tenant?
 *
 * /extensions/{name}/... is looked up by its name; the rest of the path goes to the backend as
 * it came, byte for byte.
 */
#include "modules/ext_router.h"

#include "gateway/module.h"
#include "http/write.h"
#include "modules/ext_permissions.h"
#include "modules/slots.h"
#include "modules/subscriptions.h"
#include "modules/visibility.h"

#define PREFIX GW_STR(GW_EXT_PREFIX)

static void
on_route_left(void *route)
{
    gw_ext_route_unref(route);
}

/* "/extensions/NAME/rest" in its parts, as received; false when there is no name. */
static bool
split(struct gw_str path, struct gw_str *name, struct gw_str *rest)
{
    if (!gw_str_has_prefix(path, PREFIX)) {
        return false;
    }
    *rest = gw_str_skip(path, PREFIX.n);
    *name = (struct gw_str){rest->p, gw_str_find(*rest, '/')};
    *rest = gw_str_skip(*rest, name->n);
    return name->n > 0;
}

/* The rest of the path and the query, which stand side by side in the request's target. */
static struct gw_str
with_query(const struct gw_req *req, struct gw_str rest)
{
    if (req->target.has_query) {
        rest.n += 1 + req->target.query.n;
    }
    return rest;
}

/* before + path and query; "/" for an empty path. */
static struct gw_str
join(struct gw_req *req, struct gw_str before, struct gw_str rest)
{
    struct gw_out out;
    struct gw_str tail = with_query(req, rest);

    gw_out_init(&out, req->arena, before.n + tail.n + 2);
    gw_out_str(&out, before);
    if (rest.n == 0) {
        gw_out_str(&out, GW_STR("/"));
    }
    gw_out_str(&out, tail);
    return (struct gw_str){out.p, out.n};
}

/* A page at /extensions/name would resolve its relative links beside the extension. */
static enum gw_verdict
add_slash(struct gw_req *req, const struct gw_ext_route *r, struct gw_str rest)
{
    gw_edits_add(req, &req->down, GW_STR("Location"), join(req, gw_ext_route_prefix(r), rest));
    return gw_req_reply(req, 308, GW_STR_NONE, GW_STR_NONE);
}

static void
set_destination(struct gw_req *req, const struct gw_ext_route *r, struct gw_str rest)
{
    const struct gw_ext_spec *spec = r->spec;
    struct gw_destination *to = &req->to;
    struct gw_str prepend = gw_str_of(spec->prepend);

    to->endpoints = r->endpoints;
    to->weights = r->weights;
    to->n_endpoints = r->n_endpoints;
    to->balancer = &spec->balancer;
    to->turns = r->turns;
    to->split = r->split;
    to->connect_ms = spec->connect_ms;
    to->first_byte_ms = spec->first_byte_ms;
    to->idle_ms = spec->idle_ms;
    to->tunnel_idle_ms = spec->tunnel_idle_ms;
    to->pending_ms = spec->pending_ms;
    to->max_connections = r->max_connections;
    to->max_pending = r->max_pending;
    to->outlier = &spec->outlier;
    to->retry_percent = (unsigned)spec->retry_percent;
    to->tries = (unsigned)spec->attempts;
    if (!spec->strip_prefix) {
        to->target = prepend.n == 0 ? GW_STR_NONE : join(req, prepend, req->target.path);
        return;
    }
    to->forwarded_prefix = gw_ext_route_prefix(r);
    to->base = prepend;
    to->map_back = true;
    to->target = prepend.n == 0 && rest.n > 0 ? with_query(req, rest) : join(req, prepend, rest);
}

/* The same path as policy sees it: below the extension, decoded.  slashes: GW_PATH_* that are
 * slashes to this reader, should there be any. */
static struct gw_str
decoded_rest(const struct gw_req *req, struct gw_str rest, unsigned slashes)
{
    if (req->target.odd != 0) {
        rest = gw_path_reading(req->arena, rest, slashes);
    }
    return gw_str_find(rest, '%') == rest.n ? rest : gw_path_decode(req->arena, rest);
}

/* A backend that decodes a path before it splits it would find a resource of another tenant in
 * "/x%2Fworkspaces%2Fb", or none in "/workspaces/a%2Fx": where the readings of the path are not
 * of the same resource in the same place, there is nothing that policy could decide on. */
static bool
is_one_resource(struct gw_req *req, const struct gw_ext_spec *spec, struct gw_str rest)
{
    static const unsigned readers[] = {GW_PATH_ENCODED_SLASH,
                                       GW_PATH_ENCODED_SLASH | GW_PATH_DOUBLE_ENCODED_SLASH};
    struct gw_request_info ours = {0};
    bool found = gw_ext_permissions_match(&spec->permissions, decoded_rest(req, rest, 0), &ours);

    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        struct gw_request_info its = {0};
        struct gw_str path = decoded_rest(req, rest, readers[i]);

        if (gw_ext_permissions_match(&spec->permissions, path, &its) != found ||
            !gw_str_eq(its.api_group, ours.api_group) || !gw_str_eq(its.resource, ours.resource) ||
            !gw_str_eq(its.cluster, ours.cluster) || !gw_str_eq(its.workspace, ours.workspace) ||
            !gw_str_eq(its.ns, ours.ns)) {
            return false;
        }
    }
    return true;
}

static bool
allow_path(struct gw_req *req, const struct gw_ext_spec *spec, struct gw_str rest)
{
    if (!gw_relax_allow(req, (unsigned)spec->allow_paths)) {
        return false;
    }
    if (spec->permissions.n > 0 && !is_one_resource(req, spec, rest)) {
        req->err = GW_ERR_BAD_PATH;
        req->detail = "an encoded slash that decides which resource is asked for";
        return false;
    }
    return true;
}

static void
find_resource(const struct gw_req *req, const struct gw_ext_spec *spec, struct gw_str rest,
              struct gw_request_info *info)
{
    struct gw_str watch = GW_STR_NONE;

    if (!gw_ext_permissions_match(&spec->permissions, decoded_rest(req, rest, 0), info)) {
        return; /* as request_info has it: a non-resource request */
    }
    bool watches = req->target.has_query &&
                   gw_query_get(req->arena, req->target.query, GW_STR("watch"), &watch) &&
                   !gw_str_eq(watch, GW_STR("false")) && !gw_str_eq(watch, GW_STR("0"));
    info->verb = gw_ext_permissions_verb(req->head->method, info->name.n > 0, watches);
}

void
gw_ext_router_info(const struct gw_req *req, const struct gw_ext_door *door,
                   struct gw_request_info *info)
{
    find_resource(req, door->route->spec, door->rest, info);
}

enum gw_verdict
gw_ext_router_refuse(struct gw_req *req)
{
    if (!gw_world_knows(req->world)) {
        req->err = GW_ERR_REGISTRY_UNKNOWN;
    } else if (req->target.odd == 0 || gw_relax_allow(req, 0)) { /* no extension allows nothing */
        req->err = GW_ERR_NO_EXTENSION;
    }
    return GW_FAIL;
}

/* Of one that the request has a reference to. */
static enum gw_verdict
enter(struct gw_req *req, const struct gw_ext_route *r, struct gw_str rest)
{
    const struct gw_ext_spec *spec = r->spec;

    req->decision.extension = r->name;
    req->decision.series = r->name;
    req->identity = (enum gw_identity)spec->identity;
    if (!spec->enabled && !spec->audience.restricted) {
        req->err = GW_ERR_EXTENSION_DISABLED;
        return GW_FAIL;
    }
    if (req->target.odd != 0 && !allow_path(req, spec, rest)) {
        return GW_FAIL;
    }
    if (rest.n == 0 && (gw_str_eq(req->head->method, GW_STR("GET")) ||
                        gw_str_eq(req->head->method, GW_STR("HEAD")))) {
        return add_slash(req, r, rest);
    }
    req->access = (enum gw_access)spec->access;
    find_resource(req, spec, rest, &req->info);
    set_destination(req, r, rest);
    return GW_NEXT;
}

static void
keep_route(struct gw_req *req, struct gw_ext_route *r)
{
    r->refs++;
    gw_arena_defer(req->arena, on_route_left, r);
}

/* `explain` is asked by somebody who may not know of it, either. */
static bool
is_unknown_to_asker(const struct gw_req *req, struct gw_str name)
{
    struct gw_viewer v;

    if (req->asker == NULL) {
        return false;
    }
    gw_viewer_init(&v, req->asker);
    return !gw_viewer_sees(&v, name);
}

/* Not everybody may know of it: it is entered when it is known who asks (visibility.h).  As long as
 * there are such, names that are not there go the same way. */
static enum gw_verdict
stop_at_door(struct gw_req *req, struct gw_ext_route *r, struct gw_str name, struct gw_str rest)
{
    if (r != NULL && is_unknown_to_asker(req, name)) {
        r = NULL;
    }
    if (r == NULL && (req->dry || !gw_ext_index_has_restricted(req->world))) {
        return gw_ext_router_refuse(req);
    }
    struct gw_ext_door *door = gw_arena_alloc(req->arena, sizeof(*door));

    *door = (struct gw_ext_door){.route = r, .name = name, .rest = rest};
    req->slot[GW_SLOT_ext_router] = door;
    if (r != NULL) {
        keep_route(req, r);
    }
    return GW_NEXT;
}

struct gw_ext_door *
gw_ext_router_door(const struct gw_req *req)
{
    return req->slot[GW_SLOT_ext_router];
}

enum gw_verdict
gw_ext_router_enter(struct gw_req *req, const struct gw_ext_door *door)
{
    return enter(req, door->route, door->rest);
}

static enum gw_verdict
find(struct gw_req *req, const void *conf)
{
    struct gw_ext_route *r = NULL;
    struct gw_str name = GW_STR_NONE;
    struct gw_str rest = GW_STR_NONE;

    (void)conf;
    if (split(req->target.path, &name, &rest)) {
        name = gw_str_find(name, '%') == name.n ? name : gw_path_decode(req->arena, name);
        r = gw_ext_index_find(req->world, name);
    }
    if (r == NULL || r->spec->audience.restricted) {
        return stop_at_door(req, r, name, rest);
    }
    keep_route(req, r);
    return enter(req, r, rest);
}

/* Whether there are versions, and which, is nothing to the client: explain says it, and the log. */
static enum gw_verdict
refuse_without_endpoint(struct gw_req *req)
{
    struct gw_str version = req->decision.version;

    if (!gw_world_knows(req->world)) { /* some may have registered themselves */
        req->err = GW_ERR_REGISTRY_UNKNOWN;
        return GW_FAIL;
    }
    req->err = GW_ERR_NO_ENDPOINT;
    if (req->dry && version.n > 0) {
        req->detail = gw_arena_printf(
            req->arena, "version %.*s has none, and no other one takes over", GW_STR_ARG(version));
    }
    return GW_FAIL;
}

/* After access: who may not come is not told how the extension does, and it is known who comes: by
 * that, a version may be chosen. */
static enum gw_verdict
check_endpoints(struct gw_req *req, const void *conf)
{
    const struct gw_ext_door *door = gw_ext_router_door(req);

    (void)conf;
    if (door != NULL && !door->route->spec->enabled) {
        req->err = GW_ERR_EXTENSION_DISABLED;
        return GW_FAIL;
    }
    if (req->to.split != NULL) {
        gw_ext_versions_choose(req);
    }
    return req->to.n_endpoints == 0 ? refuse_without_endpoint(req) : GW_NEXT;
}

const struct gw_module gw_mod_ext_router = {
    .name = "ext_router",
    .about = "Finds the extension below /extensions/, its backends, and its tenants' resources.",
    .routes = GW_ON(GW_ROUTE_EXTENSIONS),
    .views = (const struct gw_view *const[]){&gw_ext_view, &gw_subscriptions_view, NULL},
    .on = {[GW_FIND] = find, [GW_REWRITE] = check_endpoints},
};
