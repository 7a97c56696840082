/*
 * jwt_hash.h - the SHA-256 of what is signed in a token, and of all of it.
 *
 * In two steps of one run over the token: the first is what RS256, PS256 and ES256 verify, both are
 * what a Revocation may name.
 */
#ifndef GW_MODULES_JWT_HASH_H
#define GW_MODULES_JWT_HASH_H

#include "base/str.h"

#define GW_JWT_HASH 32 /* bytes */

/* One thread's OpenSSL contexts, used anew for each token. */
struct gw_jwt_hasher;

struct gw_jwt_hasher *gw_jwt_hasher_new(void);
void gw_jwt_hasher_free(struct gw_jwt_hasher *h); /* NULL is fine */

/* What is signed: "header.payload". */
void gw_jwt_hash_begin(struct gw_jwt_hasher *h, struct gw_str part,
                       unsigned char digest[GW_JWT_HASH]);
/* All, once the rest has come: ".signature". */
void gw_jwt_hash_end(struct gw_jwt_hasher *h, struct gw_str rest,
                     unsigned char digest[GW_JWT_HASH]);

/* Both at once, for who has no hasher; [0]: of what is signed. */
void gw_jwt_hash_token(struct gw_str token, unsigned char digests[2][GW_JWT_HASH]);

#endif
