/* login_return.h - where a browser is sent when it has logged in: a place of this site, and no
 * other. */
#ifndef GW_MODULES_LOGIN_RETURN_H
#define GW_MODULES_LOGIN_RETURN_H

#include "base/str.h"

#define GW_LOGIN_RETURN_MAX 2048 /* bytes; it is kept in a cookie meanwhile */

/* Is it a path of this site, with or without a query, that no browser and no proxy reads as
 * anything else?  And none of the login's own, which would go round in a circle. */
bool gw_login_return_ok(struct gw_str target);

/* Is the path one of those that the login answers itself? */
bool gw_login_path_is_ours(struct gw_str path);

#endif
