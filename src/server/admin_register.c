/*
 * admin_register.c - backends that register themselves (admin_endpoints.h).
 *
 * The same content again only renews the lease, which makes no new revision and no work for the
 * other gateways.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "modules/ext_index.h"
#include "registry/lease.h"
#include "server/admin_endpoints.h"
#include "server/admin_owner.h"
#include "server/admin_renew.h"
#include "server/admin_write.h"

static json_t *
spec_of(struct gw_str extension, const struct gw_registration *r)
{
    json_t *spec =
        json_pack("{s:s%, s:s, s:I, s:I}", "extension", extension.p, extension.n, "url", r->url,
                  "weight", (json_int_t)r->weight, "leaseSeconds", (json_int_t)r->lease_seconds);

    if (r->version != NULL && *r->version != '\0') {
        (void)json_object_set_new(spec, "version", json_string(r->version));
    }
    if (r->draining) {
        (void)json_object_set_new(spec, "draining", json_true());
    }
    return spec;
}

/* What stands there has it, too? */
static bool
same_content(const json_t *there, const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    bool same = json_equal(json_object_get(there, "spec"), json_object_get(json, "spec"));

    json_decref(json);
    return same;
}

/* ---- control thread ------------------------------------------------------------------------- */

/* Writes it as that owner's.  But for operators, what is sent says it already. */
static void
put_of(struct gw_errand *e, const char *owner)
{
    struct gw_diag diag = {0};
    struct gw_object *o = e->overrides ? gw_owner_stamp(e->object, owner, &diag) : e->object;

    if (o == NULL) { /* with that owner's name it is too large */
        e->text = gw_mem_strdup(gw_diag_first(&diag));
        gw_endpoints_return(e, GW_STORE_INVALID);
    } else {
        e->object = o;
        gw_admin_put(e);
    }
    gw_diag_fini(&diag);
}

/* The lease was over when the renewal came: then it is a registration after all. */
static void
on_renewed(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    if (answer->result == GW_STORE_NOT_FOUND) {
        e->when = GW_WHEN_ABSENT;
        put_of(e, e->owner);
        return;
    }
    gw_admin_written(e, answer);
}

/* Over what stands there, and is the caller's or nobody's so far, or whose owner stays. */
static void
register_over(struct gw_errand *e, const struct gw_object *now, const json_t *there)
{
    const char *owner = gw_owner_of(there);

    if (now->revision > 0) { /* else it is a file's, and stays */
        e->when = GW_WHEN_REVISION;
        e->revision = now->revision;
    }
    if (*owner != '\0' && same_content(there, e->object) && !e->dry_run) {
        gw_errand_before(e);
        gw_sync_renew(gw_control_sync(e->control), e->key, now->revision, gw_lease_ms(e->object),
                      on_renewed, e);
    } else {
        put_of(e, *owner == '\0' ? e->owner : owner);
    }
}

/* An Endpoint of an extension that is not there would be an orphan. */
static void
register_there(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);
    struct gw_object *extension;
    struct gw_object *now;
    json_t *there;

    if (!gw_errand_registry_known(e)) {
        gw_errand_return(e);
        return;
    }
    extension = gw_sync_get(sync, e->parent);
    if (extension == NULL) {
        gw_endpoints_return(e, GW_STORE_NOT_FOUND);
        return;
    }
    gw_object_unref(extension);
    now = gw_sync_get(sync, e->key);
    if (now == NULL) {
        e->when = GW_WHEN_ABSENT;
        put_of(e, e->owner);
        return;
    }
    there = gw_object_json(now);
    if (!gw_endpoints_is_of(there, e->parent) || gw_endpoints_is_others(e, there)) {
        gw_endpoints_return(e, GW_STORE_EXISTS);
    } else {
        register_over(e, now, there);
    }
    json_decref(there);
    gw_object_unref(now);
}

/* ---- worker --------------------------------------------------------------------------------- */

static enum gw_verdict
answer_registered(struct gw_errand *e, struct gw_admin_call *call)
{
    enum gw_verdict v = gw_endpoints_back(e, call);

    if (v != GW_NEXT) {
        return v;
    }
    if (e->result == GW_STORE_NOT_FOUND && e->when == GW_WHEN_ANY) {
        call->kind = gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService"));
        call->name = gw_endpoints_extension(call);
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT,
                               "extensionservices.ksgate.io \"%.*s\" not found: create the "
                               "ExtensionService first (ksgate apply -f), then register its "
                               "endpoints",
                               GW_STR_ARG(call->name));
    }
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    long long lease_ms = gw_lease_ms(e->object);
    if (e->dry_run) {
        return gw_admin_answer_lease(call, e->created, lease_ms,
                                     gw_clock_wall_ms() + (uint64_t)lease_ms, e->object->revision);
    }
    return gw_admin_answer_lease(call, e->created, lease_ms, e->lease_until_ms, e->revision);
}

/* All of it, by way of an object. */
static enum gw_verdict
register_whole(struct gw_admin_call *call)
{
    struct gw_str extension = gw_endpoints_extension(call);
    struct gw_object *object = NULL;
    json_t *json =
        json_pack("{s:{}, s:o}", "metadata", "spec", spec_of(extension, call->registered));

    gw_owner_set(json, gw_owner_caller(call)); /* as it nearly always is */
    enum gw_verdict v = gw_admin_object(call, json, &object);
    json_decref(json);
    if (v != GW_NEXT) {
        return v;
    }
    struct gw_errand *e = gw_admin_put_errand(call, object);
    e->there = register_there;
    e->back = answer_registered;
    e->owner = gw_mem_strdup(gw_owner_caller(call));
    e->parent = gw_endpoints_parent(call);
    return gw_errand_send(e);
}

/* NULL: as far as this worker knows, more than its lease is new, or it is not the caller's. */
static struct gw_renewal *
renewal_of(struct gw_admin_call *call, const struct gw_registration *r)
{
    struct gw_str extension = gw_endpoints_extension(call);
    const char *version = r->version == NULL ? "" : r->version;
    const char *key =
        gw_arena_printf(call->req->arena, "ksgate.io/Endpoint//%.*s", GW_STR_ARG(call->name));
    const struct gw_ext_backend *b = gw_ext_index_backend(call->req->world, key);

    if (b == NULL || b->revision == 0 || strcmp(b->url, r->url) != 0 ||
        strcmp(b->version, version) != 0 || b->weight != r->weight ||
        b->lease_seconds != r->lease_seconds || b->draining != r->draining ||
        !gw_str_eq(gw_str_of(b->extension), extension) ||
        strcmp(b->owner, gw_owner_caller(call)) != 0 ||
        gw_ext_index_find(call->req->world, extension) == NULL) {
        return NULL;
    }
    struct gw_renewal *renewal = gw_arena_alloc(call->req->arena, sizeof(*renewal));
    *renewal = (struct gw_renewal){.key = key,
                                   .revision = b->revision,
                                   .lease_ms = r->lease_seconds * 1000,
                                   .otherwise = register_whole};
    return renewal;
}

static enum gw_verdict
register_body(struct gw_admin_call *call, struct gw_str body)
{
    struct gw_registration *r = gw_arena_alloc(call->req->arena, sizeof(*r));
    bool waits = gw_admin_query(call, "wait").n > 0 || call->dry_run;
    json_t *json = NULL;
    enum gw_verdict v = gw_admin_parse(call, body, &json);

    if (v == GW_NEXT) {
        v = gw_endpoints_read(call, json, r);
    }
    json_decref(json);
    if (v != GW_NEXT) {
        return v;
    }
    call->registered = r;
    const struct gw_renewal *renewal = waits ? NULL : renewal_of(call, r);
    return renewal == NULL ? register_whole(call) : gw_admin_renew(call, renewal);
}

enum gw_verdict
gw_admin_register(struct gw_admin_call *call)
{
    enum gw_verdict v = gw_endpoints_locate(call);

    return v != GW_NEXT ? v : gw_admin_body(call, register_body);
}
