/*
 * jwt_upgrade.h - credentials of browsers' WebSockets.
 *
 * A page can't set a header on a WebSocket.  So it may put its token into the list of protocols,
 * as Kubernetes has it (staging/src/k8s.io/apiserver/pkg/authentication/request/websocket/
 * protocol.go), or, where it is configured, into the query (RFC 6750, 2.3).
 */
#ifndef GW_MODULES_JWT_UPGRADE_H
#define GW_MODULES_JWT_UPGRADE_H

#include "gateway/req.h"

/* "base64url.bearer.authorization.k8s.io.TOKEN" among the elements of Sec-WebSocket-Protocol. */
struct gw_jwt_protocols {
    struct gw_str encoded; /* TOKEN of the first; NULL: there is none */
    unsigned n_tokens;
    unsigned n_others;
};
void gw_jwt_protocols_read(const struct gw_headers *h, struct gw_jwt_protocols *out);

/* The elements that are no tokens, as the value of one header; in the arena. */
struct gw_str gw_jwt_protocols_without(struct gw_arena *a, const struct gw_headers *h);

/* The access_token of a raw query, decoded (in the arena, if it had to be); NULL: there is none,
 * or its escapes are broken.  Returns how many there are. */
unsigned gw_jwt_query_token(struct gw_arena *a, struct gw_str query, struct gw_str *token);

/* A request target without it; the rest to the byte, and no '?' if nothing stands behind it. */
struct gw_str gw_jwt_target_without(struct gw_arena *a, struct gw_str target);

#endif
