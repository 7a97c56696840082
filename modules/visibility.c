#include "modules/visibility.h"

#include "modules/rbac.h"
#include "modules/rbac_decide.h"

#define NAMED_MAX 10 /* workspaces, in a text */

/* Of a name that is not there: for nobody, which is found out as for all others. */
static const struct gw_ext_audience nobody = {.restricted = true, .subscribed = true};

/* ---- who sees it -------------------------------------------------------------------------- */

static bool
may(const struct gw_viewer *v, struct gw_str verb, struct gw_str extension)
{
    const struct gw_request_info info = {
        .verb = verb,
        .api_group = GW_STR("ksgate.io"),
        .api_version = GW_STR("v1"),
        .resource = GW_STR("extensionservices"),
        .name = extension,
        .scope = GW_STR("Cluster"), /* roles of workspaces say nothing about it */
        .is_resource = true,
    };

    return gw_rbac_decide(v->index, v->arena, v->subject, &info, GW_STR_NONE).allowed;
}

/* By a right to it that is of no workspace.  The name "": to all of them. */
static bool
may_know(const struct gw_viewer *v, struct gw_str extension)
{
    return may(v, GW_STR("get"), extension) || may(v, GW_STR("use"), extension);
}

static bool
is_member(struct gw_viewer *v, const struct gw_ext_audience *a, struct gw_str extension)
{
    struct gw_str workspace;

    gw_rbac_member_start(&v->member);
    while (gw_rbac_member_next(&v->member, &workspace)) {
        if (gw_ext_audience_has(a, v->world, extension, workspace)) {
            return true;
        }
    }
    return false;
}

static void
look(struct gw_viewer *v, const struct gw_world *world, const struct gw_rbac_index *x,
     struct gw_arena *arena, const struct gw_subject *subject)
{
    *v = (struct gw_viewer){.world = world, .subject = subject, .arena = arena, .index = x};
    gw_rbac_member_find(&v->member, x, arena, subject);
}

/* RBAC has not looked at roles then. */
static bool
is_asked_by_nobody(const struct gw_req *req)
{
    const char *policy = req->decision.policy;

    return req->subject.trusted || (policy != NULL && strcmp(policy, "allow_all") == 0);
}

void
gw_viewer_init_in(struct gw_viewer *v, const struct gw_req *req, struct gw_arena *arena)
{
    look(v, req->world, gw_world_index(req->world, &gw_rbac_view), arena, &req->subject);
    v->all = is_asked_by_nobody(req) || may_know(v, GW_STR(""));
}

void
gw_viewer_init(struct gw_viewer *v, const struct gw_req *req)
{
    gw_viewer_init_in(v, req, req->arena);
}

bool
gw_viewer_sees_one_for(struct gw_viewer *v, const struct gw_ext_audience *a,
                       struct gw_str extension)
{
    return v->all || !a->restricted || is_member(v, a, extension) || may_know(v, extension);
}

bool
gw_viewer_sees(struct gw_viewer *v, struct gw_str extension)
{
    const struct gw_ext_audience *a = gw_ext_index_audience(v->world, extension);

    if (a == NULL && !gw_ext_index_has_restricted(v->world)) {
        return true;
    }
    return gw_viewer_sees_one_for(v, a == NULL ? &nobody : a, extension);
}

/* ---- words for `explain` ------------------------------------------------------------------ */

static bool
has_before(const struct gw_str *list, unsigned n, struct gw_str name)
{
    for (unsigned i = 0; i < n; i++) {
        if (gw_str_eq(list[i], name)) {
            return true;
        }
    }
    return false;
}

/* "tom: ws1, ws2" */
static void
say_workspaces(struct gw_buf *out, struct gw_viewer *v)
{
    struct gw_str list[NAMED_MAX];
    struct gw_str workspace;
    unsigned n = 0;

    gw_buf_str(out, v->subject->name);
    gw_rbac_member_start(&v->member);
    while (n < NAMED_MAX && gw_rbac_member_next(&v->member, &workspace)) {
        if (!has_before(list, n, workspace)) {
            gw_buf_puts(out, n == 0 ? ": " : ", ");
            gw_buf_str(out, workspace);
            list[n++] = workspace;
        }
    }
    gw_buf_puts(out, n == 0 ? ", who is bound in none" : n == NAMED_MAX ? " ..." : "");
}

/* named: the workspace of the request; "": it names none, or a place in none. */
static struct gw_str
say_why(struct gw_viewer *v, const struct gw_ext_door *door, struct gw_str named)
{
    const struct gw_ext_audience *a = &door->route->spec->audience;
    struct gw_buf out = {0};

    gw_buf_printf(&out, "extension \"%.*s\" is not there for the caller: ", GW_STR_ARG(door->name));
    if (named.n == 0) {
        gw_buf_printf(&out, "not %s a workspace of ", a->subscribed ? "subscribed in" : "for");
        say_workspaces(&out, v);
    } else if (!gw_ext_audience_has(a, v->world, door->name, named)) {
        gw_buf_printf(&out, "not %s the workspace %.*s", a->subscribed ? "subscribed in" : "for",
                      GW_STR_ARG(named));
    } else {
        gw_buf_printf(&out, "it is in the workspace %.*s, and not one of those of ",
                      GW_STR_ARG(named));
        say_workspaces(&out, v);
    }
    gw_buf_printf(&out, "; `get` or `use` of extensionservices.ksgate.io \"%.*s\" would show it",
                  GW_STR_ARG(door->name));
    struct gw_str text = gw_arena_str(v->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    return text;
}

/* ---- a request ---------------------------------------------------------------------------- */

/* What is written down of it; the client is told what it would be of any name.  A name that is not
 * there is a denial, too: or keeping the one would take longer than keeping nothing of the other.
 */
static enum gw_verdict
hide(struct gw_req *req, struct gw_viewer *v, const struct gw_ext_door *door, struct gw_str named)
{
    struct gw_decision *d = &req->decision;

    if (!gw_world_knows(req->world)) { /* nor whose it is */
        return gw_ext_router_refuse(req);
    }
    d->allowed = GW_DENIED;
    d->policy = "visibility";
    d->extension = door->route == NULL ? GW_STR_NONE : door->route->name;
    d->series = d->extension;
    /* for the same reason, no words that have to be made when a client waits */
    d->reason = req->dry && door->route != NULL
                    ? say_why(v, door, named)
                    : GW_STR("there is no such extension for the caller");
    return gw_ext_router_refuse(req);
}

/* The workspace that the request is about; false when it is about no place.  A namespace that is
 * not there, or of another workspace than is named beside it, is in none. */
static bool
names_place(const struct gw_rbac_index *x, const struct gw_request_info *info,
            struct gw_str *workspace)
{
    *workspace = info->workspace;
    if (!info->is_resource || (info->ns.n == 0 && info->workspace.n == 0)) {
        return false;
    }
    if (info->ns.n > 0) {
        const struct gw_rbac_namespace *ns = gw_rbac_index_namespace(x, info->ns);

        *workspace = ns == NULL ? GW_STR("") : ns->workspace;
    }
    if (info->workspace.n > 0 && !gw_str_eq(info->workspace, *workspace)) {
        *workspace = GW_STR("");
    }
    return true;
}

/* It is for the place that is asked about, and so is the caller: whether it is for the workspace of
 * others is none of the caller's business.  False: *workspace is the place. */
static bool
is_for_place(struct gw_viewer *v, const struct gw_ext_door *door,
             const struct gw_request_info *info, struct gw_str *workspace)
{
    return !names_place(v->index, info, workspace) ||
           (gw_ext_audience_has(&door->route->spec->audience, v->world, door->name, *workspace) &&
            gw_rbac_member_of(&v->member, *workspace)) ||
           may_know(v, door->name);
}

enum gw_verdict
gw_visibility_enter(struct gw_req *req, const struct gw_rbac_index *x, bool sees_all)
{
    const struct gw_ext_door *door = gw_ext_router_door(req);
    const struct gw_ext_audience *a = door->route == NULL ? &nobody : &door->route->spec->audience;
    struct gw_viewer v;

    look(&v, req->world, x, req->arena, &req->subject);
    bool member = is_member(&v, a, door->name);
    bool sees = member || sees_all || may_know(&v, door->name);
    if (!sees || door->route == NULL) {
        return hide(req, &v, door, GW_STR(""));
    }
    enum gw_verdict verdict = gw_ext_router_enter(req, door);
    struct gw_str workspace;
    /* who is no member sees all of it */
    return verdict != GW_NEXT || !member || sees_all ||
                   is_for_place(&v, door, &req->info, &workspace)
               ? verdict
               : hide(req, &v, door, workspace);
}

bool
gw_visibility_would_enter(const struct gw_req *req, const struct gw_rbac_index *x,
                          struct gw_request_info *info)
{
    const struct gw_ext_door *door = gw_ext_router_door(req);
    struct gw_str workspace;
    struct gw_viewer v;

    if (door->route == NULL) {
        return false;
    }
    look(&v, req->world, x, req->arena, &req->subject);
    *info = req->info;
    gw_ext_router_info(req, door, info);
    return is_member(&v, &door->route->spec->audience, door->name)
               ? is_for_place(&v, door, info, &workspace)
               : may_know(&v, door->name);
}
