/* admin_write.c - creating and replacing objects. */
#include "server/admin_write.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "modules/rbac_say.h"
#include "registry/lease.h"
#include "server/admin_claims.h"
#include "server/admin_fit.h"
#include "server/admin_owner.h"
#include "server/admin_sight.h"
#include "server/endpoint_status.h"

/* Puts what the path says into a body that leaves it out, and refuses one that says otherwise. */
static enum gw_verdict
settle(struct gw_admin_call *call, json_t *object, const char *name, const char *shown,
       struct gw_str wanted)
{
    json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    if (wanted.n == 0 || (text != NULL && gw_str_eq(gw_str_of(text), wanted))) {
        return GW_NEXT;
    }
    if (value != NULL && !(text != NULL && *text == '\0')) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "%s of the object (%s) is not that of the path (%.*s)", shown,
                               text == NULL ? "not text" : text, GW_STR_ARG(wanted));
    }
    (void)json_object_set_new(object, name, json_stringn(wanted.p, wanted.n));
    return GW_NEXT;
}

static enum gw_verdict
settle_all(struct gw_admin_call *call, json_t *json)
{
    const struct gw_kind *k = call->kind;
    const char *version = gw_arena_printf(call->req->arena, "%s%s%s", k->group,
                                          k->group[0] == '\0' ? "" : "/", k->version);
    json_t *metadata = json_object_get(json, "metadata");
    enum gw_verdict v = settle(call, json, "apiVersion", "apiVersion", gw_str_of(version));

    if (v == GW_NEXT) {
        v = settle(call, json, "kind", "kind", gw_str_of(k->kind));
    }
    if (v != GW_NEXT || (metadata != NULL && !json_is_object(metadata))) {
        return v; /* metadata of a wrong type is named by the object's own checks */
    }
    if (metadata == NULL) {
        metadata = json_object();
        (void)json_object_set_new(json, "metadata", metadata);
    }
    v = settle(call, metadata, "name", "metadata.name", call->name);
    if (v == GW_NEXT) {
        v = settle(call, metadata, "namespace", "metadata.namespace", call->ns);
    }
    if (v == GW_NEXT && call->name.n == 0) {
        const char *name = json_string_value(json_object_get(metadata, "name"));

        call->name = gw_arena_str(call->req->arena, gw_str_of(name));
    }
    return v;
}

enum gw_verdict
gw_admin_object(struct gw_admin_call *call, json_t *json, struct gw_object **out)
{
    struct gw_diag diag = {0};
    enum gw_verdict v = settle_all(call, json);

    if (v != GW_NEXT) {
        return v;
    }
    gw_endpoint_status_strip(call->kind, json);
    *out = gw_object_new(json, NULL, &diag);
    if (*out == NULL) {
        return gw_admin_invalid(call, &diag);
    }
    gw_diag_fini(&diag); /* warnings are for `check` and `apply`, who read files */
    return GW_NEXT;
}

void
gw_admin_foresee(struct gw_errand *e, const char *key, enum gw_store_when when, uint64_t revision)
{
    const struct gw_sync *sync = gw_control_sync(e->control);

    if (!gw_errand_registry_known(e)) {
        return;
    }
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), key);
    bool there = now != NULL;
    bool same = there && now->revision == revision;
    gw_object_unref(now);
    e->result = GW_STORE_OK;
    if (when == GW_WHEN_ABSENT && there) { /* first: what is hidden only exists */
        e->result = GW_STORE_EXISTS;
    } else if (gw_sync_is_read_only(sync, key)) {
        e->result = GW_STORE_READ_ONLY;
    } else if ((when == GW_WHEN_REVISION || when == GW_WHEN_PRESENT) && !there) {
        e->result = GW_STORE_NOT_FOUND;
    } else if (when == GW_WHEN_REVISION && !same) {
        e->result = GW_STORE_CONFLICT;
    }
}

/* e->object becomes what is stored now: as it has come back, or, where it has not yet, as it was
 * sent, with its revision. */
static void
update_object(struct gw_errand *e)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);

    if (now == NULL || now->revision < e->revision) {
        struct gw_diag diag = {0};
        json_t *json = gw_object_json(e->object);
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, e->revision);
        (void)json_object_set_new(json_object_get(json, "metadata"), "resourceVersion",
                                  json_string(text));
        gw_object_unref(now);
        now = gw_object_stored(json, &diag); /* it was valid, and still is */
        json_decref(json);
        gw_diag_fini(&diag);
    }
    if (now != NULL) { /* with what the store has added to it */
        gw_object_unref(e->object);
        e->object = now;
    }
}

void
gw_admin_written(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    gw_admin_claims_end(e, e->key);
    gw_errand_note(e, answer);
    if (answer->result == GW_STORE_OK && e->object != NULL) { /* else it is deleted */
        update_object(e);
    }
    gw_errand_return_when(e);
}

/* A dry run answers with the object as it would be: with the uid and age that it has.  e->result
 * says already what the store would. */
static void
put_dry(struct gw_errand *e, struct gw_object *now)
{
    static const char *const kept[] = {"uid", "creationTimestamp", "resourceVersion", NULL};
    struct gw_diag diag = {0};
    json_t *json = gw_object_json(e->object);
    json_t *there = now == NULL ? NULL : gw_object_json(now);
    json_t *metadata = json_object_get(json, "metadata");
    const json_t *old = json_object_get(there, "metadata");

    for (const char *const *k = kept; *k != NULL; k++) {
        json_t *value = json_object_get(old, *k);

        if (value != NULL) {
            (void)json_object_set(metadata, *k, value);
        }
    }
    now = gw_object_stored(json, &diag); /* it was valid, and still is */
    if (now != NULL) {
        gw_object_unref(e->object);
        e->object = now;
    }
    json_decref(there);
    json_decref(json);
    gw_diag_fini(&diag);
    gw_errand_return(e);
}

/* The store has answered a gw_admin_put(). */
static void
put_done(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    if (e->only_uid != NULL) {
        gw_admin_fit_note(e, answer->result, answer->revision);
    }
    gw_admin_written(e, answer);
}

void
gw_admin_put(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);
    struct gw_object *now = gw_sync_get(sync, e->key);
    struct gw_object *object = gw_object_ref(e->object); /* e may be home before we are done */
    struct gw_store_put put = {.object = object,
                               .when = e->when,
                               .revision = e->revision,
                               .lease_ms = gw_lease_ms(object)};

    if (e->only_uid != NULL) {
        put.when = GW_WHEN_REVISION;
        put.revision = gw_admin_fit_revision(e);
    }
    e->created = now == NULL && (put.when == GW_WHEN_ANY || put.when == GW_WHEN_ABSENT);
    gw_admin_foresee(e, e->key, put.when, put.revision); /* memory may be behind the store */
    /* No uid is known then: the store would only say that another one is there. */
    bool no_uids = e->only_uid != NULL && e->unknown;
    if (no_uids || (e->result == GW_STORE_OK && gw_admin_claims_refused(e, &object, 1))) {
        gw_errand_return(e);
    } else if (e->dry_run) {
        if (e->only_uid != NULL) {
            gw_admin_fit_note(e, e->result, now == NULL ? 0 : now->revision);
        }
        put_dry(e, now);
    } else {
        gw_errand_before(e);
        gw_admin_claims_begin(e, &object, 1);
        gw_sync_put(sync, &put, put_done, e);
    }
    gw_object_unref(object);
    gw_object_unref(now);
}

/* What a PUT of a name that is not there asks for, beside `update` (Kubernetes: the authorizer is
 * asked again when an update turns out to create). */
static struct gw_request_info
creation(const struct gw_admin_call *call)
{
    struct gw_request_info info = call->req->info;

    info.verb = GW_STR("create");
    return info;
}

static enum gw_verdict
refuse_creation(struct gw_admin_call *call)
{
    const struct gw_request_info info = creation(call);
    struct gw_str text = gw_rbac_say_forbidden(call->req->arena, &call->req->subject, &info);

    return gw_admin_refuse(call, GW_ERR_FORBIDDEN, "%.*s", GW_STR_ARG(text));
}

enum gw_verdict
gw_admin_answer_put(struct gw_errand *e, struct gw_admin_call *call)
{
    if (gw_admin_fit_is_behind(e) && e->tries < GW_ERRAND_TRIES) {
        e->tries++;
        return gw_errand_send_again(e);
    }
    if (e->result == GW_STORE_NOT_FOUND && e->may_not_create) {
        return refuse_creation(call);
    }
    if (e->unfit != NULL) {
        return gw_admin_fit_refuse(e, call);
    }
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    return gw_admin_json(call->req, e->created ? 201 : 200, gw_object_json(e->object));
}

struct gw_errand *
gw_admin_put_errand(struct gw_admin_call *call, struct gw_object *object)
{
    struct gw_errand *e = gw_errand_new(call, gw_admin_put, gw_admin_answer_put);

    e->key = gw_mem_strdup(object->key);
    e->object = object;
    e->dry_run = call->dry_run;
    return e;
}

enum gw_verdict
gw_admin_write_by(struct gw_admin_call *call, gw_admin_body_fn *then)
{
    enum gw_verdict v = gw_admin_locate(call);

    v = v == GW_NEXT ? gw_admin_until(call) : v;
    return v != GW_NEXT ? v : gw_admin_body(call, then);
}

/* The object of the body, which the caller may write: GW_NEXT and a reference in *out, or the
 * refusal.  uid: if not NULL, that which it names. */
static enum gw_verdict
read_object(struct gw_admin_call *call, struct gw_str body, struct gw_object **out, char **uid)
{
    json_t *json = NULL;
    enum gw_verdict v = gw_admin_parse(call, body, &json);

    if (v != GW_NEXT) {
        return v;
    }
    v = gw_admin_object(call, json, out);
    if (v == GW_NEXT) {
        v = gw_admin_may_write(call, *out);
        if (v != GW_NEXT) {
            gw_object_unref(*out);
        } else if (uid != NULL) {
            *uid = gw_admin_fit_uid(json);
        }
    }
    json_decref(json);
    return v;
}

static enum gw_verdict
create(struct gw_admin_call *call, struct gw_str body)
{
    struct gw_object *object = NULL;
    struct gw_errand *e;
    enum gw_verdict v = read_object(call, body, &object, NULL); /* a new one gets its own uid */

    if (v != GW_NEXT) {
        return v;
    }
    if (object->revision != 0) {
        gw_object_unref(object);
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "metadata.resourceVersion must not be set on a new object");
    }
    v = gw_owner_counts(call->kind) ? gw_owner_decide(call, NULL, &object) : GW_NEXT;
    if (v != GW_NEXT) {
        gw_object_unref(object);
        return v;
    }
    e = gw_admin_put_errand(call, object);
    e->when = GW_WHEN_ABSENT;
    return gw_errand_send(e); /* what is there is not touched */
}

enum gw_verdict
gw_admin_create(struct gw_admin_call *call)
{
    return gw_admin_write_by(call, create);
}

/* Without a resourceVersion the last writer wins, and what is not there is created: by whoever may.
 * Others write what is there, which is for the store to know, and not for a look before. */
static void
wish(struct gw_errand *e, const struct gw_admin_call *call, uint64_t revision)
{
    const struct gw_request_info info = creation(call);

    e->revision = revision;
    e->may_not_create = revision == 0 && !gw_admin_may(call, &info);
    e->when = revision != 0 ? GW_WHEN_REVISION : e->may_not_create ? GW_WHEN_PRESENT : GW_WHEN_ANY;
}

static enum gw_verdict
replace(struct gw_admin_call *call, struct gw_str body)
{
    struct gw_object *object = NULL;
    char *uid = NULL;
    struct gw_errand *e;
    enum gw_verdict v = read_object(call, body, &object, &uid);

    if (v != GW_NEXT) {
        return v;
    }
    e = gw_admin_put_errand(call, object);
    e->only_uid = uid;
    e->only_revision = object->revision != 0;
    wish(e, call, object->revision);
    return gw_admin_send_seen(e);
}

enum gw_verdict
gw_admin_replace(struct gw_admin_call *call)
{
    return gw_admin_write_by(call, replace);
}
