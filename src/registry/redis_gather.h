/* redis_gather.h - changes that were read and are not given yet: an answer of many may end amid
 * some that belong together, so all that is there now is given at once. */
#ifndef GW_REGISTRY_REDIS_GATHER_H
#define GW_REGISTRY_REDIS_GATHER_H

#include "registry/redis_news.h"

/* Start with {0}. */
struct gw_redis_gather {
    struct gw_change *items; /* owned, with their keys and objects; of each key the last one */
    size_t n, size;
    struct gw_map *at; /* key to its place in the items, counted from 1; NULL: none */
};

/* Takes the change over.  What was said of the same key before is no longer so. */
void gw_redis_gather_add(struct gw_redis_gather *g, const struct gw_change *c);

/* Takes in what the news say; hash: where it is, for the log. */
void gw_redis_gather_news(struct gw_redis_gather *g, const struct gw_redis_news *news,
                          const char *hash, struct gw_redis_bad *bad);

/* Forgets all. */
void gw_redis_gather_fini(struct gw_redis_gather *g);

#endif
