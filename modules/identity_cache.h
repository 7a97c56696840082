/*
 * identity_cache.h - assertions that may be sent again (one worker's).
 *
 * Found by all that they say: two tokens of a user with other groups are other subjects.  An
 * assertion is counted, so that a request may outlive its place here.  All live equally long,
 * so the first to be made is the first to go.  One thread at a time.
 */
#ifndef GW_MODULES_IDENTITY_CACHE_H
#define GW_MODULES_IDENTITY_CACHE_H

#include "gateway/req.h"

struct gw_assertion {
    unsigned refs;
    uint64_t hash;
    uint64_t made_ms;           /* wall clock */
    struct gw_assertion *chain; /* next with the same place in the table */
    struct gw_assertion *next;  /* the next to be made */
    size_t bytes;               /* all of it is one piece of memory */
    struct gw_str audience, text;
    struct gw_subject subject;
};

/* A copy of it all.  One reference for the caller. */
struct gw_assertion *gw_assertion_new(const struct gw_subject *subject, struct gw_str audience,
                                      struct gw_str text, uint64_t now_ms);
void gw_assertion_unref(struct gw_assertion *a);

struct gw_identity_cache;

/* Holds assertions of `limit` bytes together at most (and the table, which is far smaller), and
 * gives each out for fresh_ms. */
struct gw_identity_cache *gw_identity_cache_new(size_t limit, uint64_t fresh_ms);
void gw_identity_cache_free(struct gw_identity_cache *c); /* NULL is fine */

/* Borrowed until the next call; NULL: there is none, or none that is fresh. */
struct gw_assertion *gw_identity_cache_get(const struct gw_identity_cache *c,
                                           const struct gw_subject *subject, struct gw_str audience,
                                           uint64_t now_ms);

/* Takes a reference of its own, unless it is too big to be kept.  Lets go of what is no longer
 * fresh. */
void gw_identity_cache_put(struct gw_identity_cache *c, struct gw_assertion *a);

size_t gw_identity_cache_count(const struct gw_identity_cache *c);
size_t gw_identity_cache_bytes(const struct gw_identity_cache *c);

#endif
