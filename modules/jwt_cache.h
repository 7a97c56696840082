/*
 * jwt_cache.h - tokens that were verified once (one worker's).
 *
 * Found by a keyed hash, confirmed by all bytes of the token.  A pass is what a good token
 * stands for; it is counted, so that a request may outlive its place in the cache.  One thread
 * at a time.
 */
#ifndef GW_MODULES_JWT_CACHE_H
#define GW_MODULES_JWT_CACHE_H

#include "modules/jwt_revoked_run.h"
#include "modules/jwt_verify.h"

struct gw_jwt_pass {
    unsigned refs;
    bool used;   /* since the hand last came by */
    bool hashed; /* token_keys are filled in */
    /* jwt_presence.c's: has to be in KubeSphere's token cache; was there, which stands until then
     */
    bool asks, present;
    uint64_t hash;
    uint64_t expires_ms;                /* wall clock */
    uint64_t checked;                   /* the set of revocations (serial) that it is not in */
    struct gw_jwt_pass *chain;          /* next with the same place in the table */
    struct gw_jwt_pass *before, *after; /* in the ring that the hand walks */
    size_t bytes;                       /* all of it is one piece of memory */
    const struct gw_jwt_key *key;       /* compared, and not looked into: it may be gone */
    struct gw_str token;
    struct gw_str issuer, key_id; /* the issuer is the settings' own text */
    struct gw_subject subject;
    struct gw_str id; /* claim jti, or none */
    uint64_t issued_ms;
    struct gw_revoked_key token_keys[2]; /* jwt_revoked.c's */
    uint64_t present_until_ms;           /* mono */
    struct gw_jwt_question *question;    /* under way, or NULL */
};

/* A copy of all that the claims say, in heap memory.  One reference for the caller. */
struct gw_jwt_pass *gw_jwt_pass_new(struct gw_str token, const struct gw_jwt_claims *claims);
void gw_jwt_pass_unref(struct gw_jwt_pass *p);

struct gw_jwt_cache;

/* Holds passes of `limit` bytes together at most (and the table, which is far smaller). */
struct gw_jwt_cache *gw_jwt_cache_new(size_t limit);
void gw_jwt_cache_free(struct gw_jwt_cache *c); /* NULL is fine */

/* Borrowed until the next call; NULL: not there, or it has expired. */
struct gw_jwt_pass *gw_jwt_cache_get(struct gw_jwt_cache *c, struct gw_str token, uint64_t now_ms);

/* Takes a reference of its own, unless the pass is too big to be kept.  The token is not in it
 * yet. */
void gw_jwt_cache_put(struct gw_jwt_cache *c, struct gw_jwt_pass *p);

/* Takes out all passes that this key has signed.  Looks at each that there is. */
void gw_jwt_cache_forget_key(struct gw_jwt_cache *c, const struct gw_jwt_key *key);

size_t gw_jwt_cache_count(const struct gw_jwt_cache *c);
size_t gw_jwt_cache_bytes(const struct gw_jwt_cache *c);

#endif
