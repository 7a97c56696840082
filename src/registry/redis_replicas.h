/*
 * redis_replicas.h - have so many replicas what the master has answered?
 *
 * Asked by WAIT, on a connection of its own: Redis does nothing else for one that waits, so that a
 * replica that is away would hold up all that goes over it (ADR 24).  WAIT is about what its
 * connection has written; so that says first that the changes are there, wherever it leads to,
 * which is a write itself.
 */
#ifndef GW_REGISTRY_REDIS_REPLICAS_H
#define GW_REGISTRY_REDIS_REPLICAS_H

#include "registry/store.h"

struct gw_redis_replicas;

/* text: why it is not known that they have it, for people; NULL: they do. */
typedef void gw_redis_replicas_fn(void *arg, const char *text);

/* conf->replicas is 1 or more.  The URL was good a moment ago. */
struct gw_redis_replicas *gw_redis_replicas_open(const struct gw_registry_redis *conf,
                                                 struct event_base *base);
void gw_redis_replicas_close(struct gw_redis_replicas *r); /* who waits is answered; NULL is fine */

/* Calls done once they have the change, or that has taken too long. */
void gw_redis_replicas_when(struct gw_redis_replicas *r, const struct gw_store_mark *mark,
                            gw_redis_replicas_fn *done, void *arg);

/* Each second: finds a server that does not answer any more, and who has waited too long for one.
 * NULL is fine. */
void gw_redis_replicas_tick(struct gw_redis_replicas *r);

/* Connections beyond the first; of NULL 0. */
unsigned long long gw_redis_replicas_reconnects(const struct gw_redis_replicas *r);

#endif
