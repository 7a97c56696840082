/*
 * login_flow.h - the ways of a login, by the paths that the gateway answers itself.
 *
 *     /-/login?return=/x  ->  the provider  ->  /-/login/callback?code=...&state=...  ->  /x
 *
 * Nothing of it is kept here meanwhile: what a login has to be recognised by is in a sealed cookie
 * of its own, named by its state, so that several tabs, and several gateways, don't meet.
 */
#ifndef GW_MODULES_LOGIN_FLOW_H
#define GW_MODULES_LOGIN_FLOW_H

#include "modules/login_settings.h"

/* Each answers the request: GW_REPLY or GW_FAIL, or GW_WAIT. */
enum gw_verdict gw_login_begin(struct gw_req *req, const struct gw_login_settings *s);
enum gw_verdict gw_login_come_back(struct gw_req *req, const struct gw_login_settings *s);
enum gw_verdict gw_login_leave(struct gw_req *req, const struct gw_login_settings *s);

/* ---- a login that is under way: its cookie (login_begun.c) ---- */

struct gw_login_begun {
    uint64_t at_ms; /* wall */
    struct gw_str nonce, verifier;
    struct gw_str back; /* where it leads */
};

/* False: it can't be sealed. */
bool gw_login_begun_give(struct gw_req *req, const struct gw_login_settings *s, struct gw_str state,
                         const struct gw_login_begun *b);

/* The one of that state, whose cookie is taken away.  False: there is none, it is too old, or was
 * used before (in this process): each is good for one question to the provider. */
bool gw_login_begun_take(struct gw_req *req, const struct gw_login_settings *s, struct gw_str state,
                         struct gw_login_begun *b);

/* "https://platform.example.com", as the browser sees it; none: the request does not say. */
struct gw_str gw_login_base(const struct gw_req *req, const struct gw_login_settings *s);

#endif
