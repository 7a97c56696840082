/*
 * parse.h - bytes to HTTP/1 messages, without sockets.
 *
 * llhttp in strict mode, a scanner for the heads that need no second look, and the refusals that
 * llhttp does not make (RFC 9112; each is named in parse.c).  The caller owns the bytes: while the
 * head is incomplete it feeds the message from its first byte on in ONE contiguous buffer that may
 * move between calls (offsets are kept, no pointers).  When the head is complete it is copied once
 * into the arena, and all slices point there.  Body bytes are handed out as slices of what was just
 * fed.
 *
 *     gw_parser_start(p, kind, limits)
 *     gw_parser_head(p, arena, base, n, &used)  until GW_PARSE_HEAD (or _ERROR)
 *     gw_parser_body(p, bytes, n, &used)        until GW_PARSE_DONE (or _ERROR)
 *
 * A message without a body, or with a length of 0, has GW_BODY_NONE and is GW_PARSE_DONE right
 * from gw_parser_head().  A response's errors are UPSTREAM_INVALID, _TOO_LARGE, _CLOSED, or
 * RESPONSE_CUT; p->detail has the rule.
 */
#ifndef GW_HTTP_PARSE_H
#define GW_HTTP_PARSE_H

#include <sys/uio.h>

#include <llhttp.h>

#include "base/arena.h"
#include "base/err.h"
#include "http/headers.h"

enum gw_parse_kind {
    GW_PARSE_REQUEST,
    GW_PARSE_RESPONSE
};

enum gw_parse {
    GW_PARSE_MORE,  /* all was used; feed more */
    GW_PARSE_HEAD,  /* the head is complete, a body follows */
    GW_PARSE_DONE,  /* the message is complete (also right after the head) */
    GW_PARSE_ERROR, /* p->err and p->detail say why; the connection can't go on */
};

enum gw_body_kind {
    GW_BODY_NONE,
    GW_BODY_LENGTH, /* msg.length bytes */
    GW_BODY_CHUNKED,
    GW_BODY_TO_CLOSE /* responses only: ends with the connection */
};

/* One message's head.  All slices point into `raw`, which its arena owns. */
struct gw_head {
    struct gw_str raw;    /* start line, headers, empty line, as received */
    struct gw_str method; /* requests */
    struct gw_str target; /* requests: as received */
    struct gw_str reason; /* responses */
    struct gw_headers headers;
    uint64_t length; /* of GW_BODY_LENGTH */
    enum gw_body_kind body;
    unsigned short status; /* responses */
    unsigned char minor;   /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;       /* the connection may be used again after this message */
    bool upgrade;          /* request: Connection: upgrade with an Upgrade header; response: 101 */
    bool expect_continue;  /* request: Expect: 100-continue on HTTP/1.1 */
    bool head_request;     /* the method is HEAD */
};

struct gw_parse_limits {
    size_t head_bytes;   /* start line and headers together, with all line ends */
    size_t target_bytes; /* the request target */
    unsigned headers;    /* how many */
};

#define GW_PARSE_IOV 16

struct gw_parser {
    llhttp_t http;
    enum gw_parse_kind kind;
    const struct gw_parse_limits *limits; /* borrowed */
    struct gw_arena *arena;
    struct gw_head head;
    enum gw_err err;
    char detail[160]; /* for people: which rule, which header; no header values */
    bool plain;       /* the head was read without llhttp */
    bool in_trailers, head_done, done;
    struct gw_headers trailers;      /* in the arena; only ones that may be forwarded */
    struct iovec body[GW_PARSE_IOV]; /* what the last gw_parser_body() call found */
    unsigned n_body;
    size_t body_bytes;  /* the sum of the last call's slices */
    uint64_t body_left; /* of a body with a length */
    /* private */
    struct gw_parse_span {
        size_t at, n;
    } method, target, reason; /* in the running call's bytes */
    size_t skip;              /* the empty line before a request */
    size_t line_end;          /* behind the start line; 0 until that was read */
    size_t fed;               /* bytes of the head that were looked at */
    char *bytes;              /* of the running gw_parser_body() call; borrowed */
    size_t mark;       /* in it: behind the last body byte, or its framing when that was counted */
    size_t line_bytes; /* chunk framing since the last body byte */
    size_t excess;     /* framing beyond what ordinary chunks need */
    char *trailer;     /* the trailers' lines so far; arena */
    size_t trailer_bytes, trailer_size;
    bool request_head; /* a response to HEAD: no body whatever its head says */
};

/* Starts a new message.  limits are borrowed until the next start. */
void gw_parser_start(struct gw_parser *p, enum gw_parse_kind kind,
                     const struct gw_parse_limits *limits);

/* Responses: says before feeding which method was asked (HEAD has no body). */
void gw_parser_expect(struct gw_parser *p, struct gw_str request_method);

/* Feeds the message from its first byte: base[0..n) are all bytes of it so far.  Empty lines
 * before a request line are skipped (RFC 9112, 2.2: at most one CRLF) and counted in *used.
 * On GW_PARSE_HEAD and _DONE *used says where the head ended; else it is n. */
enum gw_parse gw_parser_head(struct gw_parser *p, struct gw_arena *arena, char *base, size_t n,
                             size_t *used);

/* Feeds bytes after the head.  Slices of body bytes are in p->body[0..n_body), pointing into
 * `bytes` (which may be compacted in place to make them few).  MORE: all was used. */
enum gw_parse gw_parser_body(struct gw_parser *p, char *bytes, size_t n, size_t *used);

/* How many of the next bytes are the body's whatever they are, and may be moved on without being
 * seen here; 0 when that is not worth it.  A body with a length keeps its end for
 * gw_parser_body(), which then sees what follows it. */
size_t gw_parser_uniform(const struct gw_parser *p);
void gw_parser_skip(struct gw_parser *p, size_t n); /* they were moved */

/* The connection ended: DONE for a GW_BODY_TO_CLOSE body, else ERROR. */
enum gw_parse gw_parser_eof(struct gw_parser *p);

#endif
