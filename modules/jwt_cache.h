/*
 * jwt_cache.h - tokens that were verified once (one worker's).
 *
 * Found by a keyed hash, confirmed by a keyed digest of all bytes (base/digest.h): a token itself
 * is not kept.  A pass is what a good token stands for; it is counted, so that a request may
 * outlive its place in the cache.  One thread at a time.
 */
#ifndef GW_MODULES_JWT_CACHE_H
#define GW_MODULES_JWT_CACHE_H

#include "base/digest.h"
#include "modules/jwt_common.h"
#include "modules/jwt_revoked_run.h"

struct gw_jwt_cache;

struct gw_jwt_pass {
    struct gw_digest digest;        /* the cache's, while it is there */
    uint64_t issued_ms, expires_ms; /* wall clock */
    uint64_t checked;               /* the set of revocations (serial) that it is not in */
    uint64_t present_until_ms;      /* mono */
    struct gw_revoked_key by_token[2], by_id; /* what may be revoked of it */
    struct gw_jwt_common *common;             /* a reference */
    struct gw_jwt_pass *chain;                /* next with the same place in the table */
    struct gw_jwt_pass *before, *after;       /* in the ring that the hand walks */
    struct gw_jwt_question *question;         /* jwt_presence.c's: under way, or NULL */
    unsigned refs;
    unsigned short name_bytes;
    bool used;   /* since the hand last came by */
    bool has_id; /* by_id is filled in */
    /* jwt_presence.c's: has to be in KubeSphere's token cache; was there, which stands until then
     */
    bool asks, present;
    char name[]; /* the user's */
};

/* All that the claims say, in heap memory.  One reference for the caller.  cache: where it is going
 * to be put; NULL: nowhere. */
struct gw_jwt_pass *gw_jwt_pass_new(struct gw_jwt_cache *cache, const struct gw_jwt_claims *claims);
void gw_jwt_pass_unref(struct gw_jwt_pass *p);

static inline struct gw_str
gw_jwt_pass_name(const struct gw_jwt_pass *p)
{
    return (struct gw_str){p->name, p->name_bytes};
}

/* Holds as many passes as `limit` bytes of the heap have room for, with all that it takes to find
 * them.  Less than 32 KiB have room for none. */
struct gw_jwt_cache *gw_jwt_cache_new(size_t limit);
void gw_jwt_cache_free(struct gw_jwt_cache *c); /* NULL is fine */

/* Borrowed until the next call; NULL: not there, or it has expired. */
struct gw_jwt_pass *gw_jwt_cache_get(struct gw_jwt_cache *c, struct gw_str token, uint64_t now_ms);

/* Takes a reference of its own, unless there is no room for it at all.  The pass was made for this
 * cache and for this token, which is not in it yet. */
void gw_jwt_cache_put(struct gw_jwt_cache *c, struct gw_str token, struct gw_jwt_pass *p);

/* Takes out all passes that this key has signed.  Looks at each that there is. */
void gw_jwt_cache_forget_key(struct gw_jwt_cache *c, const struct gw_jwt_key *key);

size_t gw_jwt_cache_count(const struct gw_jwt_cache *c);
size_t gw_jwt_cache_bytes(const struct gw_jwt_cache *c); /* of the heap, all together */

#endif
