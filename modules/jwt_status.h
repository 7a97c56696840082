/* jwt_status.h - how it is with issuers whose keys are fetched: for metrics and readiness. */
#ifndef GW_MODULES_JWT_STATUS_H
#define GW_MODULES_JWT_STATUS_H

#include <jansson.h>

#include "base/buf.h"

/* Any thread.  ksgate_jwks_...; nothing when there are none. */
void gw_jwt_status_metrics(struct gw_buf *out);

/* Any thread.  {"state": "complete" | "missing", "issuers": [...]}; NULL: there are none.  Names,
 * and why, only for those who may know. */
json_t *gw_jwt_status_json(bool names);

#endif
