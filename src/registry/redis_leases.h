/* redis_leases.h - when leases end, asked of Redis when somebody wants to know. */
#ifndef GW_REGISTRY_REDIS_LEASES_H
#define GW_REGISTRY_REDIS_LEASES_H

#include "registry/store.h"

/* A driver's leases(). */
void gw_redis_leases(struct gw_redis *r, const char *prefix, const char *const *keys, size_t n,
                     gw_store_leases_fn *done, void *arg);

#endif
