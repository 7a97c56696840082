/*
 * redis_list.h - all objects of the registry in Redis, as they are at one revision.
 *
 * HSCAN, in pages, so that Redis is never held up; what others change meanwhile is made right by
 * the changes since it began.  Whoever starts it is told its end, unless the connection is lost
 * first.
 */
#ifndef GW_REGISTRY_REDIS_LIST_H
#define GW_REGISTRY_REDIS_LIST_H

#include "net/redis.h"
#include "registry/redis_news.h"
#include "registry/redis_stamps.h"

struct gw_redis_list_events {
    /* It is whole. */
    void (*listed)(void *owner);
    /* What was changed meanwhile does not continue it. */
    void (*broken)(void *owner, enum gw_redis_why why, const struct gw_redis_news *news);
    /* what, of our key (or ""), was answered something else. */
    void (*unusable)(void *owner, const char *what, const char *key, const redisReply *reply);
    /* The script has answered. */
    void (*heard)(void *owner, const struct gw_redis_news *news);
};

struct gw_redis_list {
    struct gw_redis *redis;
    const char *prefix, *hash; /* borrowed */
    struct gw_redis_bad *bad;  /* the same */
    const struct gw_redis_list_events *events;
    void *owner;
    /* what it has so far */
    struct gw_map *objects; /* key to object, a reference each; NULL: it does not run */
    char epoch[GW_REDIS_EPOCH_MAX + 1];
    uint64_t revision;
    struct gw_redis_stamps stamps; /* of the changes before it and meanwhile */
    long long fields;              /* that the hash has; -1: not known */
};

void gw_redis_list_start(struct gw_redis_list *l);
/* Ends it, if it runs; its objects go. */
void gw_redis_list_end(struct gw_redis_list *l);

/* What changed after that revision, by the script; before: so many changes up to it are told of,
 * too (NULL: one). */
void gw_redis_changes_ask(struct gw_redis *redis, const char *prefix, uint64_t revision,
                          const char *before, gw_redis_done_fn *done, void *arg);

#endif
