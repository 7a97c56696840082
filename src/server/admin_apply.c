/*
 * admin_apply.c - several objects written in one step: all are there or none, and no request is
 * decided by some of them.
 *
 * Over the admin socket alone, which may write everything: on a listener each object would have to
 * be decided by itself.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/files.h"
#include "registry/lease.h"
#include "server/admin_claims.h"
#include "server/admin_owner.h"
#include "server/admin_write.h"
#include "server/endpoint_status.h"

#define MOST 1000 /* objects: Redis serves nobody else meanwhile */

/* What is wrong with the i-th one; frees the diag. */
static enum gw_verdict
refuse_item(struct gw_admin_call *call, size_t i, struct gw_diag *diag)
{
    enum gw_verdict v =
        gw_admin_refuse(call, GW_ERR_BAD_OBJECT, "items[%zu]: %s", i, gw_diag_first(diag));

    gw_diag_fini(diag);
    return v;
}

/* What is read has it, and is written back. */
static void
strip_status(json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "kind"));
    const struct gw_kind *kind =
        name == NULL ? NULL : gw_kind_find(GW_STR("ksgate.io"), gw_str_of(name));

    if (kind != NULL) {
        gw_endpoint_status_strip(kind, item);
    }
}

/* Fills e->objects. */
static enum gw_verdict
read_items(struct gw_admin_call *call, struct gw_errand *e, const json_t *items)
{
    struct gw_map *seen = gw_map_new();
    enum gw_verdict v = GW_NEXT;
    size_t i;
    json_t *item;

    json_array_foreach(items, i, item)
    {
        struct gw_diag diag = {0};
        struct gw_object *o = NULL;

        strip_status(item);
        o = gw_object_new(item, NULL, &diag);

        if (o == NULL) {
            v = refuse_item(call, i, &diag);
            break;
        }
        gw_diag_fini(&diag);
        if (gw_map_put(seen, gw_str_of(o->key), o) != NULL) {
            v = gw_admin_refuse(call, GW_ERR_BAD_OBJECT,
                                "items[%zu]: %s \"%s\" is in the list twice", i, o->kind->kind,
                                o->name);
        } else {
            gw_errand_collect(e, o);
        }
        gw_object_unref(o);
        if (v != GW_NEXT) {
            break;
        }
    }
    gw_map_free(seen, NULL);
    return v;
}

/* ---- control thread ------------------------------------------------------------------------ */

/* They become what is stored, with what the store has added; or stay as they were sent, where that
 * has not come back yet. */
static void
update_objects(struct gw_errand *e)
{
    gw_errand_look_lag(e, e->revision);
    for (size_t i = 0; !e->lags && i < e->n_objects; i++) {
        struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->objects[i]->key);

        if (now != NULL) {
            gw_object_unref(e->objects[i]);
            e->objects[i] = now;
        }
    }
}

static void
on_written(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    for (size_t i = 0; i < e->n_objects; i++) {
        gw_admin_claims_end(e, e->objects[i]->key);
    }
    gw_errand_note(e, answer);
    if (e->result == GW_STORE_OK) {
        update_objects(e);
    }
    gw_errand_return_when(e);
}

static enum gw_store_when
when_of(const struct gw_object *o)
{
    return o->revision != 0 ? GW_WHEN_REVISION : GW_WHEN_ANY;
}

static void
foresee_all(struct gw_errand *e)
{
    for (size_t i = 0; i < e->n_objects; i++) {
        const struct gw_object *o = e->objects[i];

        e->refused = i;
        gw_admin_foresee(e, o->key, when_of(o), o->revision);
        if (e->result != GW_STORE_OK) {
            return;
        }
    }
}

/* Is what we know what the item is written over?  Else it has another owner, maybe.  What is of a
 * file has no revision, and stays. */
static bool
is_known(struct gw_errand *e, const struct gw_object *now, const struct gw_store_put *put)
{
    bool same = put->when != GW_WHEN_REVISION ||
                (now != NULL && (now->revision == 0 || now->revision == put->revision));

    e->lags = false;
    if (!same) {
        gw_errand_look_lag(e, put->revision);
        e->result = now == NULL && !e->lags ? GW_STORE_NOT_FOUND : GW_STORE_CONFLICT;
    }
    return same;
}

/* An Endpoint stays its owner's; a new one is whose the list says, which may be a backup, or ours.
 * Both hold if what stands there now does at the write.  False: e->result and e->text say why. */
static bool
keep_owner(struct gw_errand *e, size_t i, struct gw_store_put *put)
{
    struct gw_diag diag = {0};
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->objects[i]->key);

    if (!is_known(e, now, put)) {
        gw_object_unref(now);
        return false;
    }
    json_t *json = gw_object_json(now != NULL ? now : e->objects[i]);
    const char *owner = gw_owner_of(json);
    struct gw_object *stamped =
        gw_owner_stamp(e->objects[i], now == NULL && *owner == '\0' ? e->owner : owner, &diag);

    if (stamped != NULL) {
        e->objects[i] = stamped;
    } else {
        e->result = GW_STORE_UNAVAILABLE;
        e->text = gw_mem_strdup(gw_diag_first(&diag));
    }
    if (put->when == GW_WHEN_ANY && now == NULL) {
        put->when = GW_WHEN_ABSENT;
    } else if (put->when == GW_WHEN_ANY && now->revision > 0) { /* else it is a file's, and stays */
        put->when = GW_WHEN_REVISION;
        put->revision = now->revision;
    }
    json_decref(json);
    gw_object_unref(now);
    gw_diag_fini(&diag);
    return stamped != NULL;
}

/* False: e->refused is the one that is to blame. */
static bool
make_puts(struct gw_errand *e, struct gw_store_put *puts, struct gw_objects *objects)
{
    for (e->refused = 0; e->refused < e->n_objects; e->refused++) {
        size_t i = e->refused;
        const struct gw_object *o = e->objects[i];

        puts[i] = (struct gw_store_put){
            .when = when_of(o), .revision = o->revision, .lease_ms = gw_lease_ms(o)};
        if (gw_owner_counts(o->kind) && !keep_owner(e, i, &puts[i])) {
            return false;
        }
        puts[i].object = e->objects[i];
        gw_objects_add(objects, gw_object_ref(e->objects[i]));
    }
    return true;
}

static void
put_all(struct gw_errand *e)
{
    struct gw_objects objects = {0}; /* e may be home, and gone, before we are done */
    struct gw_store_put *puts;

    foresee_all(e); /* if not, it is for the store to say: memory may be behind it */
    bool refused = e->result == GW_STORE_OK && gw_admin_claims_refused(e, e->objects, e->n_objects);
    if (refused || (e->dry_run && e->result != GW_STORE_OK)) {
        gw_errand_return(e);
        return;
    }
    free(e->text);
    e->text = NULL;
    puts = gw_mem_alloc(e->n_objects * sizeof(*puts));
    if (make_puts(e, puts, &objects) && !e->dry_run) {
        gw_errand_before(e);
        gw_admin_claims_begin(e, e->objects, e->n_objects);
        gw_sync_put_all(gw_control_sync(e->control), puts, e->n_objects, on_written, e);
    } else {
        gw_errand_return(e);
    }
    gw_objects_fini(&objects);
    free(puts);
}

/* ---- worker --------------------------------------------------------------------------------- */

/* Somebody has registered, or left, since we looked whose it is; or that is not known here yet. */
static bool
is_late(const struct gw_errand *e)
{
    const struct gw_object *o = e->objects[e->refused];

    return (e->result == GW_STORE_CONFLICT || e->result == GW_STORE_EXISTS ||
            e->result == GW_STORE_NOT_FOUND) &&
           gw_owner_counts(o->kind) && (o->revision == 0 || e->lags) && e->tries < GW_ERRAND_TRIES;
}

static enum gw_verdict
answer_list(struct gw_errand *e, struct gw_admin_call *call)
{
    json_t *items;

    if (e->result != GW_STORE_OK && !e->dry_run && is_late(e)) {
        e->tries++;
        free(e->text);
        e->text = NULL;
        return gw_errand_send_again(e);
    }
    if (e->result != GW_STORE_OK) {
        const struct gw_object *o = e->objects[e->refused];

        call->kind = o->kind;
        call->name = gw_arena_str(call->req->arena, gw_str_of(o->name));
        return gw_errand_refuse(e, call);
    }
    items = json_array();
    for (size_t i = 0; i < e->n_objects; i++) {
        (void)json_array_append_new(items, gw_endpoint_status_object(e->objects[i]));
    }
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:s, s:{}, s:o}", "apiVersion", "v1", "kind", "List",
                                   "metadata", "items", items));
}

static enum gw_verdict
from_body(struct gw_admin_call *call, struct gw_str body)
{
    json_t *list = NULL;
    struct gw_str dry = gw_admin_query(call, "dryRun");
    enum gw_verdict v = gw_admin_parse(call, body, &list);
    const json_t *items = json_object_get(list, "items");

    if (v == GW_NEXT && (json_array_size(items) == 0 || json_array_size(items) > MOST)) {
        v = gw_admin_refuse(call, GW_ERR_BAD_OBJECT,
                            "a List is expected, whose items are 1 to %d objects; it has %zu", MOST,
                            json_array_size(items));
    }
    if (v != GW_NEXT) {
        json_decref(list);
        return v;
    }
    struct gw_errand *e = gw_errand_new(call, put_all, answer_list);
    e->owner = gw_mem_strdup(gw_owner_caller(call));
    e->dry_run = dry.n > 0;
    v = read_items(call, e, items);
    json_decref(list);
    if (v != GW_NEXT) {
        gw_errand_free(e);
        return v;
    }
    return gw_errand_send(e);
}

enum gw_verdict
gw_admin_apply(struct gw_admin_call *call)
{
    enum gw_verdict v = gw_admin_until(call);

    if (!call->req->subject.trusted) {
        return gw_admin_refuse(call, GW_ERR_FORBIDDEN,
                               "several objects in one step are taken over the admin socket only");
    }
    return v != GW_NEXT ? v : gw_admin_body(call, from_body);
}
