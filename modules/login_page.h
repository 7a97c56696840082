/*
 * login_page.h - what people are told of a login: as a page to a browser, as a Status to others.
 *
 * No word of it is the provider's or the request's, but for what is escaped here.
 */
#ifndef GW_MODULES_LOGIN_PAGE_H
#define GW_MODULES_LOGIN_PAGE_H

#include "gateway/req.h"

/* Has a user gone there with a browser, to see a page?  A script, a WebSocket or a program wants
 * an answer that it can read instead. */
bool gw_login_is_navigation(const struct gw_req *req);

/* A Location on this site or another, with nothing to keep and nothing to tell the next one. */
enum gw_verdict gw_login_go(struct gw_req *req, struct gw_str location);

/* The error, in its own words and those of `more` (static, or of the arena; or ""); a page has a
 * link to log in, and to come back to `back` (none: the usual place). */
enum gw_verdict gw_login_refuse(struct gw_req *req, enum gw_err err, const char *more,
                                struct gw_str back);

/* The same for a reply that there is already: it becomes a page. */
void gw_login_refusal_page(struct gw_req *req, const char *more, struct gw_str back);

/* A page with a button to log out; or one that says that nobody is logged in. */
enum gw_verdict gw_login_leave_page(struct gw_req *req, bool logged_in);

#endif
