/*
 * redis_write.h - a write's way: to the script, to as many replicas as are wanted, and back by the
 * stream, so that whoever gets the answer sees the change.
 */
#ifndef GW_REGISTRY_REDIS_WRITE_H
#define GW_REGISTRY_REDIS_WRITE_H

#include "registry/redis_follow.h"
#include "registry/redis_replicas.h"
#include "registry/refusals.h"

struct gw_redis_waiting;

struct gw_redis_writes {
    struct gw_redis *writer; /* borrowed, as are the next two */
    struct gw_follow *follow;
    struct gw_redis_replicas *replicas;     /* that must have a write; NULL: the master is enough */
    long long timeout_ms;                   /* for the stream */
    struct gw_redis_waiting *first, **last; /* for that */
    struct gw_refusals refusals;            /* by Redis itself, while it answers all else */
};

/* What the script's word for a result means, and how it is told to people.  False: it is none. */
bool gw_redis_write_result(const char *word, enum gw_store_result *result, const char **text);

void gw_redis_writes_init(struct gw_redis_writes *s); /* the members above are the owner's to set */

/* Calls the script.  waits: its change comes by the stream. */
void gw_redis_writes_send(struct gw_redis_writes *s, const char *prefix, const char *const *argv,
                          bool waits, gw_store_done_fn *done, void *arg);

/* Answers those whose changes the owner has been given, or that have waited too long; all of them
 * with UINT64_MAX. */
void gw_redis_writes_settle(struct gw_redis_writes *s, uint64_t now_ms);

#endif
