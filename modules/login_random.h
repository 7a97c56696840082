/* login_random.h - the values that a login is recognised by (RFC 6749, 10.12; RFC 7636; OpenID
 * Connect Core 1.0, 3.1.2.1). */
#ifndef GW_MODULES_LOGIN_RANDOM_H
#define GW_MODULES_LOGIN_RANDOM_H

#include "base/arena.h"

#define GW_LOGIN_RANDOM_BYTES 32

/* The base64url of so many random bytes, in the arena: 43 characters, as a code_verifier has to be
 * at least.  GW_STR_NONE: there are none. */
struct gw_str gw_login_random(struct gw_arena *a);

/* The number of a session, never 0.  False: there are none. */
bool gw_login_random_id(uint64_t *id);

/* The code_challenge of a verifier, by S256 (RFC 7636, 4.2), in the arena. */
struct gw_str gw_login_challenge(struct gw_arena *a, struct gw_str verifier);

/* Do they have the same bytes?  Takes as long, whatever is in them. */
bool gw_login_same(struct gw_str a, struct gw_str b);

#endif
