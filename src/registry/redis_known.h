/*
 * redis_known.h - how far a gateway knows the registry in Redis, and which deletions it is still to
 * be told.  Pure.
 *
 * A list tells what is there, not what was deleted.  Where the registry has gone another way than
 * what was known, or its owner keeps what a list lacks, deletions since then are owed
 * (redis_recall.h).
 */
#ifndef GW_REGISTRY_REDIS_KNOWN_H
#define GW_REGISTRY_REDIS_KNOWN_H

#include "registry/redis_list.h"
#include "registry/store.h"

/* Start with {0}: nothing. */
struct gw_redis_known {
    char epoch[GW_REDIS_EPOCH_MAX + 1]; /* "": nothing is known yet */
    uint64_t revision;
    struct gw_redis_stamps stamps; /* of what was read */
    uint64_t lines;                /* lists so far; each begins a line of changes */
    bool owes;                     /* what was deleted after `owed` is still to be told */
    uint64_t owed;
};

/* After which revision the list is of a registry that went another way than what is known, of the
 * same epoch; UINT64_MAX: it did not. */
uint64_t gw_redis_known_parting(const struct gw_redis_known *k, const struct gw_redis_list *list);

/* The list is what is known from now on.  What was owed of a registry that is gone is no more. */
void gw_redis_known_list(struct gw_redis_known *k, const struct gw_redis_list *list,
                         uint64_t parting);

/* Deletions after `since` are to be told, and those that could not be told before;
 * GW_STORE_ALL_TOLD: none. */
void gw_redis_known_owe(struct gw_redis_known *k, uint64_t since);

/* Is that write among what is known? */
bool gw_redis_known_has(const struct gw_redis_known *k, const struct gw_store_mark *mark);

#endif
