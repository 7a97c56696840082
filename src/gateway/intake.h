/*
 * intake.h - makes a request of a message's head.
 *
 * Everything that must be refused before any policy is asked is refused here: what policy sees
 * afterwards is byte for byte what the backend gets.
 */
#ifndef GW_GATEWAY_INTAKE_H
#define GW_GATEWAY_INTAKE_H

#include "gateway/req.h"

struct gw_session;
struct gw_settings;

/* What Allow says of the gateway as a whole. */
#define GW_METHODS GW_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

/* Never NULL; req->err says when it is refused.  parsed: the head is whole; else the parser's
 * error is the request's. */
struct gw_req *gw_intake(struct gw_session *s, bool parsed);

/* Splits the target into req->target.  One without a query has that of X-KubeSphere-Rawquery, where
 * ks-core of a host repeats it for its members (kubesphere.md, sections 3 and 8): it becomes part
 * of req->head's target, and the header goes no further.  An error as gw_target_split()'s. */
enum gw_err gw_intake_target(struct gw_req *req, struct gw_str method);

/* "9.9.9.9:1", "[::1]:1", or an address alone: the address as a live request has it; what is none
 * stays as it is. */
struct gw_str gw_intake_address(struct gw_req *req, struct gw_str text);

/* The client by X-Forwarded-For, when the peer is a proxy of ours: text; IPv4 always as IPv4.
 * req->peer_ip when the header says nothing that can be believed. */
struct gw_str gw_intake_forwarded(struct gw_req *req, const struct gw_settings *set);

#endif
