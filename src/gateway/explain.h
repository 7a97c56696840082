/*
 * explain.h - the decision for a request that is not sent: the same plan, run dry.
 */
#ifndef GW_GATEWAY_EXPLAIN_H
#define GW_GATEWAY_EXPLAIN_H

#include "gateway/conf.h"

struct gw_question {
    struct gw_str id, method, host, url; /* url: a request target */
    struct gw_str authorization;         /* "Bearer ..." to be verified; or none: */
    struct gw_str user;                  /* taken as it is; none: anonymous */
    const struct gw_str *groups;
    unsigned n_groups;
    const json_t *attrs; /* instead of method and url; names as in rbac_rules.json; or NULL */
    /* What else the request has; the peer counts as a trusted proxy. */
    const struct gw_header *headers;
    unsigned n_headers;
    struct gw_str remote_addr; /* "9.9.9.9:1234", or none */
    /* Whoever asks, who is told of no more than they may know; NULL: of all. */
    const struct gw_req *asker;
};

/* Walks all steps before the request would be sent.  The request borrows the question's texts
 * and lives in its arena: free with gw_arena_free(req->arena).  Never NULL.
 *
 * req->decision.allowed is the permission; req->err is what the client would be told, which can
 * be an error although it is permitted: there may be no such extension. */
struct gw_req *gw_explain_run(struct gw_conf *c, struct gw_world *w, const struct gw_question *q);

/* The answer of `explain` (docs/modules/rbac.md): a new reference to
 * {"id", "requestInfo", "decision", "reason", "rule", "status", "message", ...}. */
json_t *gw_explain_json(const struct gw_req *req, const struct gw_question *q);

#endif
