/* admin_objects.c - reading objects: get and list; and what all object requests begin with. */
#include "base/mem.h"
#include "modules/request_select.h"
#include "server/admin_errand.h"
#include "server/admin_select.h"
#include "server/admin_sight.h"
#include "server/admin_table.h"
#include "server/endpoint_status.h"
#include "server/object_status.h"

/* group, version, [namespaces, ns,] plural, [name]: what stands behind "apis/" or "api/". */
static void
split(struct gw_admin_call *call, struct gw_str *group, struct gw_str *version,
      struct gw_str *plural)
{
    bool core = gw_str_eq(call->part[0], GW_STR("api"));
    unsigned at = core ? 2 : 3;

    *group = core ? GW_STR("") : call->part[1];
    *version = call->part[core ? 1 : 2];
    if (call->n_parts - at >= 3) { /* namespaces, ns, plural */
        call->ns = call->part[at + 1];
        at += 2;
    }
    *plural = call->part[at];
    call->name = at + 1 < call->n_parts ? call->part[at + 1] : GW_STR_NONE;
}

static enum gw_verdict
no_kind(struct gw_admin_call *call, struct gw_str group, struct gw_str version,
        struct gw_str plural)
{
    const char *names[64];
    size_t n = 0;
    const char *near;

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL && n < 63; k++) {
        names[n++] = k->plural;
    }
    names[n] = NULL;
    near = gw_diag_nearest(plural, names);
    return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "the registry keeps no %.*s of %.*s%s%.*s%s%s%s",
                           GW_STR_ARG(plural), GW_STR_ARG(group), group.n == 0 ? "" : "/",
                           GW_STR_ARG(version), near == NULL ? "" : " (did you mean ",
                           near == NULL ? "" : near, near == NULL ? "" : "?)");
}

enum gw_verdict
gw_admin_locate(struct gw_admin_call *call)
{
    struct gw_str group;
    struct gw_str version;
    struct gw_str plural;
    struct gw_str dry = gw_admin_query(call, "dryRun");

    split(call, &group, &version, &plural);
    call->kind = gw_kind_by_plural(group, version, plural);
    if (call->kind == NULL) {
        return no_kind(call, group, version, plural);
    }
    if (!call->kind->namespaced && call->ns.n > 0) {
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT,
                               "%s belong to no namespace: leave namespaces/%.*s out of the path",
                               call->kind->plural, GW_STR_ARG(call->ns));
    }
    if (call->kind->namespaced && call->ns.n == 0 && call->name.n > 0) {
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT,
                               "%s belong to namespaces: the path needs namespaces/{namespace}",
                               call->kind->plural);
    }
    if (dry.n > 0 && !gw_str_eq(dry, GW_STR("All"))) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "dryRun=%.*s: only All is known",
                               GW_STR_ARG(dry));
    }
    call->dry_run = dry.n > 0;
    if (call->name.n > 0 && gw_request_select_watch(call->req->arena, call->req->target.query)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "collections are watched: ask for %s?watch=true&"
                               "fieldSelector=metadata.name=%.*s",
                               call->kind->plural, GW_STR_ARG(call->name));
    }
    return GW_NEXT;
}

static void
fetch(struct gw_errand *e)
{
    if (gw_errand_registry_known(e)) {
        e->object = gw_sync_get(gw_control_sync(e->control), e->key);
        e->result = e->object == NULL ? GW_STORE_NOT_FOUND : GW_STORE_OK;
    }
    gw_errand_return(e);
}

/* The object, for whoever may see it.  In whose way it is, who may get that is told. */
static json_t *
shown(const struct gw_admin_call *call, struct gw_viewer *v, const struct gw_object *o)
{
    const struct gw_object_hold *hold = gw_object_hold(o);
    json_t *json = gw_endpoint_status_object(o);

    if (hold != NULL && hold->winner != NULL && gw_admin_may_get(call, v, hold->winner)) {
        gw_object_status_name(json, hold);
    }
    return json;
}

static enum gw_verdict
answer_object(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_viewer viewer;

    gw_viewer_init(&viewer, call->req);
    if (e->result == GW_STORE_OK && !gw_admin_sees(&viewer, e->object)) {
        e->result = GW_STORE_NOT_FOUND;
    }
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    json_t *object = shown(call, &viewer, e->object);
    struct gw_admin_table table;
    if (gw_admin_table_read(&table, call) == GW_NEXT && table.version != NULL) {
        const json_t *metadata = json_object_get(object, "metadata");
        json_t *revision =
            json_pack("{s:O?}", "resourceVersion", json_object_get(metadata, "resourceVersion"));

        object = gw_admin_table_json(&table, call->kind, revision, json_pack("[o]", object));
    }
    return gw_admin_json(call->req, 200, object);
}

enum gw_verdict
gw_admin_get_object(struct gw_admin_call *call)
{
    struct gw_admin_table table;
    struct gw_errand *e;
    enum gw_verdict v = gw_admin_locate(call);

    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    if (v != GW_NEXT) {
        return v;
    }
    e = gw_errand_new(call, fetch, answer_object);
    e->key = gw_object_key(call->kind, call->ns, call->name);
    return gw_errand_send(e);
}

/* The revision is asked for before the list is made: both on this thread, so they agree. */
static void
collect(struct gw_errand *e)
{
    struct gw_sync_status status;

    if (gw_errand_registry_known(e)) {
        gw_sync_status(gw_control_sync(e->control), &status);
        e->result = GW_STORE_OK;
        e->revision = status.revision;
        gw_sync_list(gw_control_sync(e->control), e->kind, gw_str_of(e->ns), gw_errand_collect, e);
    }
    gw_errand_return(e);
}

static enum gw_verdict
answer_list(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_selection s = {0};
    struct gw_admin_table table;
    struct gw_viewer viewer;
    enum gw_verdict v;
    json_t *items;

    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    v = gw_selection_read(&s, call);
    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    if (v != GW_NEXT) {
        return v;
    }
    gw_viewer_init(&viewer, call->req);
    items = json_array();
    for (size_t i = 0; i < e->n_objects; i++) {
        if (gw_admin_sees(&viewer, e->objects[i]) && gw_selection_takes(&s, e->objects[i])) {
            (void)json_array_append_new(items, shown(call, &viewer, e->objects[i]));
        }
    }
    json_t *list = table.version == NULL
                       ? gw_selection_list(&s, call->kind, e->revision, items)
                       : gw_admin_table_json(&table, call->kind,
                                             gw_selection_metadata(&s, e->revision), items);
    return gw_admin_json(call->req, 200, list);
}

enum gw_verdict
gw_admin_list(struct gw_admin_call *call)
{
    struct gw_selection s = {0};
    struct gw_admin_table table;
    struct gw_errand *e;
    enum gw_verdict v = gw_admin_locate(call);

    if (v == GW_NEXT && gw_request_select_watch(call->req->arena, call->req->target.query)) {
        return gw_admin_watch(call); /* as RBAC has read it */
    }
    if (v == GW_NEXT) {
        v = gw_selection_read(&s, call); /* a wrong one is refused before the errand */
    }
    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    if (v != GW_NEXT) {
        return v;
    }
    e = gw_errand_new(call, collect, answer_list);
    e->kind = call->kind;
    e->ns = gw_mem_strndup(call->ns);
    return gw_errand_send(e);
}
