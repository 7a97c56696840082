/*
 * place.h - where a store is, as people write it for a command:
 *
 *     sqlite:/var/lib/ksgate/registry.db
 *     redis://ksgate@redis:6379/0      unix:/run/redis.sock?db=1
 */
#ifndef GW_REGISTRY_PLACE_H
#define GW_REGISTRY_PLACE_H

#include "registry/store.h"

struct gw_place_of_store {
    const struct gw_store_driver *driver;
    const char *text; /* as it was written; borrowed */
    union {
        struct gw_registry_sqlite sqlite;
        struct gw_registry_redis redis;
    } conf;
};

/* Texts are borrowed; password_file and prefix (may be NULL: none, the default) are for a Redis.
 * False: see diag.  Nothing is opened. */
bool gw_store_place_read(struct gw_place_of_store *p, const char *text, const char *password_file,
                         const char *prefix, struct gw_diag *diag);

#endif
