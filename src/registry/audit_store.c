#include "registry/audit_store.h"

static const struct gw_audit_driver *
driver_of(const struct gw_place_of_store *place)
{
    return place->driver == &gw_store_sqlite ? &gw_audit_sqlite : &gw_audit_redis;
}

bool
gw_audit_load(const struct gw_place_of_store *place, struct gw_audit_store *s,
              struct gw_audit *findings, struct gw_diag *diag)
{
    return driver_of(place)->load(place, s, findings, diag);
}

bool
gw_audit_mend(const struct gw_place_of_store *place, const struct gw_audit *a, size_t *repaired,
              struct gw_diag *diag)
{
    return driver_of(place)->mend(place, a, repaired, diag);
}
