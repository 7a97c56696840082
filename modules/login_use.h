/*
 * login_use.h - a request of a browser that is logged in.
 *
 * Its session is opened, refreshed when it is time, and given back as a cookie when it has changed.
 */
#ifndef GW_MODULES_LOGIN_USE_H
#define GW_MODULES_LOGIN_USE_H

#include "modules/login_session.h"
#include "modules/login_settings.h"

/* What a request has of the login; in its arena, in req->slot[GW_SLOT_login]; NULL: no cookie. */
struct gw_login_use {
    struct gw_login_session session;
    struct gw_str name; /* of its cookie */
    bool good;          /* there is a session */
    bool renewed;       /* it is another than the browser's cookie has */
    bool over;          /* the browser's cookie is to be taken away */
    bool asked;         /* the provider, for this request, or waited for it: enough of that */
    /* private to login_use.c: while it waits */
    struct gw_login_use *next, **prev;
    struct gw_req *req;
    enum gw_verdict (*step)(struct gw_req *req, const void *conf);
    const void *conf;
};

/* The token of the request's session.  GW_NEXT: *token, or none; with *err and *detail (or NULL)
 * when there was a session, and is none any more.  GW_WAIT: it is being refreshed, and
 * step(req, conf) is run again then. */
enum gw_verdict gw_login_use(struct gw_req *req, const struct gw_login_settings *s,
                             enum gw_verdict (*step)(struct gw_req *req, const void *conf),
                             const void *conf, struct gw_str *token, enum gw_err *err);

/* The session of the request's cookie, as it is; NULL: none. */
struct gw_login_use *gw_login_open_cookie(struct gw_req *req, const struct gw_login_settings *s);

/* Its user has logged out since it was looked at. */
bool gw_login_use_was_left(const struct gw_login_use *u);

/* It is none any more, since its token has been revoked: the browser's cookie is taken away. */
void gw_login_use_end(struct gw_login_use *u);

/* Before the answer goes out: the cookie as it has to be from now on. */
void gw_login_use_settle(struct gw_req *req, const struct gw_login_settings *s);

/* Gives the browser the session.  False: it is too large, or can't be sealed. */
bool gw_login_give(struct gw_req *req, const struct gw_login_settings *s, struct gw_str name,
                   struct gw_login_session *session);

#endif
