#include "modules/request_rules.h"

#include "http/url.h"
#include "modules/request_select.h"

#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }               /* in tables */
#define SEGMENTS 16 /* more than the rules look at; what follows only counts */

/* The path in pieces, and how far we are. */
struct walk {
    struct gw_arena *arena;
    struct gw_request_info *info;
    struct gw_str method, query;
    struct gw_str parts[SEGMENTS];
    unsigned at, n;
    bool own; /* below /-/: our own interface, not KubeSphere's */
};

/* ---- words -------------------------------------------------------------------------------- */

/* What is of the platform as a whole, not of one cluster. */
static const struct {
    struct gw_str group, resource;
} global[] = {
    {TEXT("iam.kubesphere.io"), TEXT("users")},
    {TEXT("iam.kubesphere.io"), TEXT("globalroles")},
    {TEXT("iam.kubesphere.io"), TEXT("globalrolebindings")},
    {TEXT("tenant.kubesphere.io"), TEXT("workspaces")},
    {TEXT("tenant.kubesphere.io"), TEXT("clusters")},
    {TEXT("cluster.kubesphere.io"), TEXT("clusters")},
    {TEXT("cluster.kubesphere.io"), TEXT("labels")},
    {TEXT("resources.kubesphere.io"), TEXT("clusters")},
    {TEXT("resources.kubesphere.io"), TEXT("labels")},
};

static bool
is_global(const struct gw_request_info *info)
{
    for (size_t i = 0; i < sizeof(global) / sizeof(global[0]); i++) {
        if (gw_str_eq(info->resource, global[i].resource) &&
            gw_str_eq(info->api_group, global[i].group)) {
            return true;
        }
    }
    return false;
}

/* In the name of a resource. */
static bool
is_usual(char c)
{
    return (c >= 'a' && c <= 'z') || c == '-' || (c >= '0' && c <= '9');
}

static struct gw_str
verb_of(struct gw_str method)
{
    static const struct {
        struct gw_str method, verb;
    } verbs[] = {
        {TEXT("GET"), TEXT("get")},     {TEXT("HEAD"), TEXT("get")},
        {TEXT("POST"), TEXT("create")}, {TEXT("PUT"), TEXT("update")},
        {TEXT("PATCH"), TEXT("patch")}, {TEXT("DELETE"), TEXT("delete")},
    };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (gw_str_eq(method, verbs[i].method)) {
            return verbs[i].verb;
        }
    }
    return GW_STR("");
}

static bool
is_prefix(struct gw_str s)
{
    return gw_str_eq(s, GW_STR("api")) || gw_str_eq(s, GW_STR("apis")) ||
           gw_str_eq(s, GW_STR("kapi")) || gw_str_eq(s, GW_STR("kapis"));
}

static bool
is_kubernetes_prefix(struct gw_str s)
{
    return gw_str_eq(s, GW_STR("api")) || gw_str_eq(s, GW_STR("apis"));
}

static bool
is_grouped(struct gw_str prefix)
{
    return prefix.p[prefix.n - 1] == 's';
}

/* ---- the path ----------------------------------------------------------------------------- */

/* How many segments are left; the rules never go further than SEGMENTS. */
static unsigned
left(const struct walk *w)
{
    return w->n - w->at;
}

static struct gw_str
part(const struct walk *w, unsigned i)
{
    return w->parts[w->at + i];
}

static bool
part_is(const struct walk *w, unsigned i, struct gw_str word)
{
    return left(w) > i && gw_str_eq(part(w, i), word);
}

static void
split(struct walk *w, struct gw_str path)
{
    while (path.n > 0 && path.p[0] == '/') {
        path = gw_str_skip(path, 1);
    }
    while (path.n > 0 && path.p[path.n - 1] == '/') {
        path.n--;
    }
    for (; path.n > 0; w->n++) {
        struct gw_str piece = gw_str_cut(&path, '/');

        if (w->n < SEGMENTS) {
            w->parts[w->n] = piece;
        }
    }
}

/* "namespaces/NS/..." names the namespace of what follows.  A namespace alone is an object
 * in itself: of that namespace for KubeSphere; of the cluster for us, because its labels say
 * which workspace it belongs to, and that is not its members' business. */
static void
take_namespace(struct walk *w)
{
    bool more =
        left(w) > 2 && !part_is(w, 2, GW_STR("status")) && !part_is(w, 2, GW_STR("finalize"));

    if (!part_is(w, 0, GW_STR("namespaces")) || left(w) < 2) {
        return;
    }
    if (more || !w->own) {
        w->info->ns = part(w, 1);
    }
    if (more) {
        w->at += 2;
    }
}

static void
take_workspace(struct walk *w)
{
    if ((part_is(w, 0, GW_STR("workspaces")) || part_is(w, 0, GW_STR("workspacetemplates"))) &&
        left(w) > 1) {
        w->info->workspace = part(w, 1);
        w->at += left(w) > 2 ? 2 : 0;
    }
}

/* In a tenant's place, what others take for one of the words that say where an object is, or for no
 * segment at all: they would find it in another place than policy did. */
static bool
is_misspelt(const struct gw_request_info *info)
{
    struct gw_str resource = info->resource;
    static const struct gw_str words[] = {TEXT("namespaces"),
                                          TEXT("workspaces"),
                                          TEXT("workspacetemplates"),
                                          TEXT("clusters"),
                                          TEXT("watch"),
                                          TEXT("proxy"),
                                          TEXT("")};
    size_t i = 0;

    if (info->workspace.n == 0 && info->ns.n == 0) {
        return false;
    }
    while (i < resource.n && is_usual(resource.p[i])) {
        i++;
    }
    for (size_t k = 0; i < resource.n && k < sizeof(words) / sizeof(words[0]); k++) {
        if (gw_path_segment_sounds(resource, words[k])) {
            return true;
        }
    }
    return false;
}

static void
take_object(struct walk *w)
{
    struct gw_request_info *info = w->info;

    info->resource = part(w, 0);
    if (left(w) > 1) {
        info->name = part(w, 1);
    }
    if (left(w) > 2 && !gw_str_eq(info->verb, GW_STR("proxy"))) {
        info->subresource = part(w, 2);
    }
    info->n_parts = left(w);
}

struct gw_str
gw_request_rules_scope(const struct gw_request_info *info)
{
    if (is_global(info)) {
        return info->workspace.n > 0 ? GW_STR("Workspace") : GW_STR("Global");
    }
    if (info->ns.n > 0) {
        return GW_STR("Namespace");
    }
    return info->workspace.n > 0 ? GW_STR("Workspace") : GW_STR("Cluster");
}

/* A watch of one workspace's objects is a request to that workspace.  Upstream takes it for one
 * wherever its path leads, which is a way into other tenants' places (kubesphere.md, 5.5): a
 * path into another workspace is refused here, and whether the namespace of the path is one of
 * the workspace's is looked at when the permission is decided. */
static const char *
take_selected_workspace(struct walk *w)
{
    struct gw_request_info *info = w->info;
    struct gw_str ws = gw_request_select_workspace(w->arena, w->query);

    if (ws.p == NULL || w->own) {
        return NULL;
    }
    if (info->workspace.n > 0 && !gw_str_eq(info->workspace, ws)) {
        return "the path and the label selector name two workspaces";
    }
    info->workspace = ws;
    info->scope = GW_STR("Workspace");
    return NULL;
}

/* A list may be a watch, or of one name only, or of one workspace. */
static const char *
look_at_query(struct walk *w)
{
    struct gw_request_info *info = w->info;
    const char *problem = NULL;

    if (info->name.n == 0 && gw_str_eq(info->verb, GW_STR("get"))) {
        info->verb = gw_request_select_watch(w->arena, w->query) ? GW_STR("watch") : GW_STR("list");
        info->name = gw_request_select_name(w->arena, w->query);
    }
    if (gw_str_eq(info->verb, GW_STR("watch"))) {
        problem = take_selected_workspace(w);
    }
    if (info->name.n == 0 && gw_str_eq(info->verb, GW_STR("delete"))) {
        info->verb = GW_STR("deletecollection");
    }
    return problem;
}

static const char *
no_kind(const struct walk *w)
{
    return gw_arena_printf(w->arena, "unable to determine kind and namespace from url: %.*s",
                           GW_STR_ARG(w->info->path));
}

/* From the version on. */
static const char *
take_resource(struct walk *w)
{
    struct gw_request_info *info = w->info;

    if (left(w) < 2) {
        return no_kind(w);
    }
    info->is_resource = true;
    info->api_version = part(w, 0);
    w->at++;
    info->verb = verb_of(w->method);
    if (part_is(w, 0, GW_STR("watch")) || part_is(w, 0, GW_STR("proxy"))) {
        info->verb = part(w, 0);
        w->at++;
        if (left(w) == 0) {
            return no_kind(w);
        }
    }
    if (!w->own) {
        take_workspace(w);
    }
    take_namespace(w);
    take_object(w);
    if (is_misspelt(info)) {
        return gw_arena_printf(w->arena, "\"%.*s\" can be read in two ways",
                               GW_STR_ARG(info->resource));
    }
    info->scope = gw_request_rules_scope(info);
    return look_at_query(w);
}

/* From "api", "apis", "kapi" or "kapis" on. */
static const char *
take_api(struct walk *w)
{
    struct gw_request_info *info = w->info;

    info->api_prefix = part(w, 0);
    info->is_kubernetes = is_kubernetes_prefix(info->api_prefix);
    w->at++;
    if (!w->own && info->cluster.n == 0 && part_is(w, 0, GW_STR("clusters")) && left(w) > 1) {
        info->cluster = part(w, 1);
        w->at += 2;
        /* The older spelling, /kapis/clusters/C/...: the path is the one without it. */
        size_t skip = 1 + info->api_prefix.n + sizeof("/clusters/") - 1 + info->cluster.n;
        info->path = gw_str_of(gw_arena_printf(w->arena, "/%.*s%.*s", GW_STR_ARG(info->api_prefix),
                                               GW_STR_ARG(gw_str_skip(info->path, skip))));
    }
    if (is_grouped(info->api_prefix)) {
        if (left(w) < 3) {
            return NULL;
        }
        info->api_group = part(w, 0);
        w->at++;
    }
    return take_resource(w);
}

/* Below /-/, /-/apis/... and /-/api/... are objects; /-/api/v1 alone and the like are not. */
static const char *
take_own(struct walk *w)
{
    w->own = true;
    w->at++;
    if (left(w) < 3 || !is_kubernetes_prefix(part(w, 0))) {
        return NULL;
    }
    return take_api(w);
}

static const char *
take_path(struct walk *w)
{
    struct gw_request_info *info = w->info;

    if (part_is(w, 0, GW_STR("-"))) {
        return take_own(w);
    }
    if (left(w) < 3) {
        info->is_kubernetes = left(w) > 0 && is_kubernetes_prefix(part(w, 0));
        return NULL;
    }
    if (part_is(w, 0, GW_STR("clusters"))) {
        info->cluster = part(w, 1);
        w->at += 2;
        info->path = gw_str_skip(info->path, sizeof("/clusters/") - 1 + info->cluster.n);
    }
    return is_prefix(part(w, 0)) ? take_api(w) : NULL;
}

const char *
gw_request_rules_read(struct gw_arena *a, struct gw_str method, struct gw_str path,
                      struct gw_str query, struct gw_request_info *info)
{
    struct walk w; /* not zeroed: parts[] would be most of the work */
    struct gw_str decoded = gw_path_decode(a, path);

    *info = (struct gw_request_info){.verb = method, .path = decoded};
    if (decoded.p == NULL) {
        return "the path has a broken escape";
    }
    w.arena = a;
    w.info = info;
    w.method = method;
    w.query = query;
    w.at = w.n = 0;
    w.own = false;
    split(&w, decoded);
    return take_path(&w);
}
