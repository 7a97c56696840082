/*
 * login_seal.h - what a browser keeps for us, and can neither read nor change.
 *
 *     base64url( version | key id | nonce | AES-256-GCM(bytes) | tag )
 *
 * The purpose and the cookie's name are authenticated with it: one cookie's text is of no use in
 * another.  Nonces are random: 2^32 of one key are as many as may be (NIST SP 800-38D, 8.3), which
 * is a thousand logins a second for seven weeks.
 */
#ifndef GW_MODULES_LOGIN_SEAL_H
#define GW_MODULES_LOGIN_SEAL_H

#include "base/arena.h"
#include "modules/login_keys.h"

enum gw_login_purpose {
    GW_LOGIN_SESSION = 'S', /* who is logged in */
    GW_LOGIN_BEGUN = 'B',   /* a login that is under way */
};

/* In the arena.  GW_STR_NONE: there are no random numbers. */
struct gw_str gw_login_seal(struct gw_arena *a, const struct gw_login_keys *keys,
                            enum gw_login_purpose purpose, struct gw_str name, struct gw_str bytes);

/* False when it is anything else than what one of the keys has sealed for this purpose and name. */
bool gw_login_open(struct gw_arena *a, const struct gw_login_keys *keys,
                   enum gw_login_purpose purpose, struct gw_str name, struct gw_str text,
                   struct gw_str *bytes);

/* How long the text of n bytes is. */
size_t gw_login_sealed_length(size_t n);

#endif
