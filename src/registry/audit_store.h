/*
 * audit_store.h - reads all that a store holds for audit.h, and carries repairs out.
 *
 * Gateways may run on the store: reading changes nothing, and each repair is one step for them.
 */
#ifndef GW_REGISTRY_AUDIT_STORE_H
#define GW_REGISTRY_AUDIT_STORE_H

#include "registry/audit.h"
#include "registry/place.h"

/* False: it could not be read, the diag says why.  What is no matter of single objects (a key of
 * the wrong type, a file that is damaged) is added to the findings. */
bool gw_audit_load(const struct gw_place_of_store *place, struct gw_audit_store *s,
                   struct gw_audit *findings, struct gw_diag *diag);

/* Those that can be repaired; *repaired counts them.  False: it stopped, the diag says at what. */
bool gw_audit_mend(const struct gw_place_of_store *place, const struct gw_audit *a,
                   size_t *repaired, struct gw_diag *diag);

/* One for each driver. */
struct gw_audit_driver {
    bool (*load)(const struct gw_place_of_store *place, struct gw_audit_store *s,
                 struct gw_audit *findings, struct gw_diag *diag);
    bool (*mend)(const struct gw_place_of_store *place, const struct gw_audit *a, size_t *repaired,
                 struct gw_diag *diag);
};
extern const struct gw_audit_driver gw_audit_sqlite, gw_audit_redis;

#endif
