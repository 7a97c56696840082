/* login_wait.h - a request waits for what the provider answers. */
#ifndef GW_MODULES_LOGIN_WAIT_H
#define GW_MODULES_LOGIN_WAIT_H

#include "gateway/req.h"
#include "modules/login_ask.h"

/* The answer is borrowed.  What it returns goes on, unless it is GW_WAIT. */
typedef enum gw_verdict gw_login_then_fn(struct gw_req *req, const struct gw_login_answer *a,
                                         void *arg);

/* form: of the arena, without who asks; or none.  Sets req->pending and returns GW_WAIT. */
enum gw_verdict gw_login_wait(struct gw_req *req, struct gw_login_provider *p,
                              enum gw_login_kind kind, struct gw_str form, gw_login_then_fn *then,
                              void *arg);

/* Gives back the refresh token that was got at got_ms (wall), or the newest that has come of it;
 * waits for nothing. */
void gw_login_revoke(struct gw_world *world, struct gw_login_provider *p, struct gw_str refresh,
                     uint64_t got_ms);

#endif
