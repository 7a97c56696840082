/*
 * jwt_entries.h - the keys that a source has, when its issuer publishes others.
 *
 * A key that leaves the set goes on being taken for as long as a token of it may live; one that is
 * in both is the same struct before and after.
 */
#ifndef GW_MODULES_JWT_ENTRIES_H
#define GW_MODULES_JWT_ENTRIES_H

#include "modules/jwt_jwk.h"
#include "modules/jwt_source.h"

/* The issuer's set is now this one, of at least one key.  True: something has changed. */
bool gw_jwt_entries_merge(struct gw_jwt_source *s, const struct gw_jwks *set, uint64_t now_ms);

/* What the other knows, in the place of what was known; as long as old_keys of s says. */
void gw_jwt_entries_take_over(struct gw_jwt_source *s, const struct gw_jwt_source *other,
                              uint64_t now_ms);

/* Those whose time is over are gone.  True: there were some. */
bool gw_jwt_entries_expire(struct gw_jwt_source *s, uint64_t now_ms);

/* When the next one's time is over (wall); UINT64_MAX: none's. */
uint64_t gw_jwt_entries_until(const struct gw_jwt_source *s);

/* A reference for the caller: all that are taken, the issuer's own first. */
struct gw_jwt_keyset *gw_jwt_entries_set(const struct gw_jwt_source *s);

/* "2 keys (a, b), and 1 that left the set" */
void gw_jwt_entries_say(const struct gw_jwt_source *s, struct gw_buf *out);

#endif
