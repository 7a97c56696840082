/*
 * login_session.h - what a browser that is logged in keeps for us, as bytes.
 *
 * A cookie has little room: the three parts of a token stand in it as the bytes that their
 * base64url is of, a quarter less.
 */
#ifndef GW_MODULES_LOGIN_SESSION_H
#define GW_MODULES_LOGIN_SESSION_H

#include "base/arena.h"
#include "modules/login_provider.h"

struct gw_login_session {
    uint64_t id;         /* random: the same from the login to the end */
    uint64_t begun_ms;   /* wall; the login */
    uint64_t got_ms;     /* wall; the token */
    uint64_t expires_ms; /* wall; its end */
    struct gw_str token;
    struct gw_str refresh;  /* or none: then it ends with the token */
    struct gw_str id_token; /* for the logout; or none: it is the token, or had no room */
    struct gw_str user;     /* whom the first token named: his Revocation ends it */
    struct gw_str subject;  /* claim sub of the ID token, or none: no refresh may change it */
};

/* In the arena; tag: whose session it is. */
struct gw_str gw_login_session_pack(struct gw_arena *a, const struct gw_login_session *s,
                                    const unsigned char tag[GW_LOGIN_TAG]);

/* False: it is no session, or has another tag.  Texts are the arena's. */
bool gw_login_session_unpack(struct gw_arena *a, struct gw_str bytes,
                             const unsigned char tag[GW_LOGIN_TAG], struct gw_login_session *s);

#endif
