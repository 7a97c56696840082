/*
 * admin_endpoints.c - backends that register themselves.
 *
 *     PUT    .../extensionservices/{name}/endpoints/{id}   registers, or renews the lease
 *     DELETE .../extensionservices/{name}/endpoints/{id}   leaves; with a body, the one of that url
 *
 * What is registered is the Endpoint "{name}.{id}".  The id has no dot, so that two extensions,
 * of which one is "a" and the other "a.b", never meet in one name.  The same content again only
 * renews the lease, which makes no new revision and no work for the other gateways.
 *
 * Whose it is (admin_owner.h) is found out where the registry is, so that a renewal is one way
 * there and back, and holds at the write: that is done to what was looked at, or anew.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/schema.h"
#include "modules/ext_index.h"
#include "modules/ext_spec.h"
#include "registry/lease.h"
#include "server/admin_owner.h"
#include "server/admin_renew.h"
#include "server/admin_write.h"

/* apis/ksgate.io/v1/extensionservices/{name}/endpoints/{id} */
#define PART_EXTENSION 4
#define PART_ID        6

/* The body of a registration. */
struct registration {
    const char *url, *version;
    long long weight, lease_seconds;
    bool draining;
};

/* clang-format off */
static const struct gw_setting rows[] = {
    {.name = "url", .set = gw_set_text, .at = offsetof(struct registration, url),
     .flags = GW_REQUIRED, .help = "Where the backend listens: http://HOST:PORT."},
    {.name = "version", .set = gw_set_text, .at = offsetof(struct registration, version),
     .help = "The version of the extension that it runs."},
    {.name = "weight", .set = gw_set_int, .at = offsetof(struct registration, weight),
     .min = 0, .max = 1000, .initial = "1", .help = "Its share of the requests."},
    {.name = "leaseSeconds", .set = gw_set_int, .at = offsetof(struct registration, lease_seconds),
     .min = GW_LEASE_SECONDS_MIN, .max = GW_LEASE_SECONDS_MAX, .initial = "15", .flags = GW_NOT_SNAKE,
     .help = "It is forgotten when it is not renewed for that long."},
    {.name = "draining", .set = gw_set_bool, .at = offsetof(struct registration, draining),
     .help = "Gets no new requests any more."},
    {0},
};
/* clang-format on */

/* Finds what is in the path: the Endpoint's kind and name.  GW_NEXT, or the refusal. */
static enum gw_verdict
locate(struct gw_admin_call *call)
{
    struct gw_str id = call->part[PART_ID];

    call->kind = gw_kind_find(GW_STR("ksgate.io"), GW_STR("Endpoint"));
    call->name = gw_str_of(gw_arena_printf(call->req->arena, "%.*s.%.*s",
                                           GW_STR_ARG(call->part[PART_EXTENSION]), GW_STR_ARG(id)));
    if (gw_str_find(id, '.') < id.n) {
        return gw_admin_refuse(call, GW_ERR_BAD_OBJECT,
                               "\"%.*s\" can't be the id of an endpoint: it must have no dot",
                               GW_STR_ARG(id));
    }
    enum gw_verdict v = gw_admin_dry_run(call);
    return v == GW_NEXT ? gw_admin_until(call) : v;
}

static json_t *
spec_of(struct gw_str extension, const struct registration *r)
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

static char *
extension_key(struct gw_str extension)
{
    return gw_object_key(gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService")), GW_STR_NONE,
                         extension);
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

/* An Endpoint may have been written by hand, and then says itself whose it is. */
static bool
is_of(const json_t *endpoint, const char *key_of_extension)
{
    const json_t *spec = json_object_get(endpoint, "spec");
    const char *name = json_string_value(json_object_get(spec, "extension"));
    char *key = extension_key(gw_str_of(name));
    bool same = strcmp(key, key_of_extension) == 0;

    free(key);
    return same;
}

/* ---- control thread ------------------------------------------------------------------------- */

static void
go_home(struct gw_errand *e, enum gw_store_result result)
{
    e->when = GW_WHEN_ANY; /* it is final: nobody was faster */
    e->result = result;
    gw_errand_return(e);
}

/* Writes it as that owner's.  But for operators, what is sent says it already. */
static void
put_of(struct gw_errand *e, const char *owner)
{
    struct gw_diag diag = {0};
    struct gw_object *o = e->overrides ? gw_owner_stamp(e->object, owner, &diag) : e->object;

    if (o == NULL) { /* with that owner's name it is too large */
        e->text = gw_mem_strdup(gw_diag_first(&diag));
        go_home(e, GW_STORE_INVALID);
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

/* Is what stands there another's?  Then the errand knows whose. */
static bool
is_others(struct gw_errand *e, const json_t *there)
{
    const char *owner = gw_owner_of(there);

    if (*owner == '\0' || e->overrides || strcmp(owner, e->owner) == 0) {
        return false;
    }
    e->other = gw_mem_strdup(owner);
    return true;
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
        go_home(e, GW_STORE_NOT_FOUND);
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
    if (!is_of(there, e->parent) || is_others(e, there)) {
        go_home(e, GW_STORE_EXISTS);
    } else {
        register_over(e, now, there);
    }
    json_decref(there);
    gw_object_unref(now);
}

static const char *
url_of(const json_t *endpoint)
{
    const char *url = json_string_value(json_object_get(json_object_get(endpoint, "spec"), "url"));

    return url == NULL ? "" : url;
}

static void
on_compared(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;
    bool is_news = answer->result != GW_STORE_CONFLICT || answer->revision != e->revision;

    gw_errand_note(e, answer);
    if (is_news) {
        free(e->unfit);
        e->unfit = NULL;
    }
    gw_errand_return(e);
}

/* As far as memory knows another one has that id by now: one that was started in place of the
 * caller, say.  Memory may be behind, and the caller has just come: so the store is asked to delete
 * revision 0, which nothing has, and says which one it has. */
static void
compare(struct gw_errand *e, const char *url)
{
    e->unfit = gw_mem_strdup(url);
    if (e->dry_run) {
        e->result = GW_STORE_CONFLICT;
        gw_errand_return(e);
    } else {
        gw_sync_remove(gw_control_sync(e->control), e->key, GW_WHEN_REVISION, 0, on_compared, e);
    }
}

static void
leave_there(struct gw_errand *e)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);
    json_t *there;

    e->when = GW_WHEN_REVISION; /* 0: the registry knows nothing of it, either, or we are behind */
    e->revision = now == NULL ? 0 : now->revision;
    if (now == NULL) {
        gw_admin_remove(e);
        return;
    }
    there = gw_object_json(now);
    if (!is_of(there, e->parent)) {
        go_home(e, GW_STORE_NOT_FOUND);
    } else if (is_others(e, there)) {
        go_home(e, GW_STORE_EXISTS);
    } else if (e->url != NULL && strcmp(url_of(there), e->url) != 0) {
        compare(e, url_of(there));
    } else {
        e->when = now->revision > 0 ? GW_WHEN_REVISION : GW_WHEN_PRESENT;
        gw_admin_remove(e);
    }
    json_decref(there);
    gw_object_unref(now);
}

/* ---- worker --------------------------------------------------------------------------------- */

/* Somebody else was faster: the store has something else than memory. */
static bool
is_late(const struct gw_errand *e)
{
    return e->when != GW_WHEN_ANY && e->unfit == NULL &&
           (e->result == GW_STORE_CONFLICT || e->result == GW_STORE_EXISTS ||
            (e->result == GW_STORE_NOT_FOUND && e->object != NULL));
}

/* There and back once more: somebody else was faster, or the owner does not count.  False: what it
 * came back with is the answer. */
static bool
has_to_go_again(struct gw_errand *e, struct gw_admin_call *call)
{
    if (e->other != NULL && gw_owner_may_override(call)) {
        e->overrides = true;
    } else if (!is_late(e) || e->tries >= GW_ERRAND_TRIES) {
        return false;
    }
    e->tries += is_late(e);
    free(e->other);
    free(e->text);
    e->other = NULL;
    e->text = NULL;
    return true;
}

/* Nobody is faster so often in a row.  A 409 would send the backend away, as one that another has
 * replaced, or whose registration is a mistake. */
static enum gw_verdict
refuse_behind(struct gw_admin_call *call)
{
    return gw_admin_refuse(call, GW_ERR_REGISTRY_BEHIND, "%s", gw_err_text(GW_ERR_REGISTRY_BEHIND));
}

static enum gw_verdict
answer_registered(struct gw_errand *e, struct gw_admin_call *call)
{
    if (has_to_go_again(e, call)) {
        return gw_errand_send_again(e);
    }
    if (e->other != NULL) {
        return gw_owner_refuse(call, e->other);
    }
    if (is_late(e)) {
        return refuse_behind(call);
    }
    if (e->result == GW_STORE_NOT_FOUND && e->when == GW_WHEN_ANY) {
        call->kind = gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService"));
        call->name = call->part[PART_EXTENSION];
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

static enum gw_verdict
read_registration(struct gw_admin_call *call, const json_t *json, struct registration *r)
{
    struct gw_diag diag = {0};
    struct gw_loader loader = {.arena = call->req->arena, .diag = &diag};

    if (!gw_schema_load(&loader, r, json, rows, "", NULL)) {
        return gw_admin_invalid(call, &diag);
    }
    gw_diag_fini(&diag);
    return GW_NEXT;
}

/* All of it, by way of an object. */
static enum gw_verdict
register_whole(struct gw_admin_call *call)
{
    struct gw_str extension = call->part[PART_EXTENSION];
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
    e->parent = extension_key(extension);
    return gw_errand_send(e);
}

/* NULL: as far as this worker knows, more than its lease is new, or it is not the caller's. */
static struct gw_renewal *
renewal_of(struct gw_admin_call *call, const struct registration *r)
{
    struct gw_str extension = call->part[PART_EXTENSION];
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
    struct registration *r = gw_arena_alloc(call->req->arena, sizeof(*r));
    bool waits = gw_admin_query(call, "wait").n > 0 || call->dry_run;
    json_t *json = NULL;
    enum gw_verdict v = gw_admin_parse(call, body, &json);

    if (v == GW_NEXT) {
        v = read_registration(call, json, r);
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
    enum gw_verdict v = locate(call);

    return v != GW_NEXT ? v : gw_admin_body(call, register_body);
}

static enum gw_verdict
answer_left(struct gw_errand *e, struct gw_admin_call *call)
{
    if (has_to_go_again(e, call)) {
        return gw_errand_send_again(e);
    }
    if (e->other != NULL) {
        return gw_owner_refuse(call, e->other);
    }
    if (is_late(e)) {
        return refuse_behind(call);
    }
    if (e->result == GW_STORE_CONFLICT && e->unfit != NULL) {
        return gw_admin_refuse(call, GW_ERR_CONFLICT,
                               "endpoints.ksgate.io \"%.*s\" is registered with another url by now "
                               "(%s); nothing was changed",
                               GW_STR_ARG(call->name), e->unfit);
    }
    return gw_admin_answer_remove(e, call);
}

/* The body may be what was registered: then nobody else's registration goes.  What is none (a
 * DeleteOptions, say) is another condition, and refused. */
static enum gw_verdict
leave_body(struct gw_admin_call *call, struct gw_str body)
{
    struct registration r = {0};
    json_t *json = NULL;
    enum gw_verdict v = body.n == 0 ? GW_NEXT : gw_admin_parse(call, body, &json);

    if (v == GW_NEXT && json_object_size(json) > 0) {
        v = read_registration(call, json, &r);
    }
    json_decref(json);
    if (v != GW_NEXT) {
        return v;
    }
    struct gw_errand *e = gw_errand_new(call, leave_there, answer_left);
    e->owner = gw_mem_strdup(gw_owner_caller(call));
    e->url = gw_mem_strdup(r.url);
    e->key = gw_object_key(call->kind, GW_STR_NONE, call->name);
    e->parent = extension_key(call->part[PART_EXTENSION]);
    e->dry_run = call->dry_run;
    return gw_errand_send(e);
}

enum gw_verdict
gw_admin_leave(struct gw_admin_call *call)
{
    enum gw_verdict v = locate(call);

    return v != GW_NEXT ? v : gw_admin_body(call, leave_body);
}
