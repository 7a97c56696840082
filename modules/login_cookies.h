/*
 * login_cookies.h - the login's cookies: given to a browser, got back, and taken away.
 *
 * What is longer than one cookie may be (browsers: 4096 bytes) is split: the first has the number
 * of all before it, "3.eyJ...", the others are called NAME-2, NAME-3.
 */
#ifndef GW_MODULES_LOGIN_COOKIES_H
#define GW_MODULES_LOGIN_COOKIES_H

#include "modules/login_settings.h"

#define GW_LOGIN_COOKIE_BYTES 3800 /* of one; its name and what is said of it come on top */

/* The session's cookie of this request: by TLS the name has __Host- before it, so that nobody but
 * this very host can have set it, and it is Secure. */
struct gw_str gw_login_cookie_name(const struct gw_req *req, const struct gw_login_settings *s);

/* Its whole value, put together; none: there is none, or a part is missing.  *there: something of
 * it is. */
struct gw_str gw_login_cookie_read(const struct gw_req *req, struct gw_str name, bool *there);

/* To the browser, in one or several; what the request has more of is taken away.  max_age_s < 0:
 * until the browser is closed. */
void gw_login_cookie_write(struct gw_req *req, struct gw_str name, struct gw_str value,
                           long long max_age_s);

/* Takes away all of it that the request has. */
void gw_login_cookie_clear(struct gw_req *req, struct gw_str name);

/* NAME-what, in the arena: further cookies. */
struct gw_str gw_login_cookie_other(struct gw_req *req, struct gw_str name, const char *what);

/* What the backend has said of caches in front of us must not make them keep a cookie that this
 * answer sets: unless it forbids that anyway, it is for this browser alone. */
void gw_login_keep_private(struct gw_req *req);

#endif
