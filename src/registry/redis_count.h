/*
 * redis_count.h - does the hash of objects have as many fields as are known?  Pure.
 *
 * Whoever changes it past the script makes no revision and no entry of the stream: nobody is told.
 * Only that the number differs can be seen, at the same revision.
 */
#ifndef GW_REGISTRY_REDIS_COUNT_H
#define GW_REGISTRY_REDIS_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Somebody may write by hand in several steps: a difference counts once it has stayed for so long.
 */
#define GW_REDIS_COUNT_MS 1000

/* Start with {0}. */
struct gw_redis_count {
    long long off;     /* what the hash had more than was known, when it was listed */
    uint64_t since_ms; /* mono: the difference is there; 0: none */
};

enum gw_redis_counted {
    GW_REDIS_COUNT_GOOD,  /* or not known, or not long enough */
    GW_REDIS_COUNT_OTHER, /* fields came or went */
    GW_REDIS_COUNT_EMPTY, /* all are gone at once */
};

/* fields: of the hash; -1: it is not known.  known: objects and what is none, of that revision. */
void gw_redis_count_list(struct gw_redis_count *c, long long fields, long long known);
enum gw_redis_counted gw_redis_count_look(struct gw_redis_count *c, long long fields,
                                          long long known, uint64_t now_ms);

#endif
