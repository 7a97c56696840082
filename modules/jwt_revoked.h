/*
 * jwt_revoked.h - tokens that are no longer good: all Revocation objects of the registry as one
 * set.
 *
 * Control gathers them (gateway/world.h) into a set that never changes and that all workers look
 * into: 24 bytes for each, and a few for the way to it.  What was revoked stands there as a keyed
 * hash of 126 bits, so whoever reads the memory, or chooses names, learns and reaches nothing.
 */
#ifndef GW_MODULES_JWT_REVOKED_H
#define GW_MODULES_JWT_REVOKED_H

#include "gateway/world.h"

struct gw_jwt_pass;
struct gw_jwt_revoked;

/* The kind, for a view; and that view's compile() and gather(). */
#define GW_JWT_REVOKED_KIND "ksgate.io/Revocation"
struct gw_piece *gw_jwt_revocation_compile(const struct gw_kind *kind, const json_t *json,
                                           const struct gw_yaml *source, struct gw_diag *diag);
struct gw_piece *gw_jwt_revoked_gather(struct gw_piece *before, const struct gw_pieces *gone,
                                       const struct gw_pieces *come);

/* Another one for each set that was ever made; 0 for none (NULL). */
uint64_t gw_jwt_revoked_serial(const struct gw_jwt_revoked *set);

/* Is the pass's token in the set (NULL: no)? */
bool gw_jwt_revoked_has(const struct gw_jwt_revoked *set, const struct gw_jwt_pass *p,
                        uint64_t now_ms);

/* The same, of what has come with this very set: cheap when that is little, and it is. */
bool gw_jwt_revoked_has_new(const struct gw_jwt_revoked *set, const struct gw_jwt_pass *p,
                            uint64_t now_ms);
bool gw_jwt_revoked_is_news(const struct gw_jwt_revoked *set); /* has anything? */

/* A session that was begun then: is all of that user's of before a later time in the set? */
bool gw_jwt_revoked_has_user(const struct gw_jwt_revoked *set, struct gw_str user,
                             uint64_t begun_ms, uint64_t now_ms);

/* A token that nobody has judged yet, by itself and its id (or none) of that issuer. */
bool gw_jwt_revoked_has_token(const struct gw_jwt_revoked *set, struct gw_str token,
                              struct gw_str issuer, struct gw_str id, uint64_t now_ms);

/* For metrics: how many, and the memory of the set. */
size_t gw_jwt_revoked_count(const struct gw_jwt_revoked *set);
size_t gw_jwt_revoked_bytes(const struct gw_jwt_revoked *set);

/* "spec.tokenHash" of a token: the SHA-256 of what is signed, in base64url without padding. */
#define GW_JWT_HASH_TEXT 43
void gw_jwt_token_hash(struct gw_str token, char text[GW_JWT_HASH_TEXT + 1]);

#endif
