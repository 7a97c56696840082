/*
 * redis_recall.h - what was deleted between two revisions of the registry in Redis.
 *
 * Deletions are in no list.  What a list lacks would be taken for lost, where the registry may have
 * lost something, although somebody has deleted it, or its lease has ended, as others have seen.
 */
#ifndef GW_REGISTRY_REDIS_RECALL_H
#define GW_REGISTRY_REDIS_RECALL_H

#include "net/redis.h"
#include "registry/redis_gather.h"

struct gw_redis_recall {
    struct gw_redis *redis;
    const char *prefix; /* borrowed, as are the following */
    const char *epoch;  /* of the registry that is meant */
    struct gw_redis_gather *into;
    /* All that is kept of it is gathered; or the registry is another one by now. */
    void (*recalled)(void *owner);
    void (*unusable)(void *owner, const char *what, const char *key, const redisReply *reply);
    void *owner;
    uint64_t until;
};

/* After `since`, up to `until`.  Ends with one of the two, unless the connection is lost first. */
void gw_redis_recall_start(struct gw_redis_recall *r, uint64_t since, uint64_t until);

#endif
