#include "server/admin_endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/schema.h"
#include "modules/ext_spec.h"
#include "registry/lease.h"
#include "server/admin_owner.h"
#include "server/admin_write.h"

/* apis/ksgate.io/v1/extensionservices/{name}/endpoints/{id} */
#define PART_EXTENSION 4
#define PART_ID        6

/* clang-format off */
static const struct gw_setting rows[] = {
    {.name = "url", .set = gw_set_text, .at = offsetof(struct gw_registration, url),
     .flags = GW_REQUIRED, .help = "Where the backend listens: http://HOST:PORT."},
    {.name = "version", .set = gw_set_text, .at = offsetof(struct gw_registration, version),
     .help = "The version of the extension that it runs."},
    {.name = "weight", .set = gw_set_int, .at = offsetof(struct gw_registration, weight),
     .min = 0, .max = 1000, .initial = "1", .help = "Its share of the requests."},
    {.name = "leaseSeconds", .set = gw_set_int, .at = offsetof(struct gw_registration, lease_seconds),
     .min = GW_LEASE_SECONDS_MIN, .max = GW_LEASE_SECONDS_MAX, .initial = "15", .flags = GW_NOT_SNAKE,
     .help = "It is forgotten when it is not renewed for that long."},
    {.name = "draining", .set = gw_set_bool, .at = offsetof(struct gw_registration, draining),
     .help = "Gets no new requests any more."},
    {0},
};
/* clang-format on */

enum gw_verdict
gw_endpoints_locate(struct gw_admin_call *call)
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

static char *
key_of(struct gw_str extension)
{
    return gw_object_key(gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService")), GW_STR_NONE,
                         extension);
}

struct gw_str
gw_endpoints_extension(const struct gw_admin_call *call)
{
    return call->part[PART_EXTENSION];
}

char *
gw_endpoints_parent(const struct gw_admin_call *call)
{
    return key_of(gw_endpoints_extension(call));
}

bool
gw_endpoints_is_of(const json_t *endpoint, const char *key_of_extension)
{
    const json_t *spec = json_object_get(endpoint, "spec");
    const char *name = json_string_value(json_object_get(spec, "extension"));
    char *key = key_of(gw_str_of(name));
    bool same = strcmp(key, key_of_extension) == 0;

    free(key);
    return same;
}

/* ---- control thread ------------------------------------------------------------------------- */

void
gw_endpoints_return(struct gw_errand *e, enum gw_store_result result)
{
    e->when = GW_WHEN_ANY; /* it is final: nobody was faster */
    e->result = result;
    gw_errand_return(e);
}

bool
gw_endpoints_is_others(struct gw_errand *e, const json_t *there)
{
    const char *owner = gw_owner_of(there);

    if (*owner == '\0' || e->overrides || strcmp(owner, e->owner) == 0) {
        return false;
    }
    e->other = gw_mem_strdup(owner);
    return true;
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

enum gw_verdict
gw_endpoints_back(struct gw_errand *e, struct gw_admin_call *call)
{
    if (has_to_go_again(e, call)) {
        return gw_errand_send_again(e);
    }
    if (e->other != NULL) {
        return gw_owner_refuse(call, e->other);
    }
    /* Nobody is faster so often in a row.  A 409 would send the backend away, as one that another
     * has replaced, or whose registration is a mistake. */
    return is_late(e) ? gw_admin_refuse(call, GW_ERR_REGISTRY_BEHIND, "%s",
                                        gw_err_text(GW_ERR_REGISTRY_BEHIND))
                      : GW_NEXT;
}

enum gw_verdict
gw_endpoints_read(struct gw_admin_call *call, const json_t *json, struct gw_registration *r)
{
    struct gw_diag diag = {0};
    struct gw_loader loader = {.arena = call->req->arena, .diag = &diag};

    if (!gw_schema_load(&loader, r, json, rows, "", NULL)) {
        return gw_admin_invalid(call, &diag);
    }
    gw_diag_fini(&diag);
    return GW_NEXT;
}
