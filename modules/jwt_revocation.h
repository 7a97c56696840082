/*
 * jwt_revocation.h - one Revocation object, read and checked.
 *
 *     spec: {jti: ..., issuer: ...}    one token, by its claims jti and iss
 *     spec: {tokenHash: ...}           one token, by the SHA-256 of what is signed, or of all
 *     spec: {user: ..., before: ...}   all tokens of a user that were issued before
 *
 * `expires`: from then on it counts no longer, because the tokens have ended by themselves.
 */
#ifndef GW_MODULES_JWT_REVOCATION_H
#define GW_MODULES_JWT_REVOCATION_H

#include "base/str.h"
#include "gateway/world.h"
#include "modules/jwt_hash.h"
#include "modules/jwt_revoked_run.h"

struct gw_revocation {
    struct gw_piece piece; /* first */
    struct gw_revoked_entry entry;
};

/* The key of a token (a: its SHA-256), an id (a: issuer, b: jti) or a user (a: the name). */
struct gw_revoked_key gw_revoked_key_of(enum gw_revoked_what what, struct gw_str a,
                                        struct gw_str b);

/* The keys of a token: by what is signed, and by all of it (jwt_hash.h). */
void gw_revoked_keys_of_digests(const unsigned char digests[2][GW_JWT_HASH],
                                struct gw_revoked_key keys[2]);

#endif
