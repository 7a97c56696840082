/*
 * jwt_site.h - does a request that is allowed by a cookie come from a page of this site?
 *
 * A browser sends its cookies along whoever has made it ask.  So a cookie shows who the browser
 * is of, and not that this user wants what is asked for (cross-site request forgery).
 */
#ifndef GW_MODULES_JWT_SITE_H
#define GW_MODULES_JWT_SITE_H

#include "gateway/req.h"
#include "modules/jwt_places.h"

/* What is missing, in words; NULL when the request may use the cookie. */
const char *gw_jwt_site_missing(struct gw_req *req, const struct gw_jwt_places *p);

/* Why the request is not known to come from a page of this site, whatever it is; NULL: it is. */
const char *gw_jwt_site_foreign(const struct gw_req *req, const struct gw_jwt_places *p);

/* What the browser sees in its address bar: the scheme, and the host with its port. */
bool gw_jwt_site_is_https(const struct gw_req *req);
struct gw_str gw_jwt_site_host(const struct gw_req *req);

/* Gives the browser the cookie for its forms, unless it has one. */
void gw_jwt_site_greet(struct gw_req *req, const struct gw_jwt_places *p);

#endif
