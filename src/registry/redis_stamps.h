/*
 * redis_stamps.h - when the last changes were made that a follower has read (redis.lua).
 *
 * A revision alone says little: a registry that was put back gives the same numbers to other
 * changes.  That one of them was made at the same microsecond is as good as impossible.
 */
#ifndef GW_REGISTRY_REDIS_STAMPS_H
#define GW_REGISTRY_REDIS_STAMPS_H

#include <stdint.h>

#include <hiredis/hiredis.h>

#define GW_REDIS_STAMPS 8192 /* changes that are remembered, at least as many as one answer has */

/* Start with {0}. */
struct gw_redis_stamps {
    struct gw_redis_stamp {
        uint64_t revision, stamp;
    } at[GW_REDIS_STAMPS]; /* by the rest of the revision */
};

void gw_redis_stamps_forget(struct gw_redis_stamps *s);

/* What an answer says: revision, stamp, ...; integers. */
void gw_redis_stamps_take(struct gw_redis_stamps *s, const redisReply *pairs);

/* In us of Redis' clock; 0: it is not known (any more). */
uint64_t gw_redis_stamps_of(const struct gw_redis_stamps *s, uint64_t revision);

/* The first revision of which both know, and know another change; 0: none.  Of one epoch that means
 * that `now` went another way: what it has from there on, `before` had not. */
uint64_t gw_redis_stamps_parted(const struct gw_redis_stamps *now,
                                const struct gw_redis_stamps *before);

#endif
