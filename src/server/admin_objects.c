/* admin_objects.c - reading objects: get and list; and what all object requests begin with. */
#include "base/mem.h"
#include "modules/request_select.h"
#include "server/admin_errand.h"
#include "server/admin_leases.h"
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

/* Which one may be meant: of that group, if there is one; NULL: none. */
static const struct gw_kind *
nearest_kind(struct gw_str group, struct gw_str plural)
{
    const struct gw_kind *found = NULL;
    const char *names[64];
    size_t n = 0;

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL && n < 63; k++) {
        names[n++] = k->plural;
    }
    names[n] = NULL;
    const char *near = gw_diag_nearest(plural, names);
    for (const struct gw_kind *k = gw_kinds; near != NULL && k->kind != NULL; k++) {
        if (strcmp(k->plural, near) == 0 &&
            (found == NULL || gw_str_eq(group, gw_str_of(k->group)))) {
            found = k;
        }
    }
    return found;
}

static enum gw_verdict
no_kind(struct gw_admin_call *call, struct gw_str group, struct gw_str version,
        struct gw_str plural)
{
    const struct gw_kind *near = nearest_kind(group, plural);
    const char *hint =
        near == NULL
            ? ""
            : gw_arena_printf(call->req->arena, " (did you mean %s of %s%s%s?)", near->plural,
                              near->group, near->group[0] == '\0' ? "" : "/", near->version);

    return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "the registry keeps no %.*s of %.*s%s%.*s%s",
                           GW_STR_ARG(plural), GW_STR_ARG(group), group.n == 0 ? "" : "/",
                           GW_STR_ARG(version), hint);
}

enum gw_verdict
gw_admin_dry_run(struct gw_admin_call *call)
{
    struct gw_str dry = gw_admin_query(call, "dryRun");

    if (dry.n > 0 && !gw_str_eq(dry, GW_STR("All"))) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "dryRun=%.*s: only All is known",
                               GW_STR_ARG(dry));
    }
    call->dry_run = dry.n > 0;
    return GW_NEXT;
}

enum gw_verdict
gw_admin_locate(struct gw_admin_call *call)
{
    struct gw_str group;
    struct gw_str version;
    struct gw_str plural;

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
    enum gw_verdict v = gw_admin_dry_run(call);
    if (v != GW_NEXT) {
        return v;
    }
    if (call->name.n > 0 && gw_request_select_watch(call->req->arena, call->req->target.query)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "collections are watched: ask for %s?watch=true&"
                               "fieldSelector=metadata.name=%.*s",
                               call->kind->plural, GW_STR_ARG(call->name));
    }
    return GW_NEXT;
}

/* How new it has to be (Kubernetes API concepts, "Resource versions"): there is no older state than
 * the present one. */
static enum gw_verdict
read_revision(struct gw_admin_call *call, uint64_t *revision)
{
    struct gw_str match = gw_admin_query(call, "resourceVersionMatch");
    enum gw_verdict v = gw_admin_number(call, "resourceVersion", revision);

    if (v == GW_NEXT && match.n > 0 && !gw_str_eq(match, GW_STR("NotOlderThan")) &&
        !gw_str_eq(match, GW_STR("Exact"))) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "resourceVersionMatch=%.*s: only NotOlderThan and Exact are known",
                               GW_STR_ARG(match));
    }
    if (v == GW_NEXT && gw_str_eq(match, GW_STR("Exact")) && *revision == 0 &&
        gw_admin_query(call, "resourceVersion").n > 0) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "resourceVersionMatch=Exact is of a resourceVersion that is not 0");
    }
    if (v == GW_NEXT && match.n > 0 && gw_admin_query(call, "resourceVersion").n == 0) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "resourceVersionMatch is of a resourceVersion, which is missing");
    }
    return v;
}

/* Of a registry whose revision is in e->revision. */
static enum gw_store_result
compare_revision(const struct gw_errand *e, const struct gw_admin_call *call)
{
    bool exact = gw_str_eq(gw_admin_query(call, "resourceVersionMatch"), GW_STR("Exact"));

    return exact && e->result == GW_STORE_OK && e->revision != e->wanted_revision ? GW_STORE_TOO_OLD
                                                                                  : e->result;
}

/* Control.  False: what is to be read is not here yet, or nothing is known. */
static bool
may_read(struct gw_errand *e)
{
    struct gw_sync_status status;

    if (!gw_errand_registry_known(e)) {
        return false;
    }
    gw_sync_status(gw_control_sync(e->control), &status);
    e->result = GW_STORE_OK;
    e->revision = status.revision;
    e->lags = status.revision < e->wanted_revision;
    return !e->lags;
}

/* Another gateway may have told the client of a revision that comes in a moment. */
static enum gw_verdict
wait_for_revision(struct gw_errand *e, struct gw_admin_call *call)
{
    if (e->tries == GW_ERRAND_TRIES) {
        return gw_admin_refuse_too_new(call, e->wanted_revision, e->revision);
    }
    e->tries++;
    return gw_errand_send_again(e);
}

static void
fetch(struct gw_errand *e)
{
    if (may_read(e)) {
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

    if (e->lags) {
        return wait_for_revision(e, call);
    }
    gw_viewer_init(&viewer, call->req);
    if (e->result == GW_STORE_OK && !gw_admin_sees(&viewer, e->object)) {
        e->result = GW_STORE_NOT_FOUND;
    }
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    if (gw_admin_leases_open(e, call->kind)) {
        gw_admin_leases_add(e, e->object);
        if (gw_admin_leases_any(e)) {
            return gw_admin_leases_send(e);
        }
    }
    json_t *object = shown(call, &viewer, e->object);
    size_t lease = 0;
    gw_endpoint_status_expires(object, gw_admin_leases_next(e, &lease, e->object));
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
    uint64_t revision = 0;
    enum gw_verdict v = gw_admin_locate(call);

    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    v = v == GW_NEXT ? gw_admin_number(call, "resourceVersion", &revision) : v;
    if (v != GW_NEXT) {
        return v;
    }
    e = gw_errand_new(call, fetch, answer_object);
    e->wanted_revision = revision;
    e->key = gw_object_key(call->kind, call->ns, call->name);
    return gw_errand_send(e);
}

/* The revision is asked for before the list is made: both on this thread, so they agree. */
static void
collect(struct gw_errand *e)
{
    if (may_read(e)) {
        gw_sync_list(gw_control_sync(e->control), e->kind, gw_str_of(e->ns), gw_errand_collect, e);
    }
    gw_errand_return(e);
}

/* Once, before a page is chosen: what is seen may be other objects when it is shown. */
static void
keep_seen(struct gw_errand *e, struct gw_viewer *viewer)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n_objects; i++) {
        if (gw_admin_sees(viewer, e->objects[i])) {
            e->objects[n++] = e->objects[i];
        } else {
            gw_object_unref(e->objects[i]);
        }
    }
    e->n_objects = n;
}

/* Those of the page. */
static void
add_leases(struct gw_errand *e, struct gw_selection s)
{
    for (size_t i = 0; i < e->n_objects; i++) {
        if (gw_selection_takes(&s, e->objects[i])) {
            gw_admin_leases_add(e, e->objects[i]);
        }
    }
}

/* again: it was chosen before; who reads may not see all of it any more. */
static json_t *
page_of(struct gw_errand *e, struct gw_admin_call *call, struct gw_viewer *viewer,
        struct gw_selection *s, bool again)
{
    json_t *items = json_array();
    size_t lease = 0;

    for (size_t i = 0; i < e->n_objects; i++) {
        struct gw_object *o = e->objects[i];

        if (!gw_selection_takes(s, o)) {
            continue;
        }
        uint64_t ends_ms = gw_admin_leases_next(e, &lease, o);
        if (!again || gw_admin_sees(viewer, o)) {
            json_t *object = shown(call, viewer, o);

            gw_endpoint_status_expires(object, ends_ms);
            (void)json_array_append_new(items, object);
        }
    }
    return items;
}

static enum gw_verdict
answer_list(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_selection s = {0};
    struct gw_admin_table table;
    struct gw_viewer viewer;
    bool again = e->lease_ends != NULL;
    enum gw_verdict v;

    if (e->lags) {
        return wait_for_revision(e, call);
    }
    e->result = compare_revision(e, call);
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    v = gw_selection_read(&s, call);
    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    if (v != GW_NEXT) {
        return v;
    }
    gw_viewer_init(&viewer, call->req);
    if (!again) {
        keep_seen(e, &viewer);
    }
    if (gw_admin_leases_open(e, call->kind)) {
        add_leases(e, s);
        if (gw_admin_leases_any(e)) {
            return gw_admin_leases_send(e);
        }
    }
    json_t *items = page_of(e, call, &viewer, &s, again);
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
    uint64_t revision = 0;
    enum gw_verdict v = gw_admin_locate(call);

    if (v == GW_NEXT && gw_request_select_watch(call->req->arena, call->req->target.query)) {
        return gw_admin_watch(call); /* as RBAC has read it */
    }
    if (v == GW_NEXT) {
        v = gw_selection_read(&s, call); /* a wrong one is refused before the errand */
    }
    v = v == GW_NEXT ? gw_admin_table_read(&table, call) : v;
    v = v == GW_NEXT ? read_revision(call, &revision) : v;
    if (v != GW_NEXT) {
        return v;
    }
    e = gw_errand_new(call, collect, answer_list);
    /* The next page may be asked of a gateway that is behind the one that had the first. */
    e->wanted_revision = revision > s.since ? revision : s.since;
    e->kind = call->kind;
    e->ns = gw_mem_strndup(call->ns);
    return gw_errand_send(e);
}
