/*
 * headers.h - the header fields of one message, as slices into its head.
 *
 * Well-known names are recognised once, when the head is parsed, and found again by their
 * id without comparing text.  Order and spelling are kept as received.
 */
#ifndef GW_HTTP_HEADERS_H
#define GW_HTTP_HEADERS_H

#include "base/str.h"

/* Names that the gateway looks at, lower case.  GW_H_OTHER is any other name. */
/* clang-format off */
#define GW_HEADERS(X)                                                      \
    X(ACCEPT, "accept")                                                    \
    X(AUTHORIZATION, "authorization")                                      \
    X(CONNECTION, "connection")                                            \
    X(CONTENT_LENGTH, "content-length")                                    \
    X(CONTENT_TYPE, "content-type")                                        \
    X(COOKIE, "cookie")                                                    \
    X(DATE, "date")                                                        \
    X(EXPECT, "expect")                                                    \
    X(FORWARDED, "forwarded")                                              \
    X(HOST, "host")                                                        \
    X(KEEP_ALIVE, "keep-alive")                                            \
    X(LOCATION, "location")                                                \
    X(ORIGIN, "origin")                                                    \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                            \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                          \
    X(PROXY_CONNECTION, "proxy-connection")                                \
    X(REFERER, "referer")                                                  \
    X(REFRESH, "refresh")                                                  \
    X(SERVER, "server")                                                    \
    X(SET_COOKIE, "set-cookie")                                            \
    X(SEC_FETCH_SITE, "sec-fetch-site")                                    \
    X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol")                    \
    X(TE, "te")                                                            \
    X(TRAILER, "trailer")                                                  \
    X(TRANSFER_ENCODING, "transfer-encoding")                              \
    X(UPGRADE, "upgrade")                                                  \
    X(USER_AGENT, "user-agent")                                            \
    X(VIA, "via")                                                          \
    X(X_CLIENT_IP, "x-client-ip")                                          \
    X(X_FORWARDED_FOR, "x-forwarded-for")                                  \
    X(X_FORWARDED_HOST, "x-forwarded-host")                                \
    X(X_FORWARDED_PORT, "x-forwarded-port")                                \
    X(X_FORWARDED_PREFIX, "x-forwarded-prefix")                            \
    X(X_FORWARDED_PROTO, "x-forwarded-proto")                              \
    X(X_KUBESPHERE_AUTHORIZATION, "x-kubesphere-authorization")            \
    X(X_KUBESPHERE_RAWQUERY, "x-kubesphere-rawquery")                      \
    X(X_REAL_IP, "x-real-ip")                                              \
    X(X_REQUEST_ID, "x-request-id")
/* clang-format on */

enum gw_header_id {
    GW_H_OTHER,
#define X(id, name) GW_H_##id,
    GW_HEADERS(X)
#undef X
    GW_H_COUNT
};

struct gw_header {
    struct gw_str name, value; /* value without white space at its ends */
    unsigned short id;         /* enum gw_header_id */
    bool clean;                /* the line in the head is "name: value\r\n" to the byte */
};

struct gw_headers {
    struct gw_header *list; /* owned by the message's arena */
    unsigned n, size;
    uint64_t present; /* bit (id) is set when a header of that id is there */
};

/* Which well-known header a name is, in any case. */
enum gw_header_id gw_header_id(struct gw_str name);
const char *gw_header_name(enum gw_header_id id); /* lower case */

/* The same to a backend that takes '_' and '.' for '-' (CGI, WSGI): "Content_Length". */
enum gw_header_id gw_header_id_folded(struct gw_str name);

static inline bool
gw_headers_has(const struct gw_headers *h, enum gw_header_id id)
{
    return (h->present >> id & 1) != 0;
}

/* The first header of the id, or NULL. */
const struct gw_header *gw_headers_get(const struct gw_headers *h, enum gw_header_id id);

/* The value of the first header of the id, or GW_STR_NONE. */
struct gw_str gw_headers_value(const struct gw_headers *h, enum gw_header_id id);

/* The value of the only header of the id, or GW_STR_NONE.  False: there are several. */
bool gw_headers_only(const struct gw_headers *h, enum gw_header_id id, struct gw_str *value);

/* The first header of that name (any case), well-known or not, or NULL. */
const struct gw_header *gw_headers_find(const struct gw_headers *h, struct gw_str name);

/* Is `token` (any case) one of the comma-separated elements of any header of the id? */
bool gw_headers_list_has(const struct gw_headers *h, enum gw_header_id id, struct gw_str token);

/* Hop-by-hop by nature (RFC 9110, 7.6.1), not forwarded: connection, keep-alive, proxy-*, te,
 * trailer, transfer-encoding, upgrade.  What Connection names comes on top of it. */
bool gw_header_is_hop(enum gw_header_id id);

/* Names that say who asks or what for, and that only the gateway may set: X-Remote-*;
 * Impersonate-*; X-Ksgate-*; X-Forwarded-*; X-HTTP-Method-Override and its like,
 * X-Original-URL, X-Rewrite-URL.  Case, '_' and '.' for '-' make no difference, since backends
 * (CGI, WSGI) fold them. */
bool gw_header_is_identity(struct gw_str name);

/* May it be forwarded from a trailer?  Only what means nothing to how a message is framed,
 * routed, permitted or understood (RFC 9110, 6.5.1). */
bool gw_header_may_trail(const struct gw_header *h);

/* A field-name token and a field-value by RFC 9110, 5.1 and 5.5 (no CR, LF, NUL, no control). */
bool gw_header_name_ok(struct gw_str name);
bool gw_header_value_ok(struct gw_str value);

#endif
