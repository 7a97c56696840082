/*
 * redis_wake.h - waits until the registry in Redis may have news: XREAD BLOCK, of the stream of
 * changes, and for a while of that of beats, too (redis_fleet.h).
 */
#ifndef GW_REGISTRY_REDIS_WAKE_H
#define GW_REGISTRY_REDIS_WAKE_H

#include "net/redis.h"

#define GW_BEAT_ID_MAX 47 /* letters of the id of an entry of beats */

struct gw_redis_wake {
    struct gw_redis *redis;
    char *changes, *beats; /* keys; owned */
    /* Woken or not: the script tells, and checks the line. */
    void (*woken)(void *owner);
    void (*unusable)(void *owner, const char *what, const char *key, const redisReply *reply);
    void *owner;
    /* After each few beats, while they are listened to. */
    void (*on_beat)(void *arg);
    void *on_beat_arg;
    uint64_t beats_until_ms;           /* mono: until then they are looked at */
    char beats_id[GW_BEAT_ID_MAX + 1]; /* the last one that is known; "": none yet */
    uint64_t revision;                 /* behind which it waits */
    uint64_t asked_ms;                 /* mono */
    struct event *later;               /* Redis said at once that nothing is new */
};

/* The members above `later` are set; the keys are its own from now on. */
void gw_redis_wake_init(struct gw_redis_wake *w, struct event_base *base);
void gw_redis_wake_fini(struct gw_redis_wake *w);

/* The connection is lost: it waits no more. */
void gw_redis_wake_stop(struct gw_redis_wake *w);

/* Woken once, unless the connection is lost first. */
void gw_redis_wake_wait(struct gw_redis_wake *w, uint64_t revision);

/* Of the last beat that is known; one that is too long is none of Redis'. */
void gw_redis_wake_beat_id(struct gw_redis_wake *w, const char *id);

#endif
