/*
 * jwt_check.h - one worker's judgement of tokens: those it has verified, and what is revoked.
 *
 * Which token of a request is to be judged, and what becomes of the request, is jwt.c's.
 */
#ifndef GW_MODULES_JWT_CHECK_H
#define GW_MODULES_JWT_CHECK_H

#include "modules/jwt_issuers.h"
#include "modules/jwt_wait.h"

/* A worker's passes, and what is revoked. */
extern const struct gw_view gw_jwt_check_view;

/* GW_ERR_OK: the request is its subject's, by the pass in its slot.  Else why not; with
 * req->pending set, the request waits for a key to be found, and step(req, s) is run again then. */
enum gw_err gw_jwt_check(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
                         gw_jwt_step_fn *step);

/* Would this token be taken?  GW_ERR_OK and whom it names (in the arena), or why not; waits as
 * above, for step(req, conf). */
enum gw_err gw_jwt_check_try(struct gw_req *req, const struct gw_jwt_settings *s,
                             struct gw_str token, gw_jwt_step_fn *step, const void *conf,
                             struct gw_str *user);

/* Of a request that has a pass: was it revoked since it was let in? */
bool gw_jwt_check_is_revoked(const struct gw_req *req);

/* The same of any request, after a change of what is revoked or who is registered; GW_ERR_OK: it
 * may go on. */
enum gw_err gw_jwt_check_again(const struct gw_req *req);

/* Has a Revocation ended all that was issued to the user before a time that is later than the
 * login at begun_ms (wall)? */
bool gw_jwt_check_session_is_revoked(const struct gw_world *world, struct gw_str user,
                                     uint64_t begun_ms);

/* Has one ended this very token, whether it has expired or not? */
bool gw_jwt_check_token_is_revoked(const struct gw_req *req, struct gw_str token);

/* The key has left its issuer's set for good: what it has signed is no longer let in. */
void gw_jwt_check_forget_key(struct gw_world *world, const struct gw_jwt_key *key);

void gw_jwt_check_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n);

#endif
