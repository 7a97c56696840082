/* jwt.h - what others ask of whoever judges tokens (jwt.c). */
#ifndef GW_MODULES_JWT_H
#define GW_MODULES_JWT_H

#include "modules/jwt_issuers.h"

/* Would this token be taken?  GW_ERR_OK, or why not; with req->pending set, the request waits for
 * a key to be found, and step(req, conf) is run again then. */
enum gw_err gw_jwt_try(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
                       enum gw_verdict (*step)(struct gw_req *req, const void *conf),
                       const void *conf);

#endif
