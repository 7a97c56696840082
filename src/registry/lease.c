#include "registry/lease.h"

#include "base/clock.h"

/* spec.leaseSeconds of an Endpoint. */
static long long
lease_of(const json_t *spec)
{
    json_int_t seconds = json_integer_value(json_object_get(spec, "leaseSeconds"));

    if (seconds <= 0) {
        return 0;
    }
    return (seconds > GW_LEASE_SECONDS_MAX ? GW_LEASE_SECONDS_MAX : seconds) * 1000LL;
}

/* Until spec.expires of a Revocation: then the registry may forget it. */
static long long
rest_of(const json_t *spec)
{
    const char *expires = json_string_value(json_object_get(spec, "expires"));
    uint64_t now = gw_clock_wall_ms();
    uint64_t at = 0;

    if (expires == NULL || !gw_clock_read_rfc3339(gw_str_of(expires), &at)) {
        return 0;
    }
    return at > now ? (long long)(at - now) : 1;
}

long long
gw_lease_ms(const struct gw_object *o)
{
    bool endpoint = strcmp(o->kind->kind, "Endpoint") == 0;

    if (!endpoint && strcmp(o->kind->kind, "Revocation") != 0) {
        return 0;
    }
    json_t *json = gw_object_json(o);
    const json_t *spec = json_object_get(json, "spec");
    long long ms = endpoint ? lease_of(spec) : rest_of(spec);

    json_decref(json);
    return ms;
}
