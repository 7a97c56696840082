/*
 * basic.h - a name and a password (RFC 7617), checked by the registered users.
 *
 * jwt.c finds the credential and hands it over here; the name, groups and errors that come out
 * are as those of a token.
 */
#ifndef GW_MODULES_BASIC_H
#define GW_MODULES_BASIC_H

#include "gateway/req.h"
#include "modules/basic_settings.h"

/* Is this credential to be checked here? */
bool gw_basic_is_ours(const struct gw_req *req, const struct gw_basic_settings *s,
                      struct gw_str scheme);

/* What stands behind "Basic ".  GW_NEXT: req->subject says who it is, or req->credential_err why
 * not.  GW_WAIT: the same, later. */
enum gw_verdict gw_basic_check(struct gw_req *req, const struct gw_basic_settings *s,
                               struct gw_str credential);

#endif
