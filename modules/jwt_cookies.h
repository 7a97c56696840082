/*
 * jwt_cookies.h - the cookies of a request (RFC 6265, 5.4): read, and taken out.
 */
#ifndef GW_MODULES_JWT_COOKIES_H
#define GW_MODULES_JWT_COOKIES_H

#include "gateway/req.h"

/* The value of the cookie of that name that is not empty, or none; the case of names matters.
 * False when there are two that differ: a browser that has got a second one from another host of
 * the same domain, or for another path, sends both, and nobody knows which is whose. */
bool gw_jwt_cookie_get(const struct gw_headers *h, struct gw_str name, struct gw_str *value);

/* All cookies, one after the other: struct gw_jwt_cookie c = {0}; while (gw_jwt_cookie_next(h,
 * &c)).
 */
struct gw_jwt_cookie {
    struct gw_str name, value;
    struct gw_str rest; /* private */
    unsigned line;      /* private */
};
bool gw_jwt_cookie_next(const struct gw_headers *h, struct gw_jwt_cookie *c);

/* Is there a cookie of that name with that value?  Others of the name do not matter. */
bool gw_jwt_cookie_is(const struct gw_headers *h, struct gw_str name, struct gw_str value);

/* All of them but those of the names, to the byte, as the value of one header; in the arena.  A
 * name with a '*' at its end means all that begin so.  *taken: whether there was one to leave out.
 */
struct gw_str gw_jwt_cookies_without(struct gw_arena *a, const struct gw_headers *h,
                                     const struct gw_str *names, size_t n_names, bool *taken);

/* The backend gets no cookies of the names. */
void gw_jwt_cookies_hide(struct gw_req *req, const struct gw_str *names, size_t n_names);

#endif
