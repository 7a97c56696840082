/* jwt.h - what others ask of whoever judges tokens (jwt.c). */
#ifndef GW_MODULES_JWT_H
#define GW_MODULES_JWT_H

#include "modules/jwt_issuers.h"

/* Would this token be taken?  GW_ERR_OK and whom it names (in the arena), or why not; with
 * req->pending set, the request waits for a key to be found, and step(req, conf) is run again then.
 */
enum gw_err gw_jwt_try(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
                       enum gw_verdict (*step)(struct gw_req *req, const void *conf),
                       const void *conf, struct gw_str *user);

/* Has a Revocation ended all that was issued to the user before a time that is later than the
 * login at begun_ms (wall)? */
bool gw_jwt_session_is_revoked(const struct gw_world *world, struct gw_str user, uint64_t begun_ms);

/* Has one ended this very token, whether it has expired or not? */
bool gw_jwt_token_is_revoked(const struct gw_req *req, struct gw_str token);

#endif
