/*
 * admin.h - how requests below /-/ are answered.
 *
 * The admin plan's middle step, in place of forward.  It answers health, metrics and explain
 * right on the worker; object requests go to the control thread and come back as a reply.
 * The server hands the function down, so that gateway/ knows no registry writes.
 */
#ifndef GW_GATEWAY_ADMIN_H
#define GW_GATEWAY_ADMIN_H

#include "gateway/module.h"

/* Reads the whole request body (limits.object at most) into the arena, then calls done once on
 * the worker: err is OK, OBJECT_TOO_LARGE, BODY_TIMEOUT ...  Use from a step that returns
 * GW_WAIT; cancel by the pending that it sets.  At once when there is no body. */
typedef void gw_body_done_fn(struct gw_req *req, enum gw_err err, struct gw_str body, void *arg);
void gw_body_read(struct gw_req *req, gw_body_done_fn *done, void *arg);

/* Set once at start, before workers run. */
void gw_admin_set(gw_step_fn *step);
gw_step_fn *gw_admin_get(void);

#endif
