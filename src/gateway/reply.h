/*
 * reply.h - the gateway's own answers.
 */
#ifndef GW_GATEWAY_REPLY_H
#define GW_GATEWAY_REPLY_H

#include "base/buf.h"
#include "gateway/req.h"

/* Makes req->err (and req->detail) the reply: a Kubernetes Status as JSON, with
 * WWW-Authenticate on 401.  Kubernetes' message for FORBIDDEN is made by rbac in detail, and
 * req->cause is its cause. */
void gw_reply_error(struct gw_req *req);

/* What a Status is about, one cause in words, and when to ask again; each may be none. */
struct gw_status_details {
    struct gw_str group, kind, name;
    struct gw_str cause_reason, cause;
    unsigned retry_after_s; /* 0: none */
};

/* Appends a Status object. */
void gw_status_json(struct gw_buf *out, int code, struct gw_str reason, struct gw_str message,
                    const struct gw_status_details *details);

/* Builds the head of req->reply as req->response, with the edits of req->down applied. */
void gw_reply_head(struct gw_req *req);

#endif
