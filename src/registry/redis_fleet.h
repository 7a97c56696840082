/*
 * redis_fleet.h - this gateway's heartbeat in Redis, and waiting for those of the others.
 *
 * It beats once a second, and as soon as it routes by something new while somebody waits for all
 * gateways.  Who waits is told by others' beats (a stream, beside that of changes), and asks Redis
 * who has followed then: nobody polls.
 */
#ifndef GW_REGISTRY_REDIS_FLEET_H
#define GW_REGISTRY_REDIS_FLEET_H

#include "registry/fleet.h"
#include "registry/redis_follow.h"

struct gw_redis_fleet;

/* writer and follow are borrowed. */
struct gw_redis_fleet *gw_redis_fleet_open(const struct gw_registry_redis *conf,
                                           struct gw_redis *writer, struct gw_follow *follow,
                                           struct event_base *base);
void gw_redis_fleet_close(struct gw_redis_fleet *f); /* who waits is answered first */

/* The heartbeat of a gateway: each second, and when the connection has come back, or the registry
 * was listed.  From the loss of the line until then it says that it routes by nothing of it. */
void gw_redis_fleet_beat(struct gw_redis_fleet *f);

/* All workers route by this revision of what is followed; 0: of that, by none yet.  From the first
 * time on this is one of the gateways. */
void gw_redis_fleet_live(struct gw_redis_fleet *f, uint64_t revision);

/* It takes part no more, from now on. */
void gw_redis_fleet_part(struct gw_redis_fleet *f);

/* As gw_store_driver has them. */
void gw_redis_fleet_await(struct gw_redis_fleet *f);
void gw_redis_fleet_when(struct gw_redis_fleet *f, const struct gw_store_mark *mark,
                         gw_store_fleet_fn *done, void *arg);

bool gw_redis_fleet_forget(struct gw_redis_fleet *f, const void *arg);

/* Its part of the store's state. */
void gw_redis_fleet_status(const struct gw_redis_fleet *f, struct gw_store_status *out);

#endif
