/*
 * jwt_credential.h - where a request's credential stands, and who gets to see it.
 *
 * What is found here is not believed yet: jwt.c has it judged.
 */
#ifndef GW_MODULES_JWT_CREDENTIAL_H
#define GW_MODULES_JWT_CREDENTIAL_H

#include "gateway/req.h"
#include "modules/jwt_places.h"

struct gw_jwt_credential {
    struct gw_str scheme; /* as written: "Bearer", "basic" ...; NULL: there is no credential */
    struct gw_str token;  /* all that stands behind it; of the request's head or arena */
    const char *from;     /* static: which place */
    bool by_cookie;
    bool in_session;                         /* the browser's, that has logged in here (login.c) */
    bool in_cookies, in_protocols, in_query; /* there is one for nobody but us to see */
};

/* GW_ERR_OK, with or without a credential; or what is wrong with it, and *why for people:
 * TWO_CREDENTIALS (they disagree, and nobody could know which is meant), TOKEN_MALFORMED, or
 * CROSS_SITE (the cookie alone does not do).  session: the token of the browser's session, or none.
 */
enum gw_err gw_jwt_credential_find(struct gw_req *req, const struct gw_jwt_places *p,
                                   struct gw_str session, struct gw_jwt_credential *out,
                                   const char **why);

/* Takes out of the request to the backend what stands elsewhere than in the two headers (which
 * are identity.c's).  good: it was judged so; then the core gets it in Authorization, the only
 * place where it looks (kubesphere.md 6.4; the console's own proxy does the same, 7). */
void gw_jwt_credential_settle(struct gw_req *req, const struct gw_jwt_places *p,
                              const struct gw_jwt_credential *c, bool good);

/* It is not good after all. */
void gw_jwt_credential_withdraw(struct gw_req *req);

#endif
