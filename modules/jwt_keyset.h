/*
 * jwt_keyset.h - the keys of an issuer, as they are at one time.
 *
 * Immutable and counted: a new set takes the place of the old one as a whole.  What did not change
 * between the two is the same struct gw_jwt_key in both, so whoever keeps something for a key
 * (contexts of OpenSSL, tokens that it has verified) keeps it over the change.
 */
#ifndef GW_MODULES_JWT_KEYSET_H
#define GW_MODULES_JWT_KEYSET_H

#include "modules/jwt_keys.h"

#define GW_JWT_KEYS_MAX 64 /* of a set; more are left out */
/* A token that does not name its key is tried with so many that fit at most. */
#define GW_JWT_TRIES_MAX 8

struct gw_jwt_keyset {
    atomic_uint refs;
    unsigned algs; /* of all keys together */
    size_t n;
    struct gw_jwt_key *keys[]; /* a reference each */
};

/* A reference for the caller; takes one of its own of each key. */
struct gw_jwt_keyset *gw_jwt_keyset_new(struct gw_jwt_key *const *keys, size_t n);
struct gw_jwt_keyset *gw_jwt_keyset_ref(struct gw_jwt_keyset *set);
void gw_jwt_keyset_unref(struct gw_jwt_keyset *set); /* NULL is fine */

/* Where this very key is in it; n of the set: it is not.  NULL is an empty set. */
size_t gw_jwt_keyset_find(const struct gw_jwt_keyset *set, const struct gw_jwt_key *key);

#endif
