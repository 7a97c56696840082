/*
 * redis_renew.h - renewals of leases, of which there are far more than of all other writes.
 *
 * Those that come within one turn of the event loop go to Redis in one call of the script
 * (renew_all).  Each has its own answer.
 */
#ifndef GW_REGISTRY_REDIS_RENEW_H
#define GW_REGISTRY_REDIS_RENEW_H

#include <event2/event.h>

#include "net/redis.h"
#include "registry/store.h"

struct gw_redis_renewals;

/* Both are borrowed. */
struct gw_redis_renewals *gw_redis_renewals_new(struct gw_redis *writer, const char *prefix,
                                                struct event_base *base);

/* As the driver's renew(). */
void gw_redis_renew(struct gw_redis_renewals *s, const char *key, uint64_t revision,
                    long long lease_ms, gw_store_done_fn *done, void *arg);

/* What was not sent yet is sent now. */
void gw_redis_renewals_flush(struct gw_redis_renewals *s);

/* When all are answered: behind gw_redis_close(). */
void gw_redis_renewals_free(struct gw_redis_renewals *s);

#endif
