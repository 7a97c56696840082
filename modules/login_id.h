/* login_id.h - what an ID token has to say beside being signed (OpenID Connect Core 1.0, 3.1.3.7
 * and 12.2). */
#ifndef GW_MODULES_LOGIN_ID_H
#define GW_MODULES_LOGIN_ID_H

#include "base/arena.h"

struct gw_login_expected {
    struct gw_str issuer, client_id;
    struct gw_str nonce;   /* none: it is not asked for (a refresh) */
    struct gw_str subject; /* none: any */
    uint64_t now_ms;       /* wall */
};

/* It came from the token endpoint itself, over TLS; who has signed it is asked where it is a
 * credential.  NULL and its sub; or what is wrong, in static words. */
const char *gw_login_id_fault(struct gw_arena *a, struct gw_str token,
                              const struct gw_login_expected *e, struct gw_str *subject);

#endif
