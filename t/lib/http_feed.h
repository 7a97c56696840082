/*
 * http_feed.h - feeds a parser in pieces and writes down what it said, for tests and fuzzers.
 *
 * Each call gets its bytes in a new allocation of just their size: what is read beyond them,
 * or kept from the call before, is found by the address sanitizer.
 */
#ifndef GW_T_HTTP_FEED_H
#define GW_T_HTTP_FEED_H

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/parse.h"
#include "http/write.h"

struct feed {
    enum gw_parse_kind kind;
    struct gw_str asked; /* responses: the request's method; none: GET */
    struct gw_str bytes;
    size_t first, step; /* the first piece's size, and that of each after it; 0: all */
    bool end;           /* the connection ends after the bytes */
    struct gw_parse_limits limits;
    /* filled in; given back by feed_fini() */
    struct gw_parser parser;
    struct gw_arena *arena;
    enum gw_parse result;
    size_t used; /* of the bytes, by a complete message */
    struct gw_buf body;
    struct gw_buf said; /* all of the outcome, as text */
};

static inline char *
feed_copy(struct gw_str s)
{
    char *copy = malloc(s.n > 0 ? s.n : 1);

    assert(copy != NULL);
    if (s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    return copy;
}

static inline size_t
feed_next(const struct feed *f, size_t have)
{
    size_t n = have == 0 && f->first > 0 ? f->first : f->step;

    return n == 0 || n > f->bytes.n - have ? f->bytes.n - have : n;
}

/* Feeds the head; *have: how many bytes the parser has been given by then. */
static inline void
feed_head(struct feed *f, size_t *have)
{
    do {
        *have += feed_next(f, *have);
        size_t used = 0;
        char *copy = feed_copy((struct gw_str){f->bytes.p, *have});
        f->result = gw_parser_head(&f->parser, f->arena, copy, *have, &used);
        assert(f->result != GW_PARSE_MORE || used == *have);
        assert(used <= *have);
        f->used = used;
        free(copy);
    } while (f->result == GW_PARSE_MORE && *have < f->bytes.n);
}

static inline void
feed_body(struct feed *f, size_t have)
{
    for (;;) {
        struct gw_str piece = {f->bytes.p + f->used, have - f->used};
        size_t used = 0;
        size_t sum = 0;
        char *copy = feed_copy(piece);
        f->result = gw_parser_body(&f->parser, copy, piece.n, &used);
        assert(f->result != GW_PARSE_HEAD && used <= piece.n);
        assert(f->result != GW_PARSE_MORE || used == piece.n);
        for (unsigned i = 0; i < f->parser.n_body; i++) {
            const struct iovec *v = &f->parser.body[i];
            const char *from = v->iov_base;
            assert(from >= copy && from + v->iov_len <= copy + piece.n);
            gw_buf_add(&f->body, from, v->iov_len);
            sum += v->iov_len;
        }
        assert(sum == f->parser.body_bytes);
        free(copy);
        f->used += used;
        if (f->result != GW_PARSE_MORE || have == f->bytes.n) {
            return;
        }
        have += feed_next(f, have);
    }
}

static inline void
feed_say_headers(struct gw_buf *to, const struct gw_headers *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        const struct gw_header *one = &h->list[i];

        gw_buf_printf(to, "%s[%.*s]=[", one->clean ? "" : "~", GW_STR_ARG(one->name));
        gw_buf_str(to, one->value);
        gw_buf_printf(to, "] ");
    }
}

/* "HEAD|DONE|MORE: ..." or "ERROR name: detail" */
static inline void
feed_say(struct feed *f)
{
    static const char *const bodies[] = {"none", "length", "chunked", "to-close"};
    const struct gw_parser *p = &f->parser;
    const struct gw_head *h = &p->head;

    if (f->result == GW_PARSE_ERROR) {
        gw_buf_printf(&f->said, "ERROR %s: %s", gw_err_name(p->err), p->detail);
        return;
    }
    gw_buf_puts(&f->said, f->result == GW_PARSE_DONE ? "DONE " : "MORE ");
    if (!p->head_done) {
        return;
    }
    if (f->kind == GW_PARSE_REQUEST) {
        gw_buf_printf(&f->said, "%.*s %.*s", GW_STR_ARG(h->method), GW_STR_ARG(h->target));
    } else {
        gw_buf_printf(&f->said, "%u (%.*s)", h->status, GW_STR_ARG(h->reason));
    }
    gw_buf_printf(&f->said, " 1.%u %s/%ju%s%s%s%s ", h->minor, bodies[h->body],
                  (uintmax_t)h->length, h->keep_alive ? "" : " close", h->upgrade ? " upgrade" : "",
                  h->expect_continue ? " expect" : "", h->head_request ? " head" : "");
    feed_say_headers(&f->said, &h->headers);
    if (f->body.n > 0) {
        gw_buf_puts(&f->said, "body [");
        gw_buf_str(&f->said, gw_buf_text(&f->body));
        gw_buf_puts(&f->said, "] ");
    }
    if (p->trailers.n > 0) {
        gw_buf_puts(&f->said, "trailers ");
        feed_say_headers(&f->said, &p->trailers);
    }
    if (f->result == GW_PARSE_DONE) {
        gw_buf_printf(&f->said, "left %zu", f->bytes.n - f->used);
    }
}

static inline void
feed_run(struct feed *f)
{
    size_t have = 0;

    f->arena = gw_arena_new();
    f->body = f->said = (struct gw_buf){0};
    gw_parser_start(&f->parser, f->kind, &f->limits);
    if (f->kind == GW_PARSE_RESPONSE) {
        gw_parser_expect(&f->parser, f->asked.n == 0 ? GW_STR("GET") : f->asked);
    }
    feed_head(f, &have);
    if (f->result == GW_PARSE_HEAD) {
        feed_body(f, have);
    }
    if (f->end && f->result == GW_PARSE_MORE) {
        f->result = gw_parser_eof(&f->parser);
    }
    feed_say(f);
}

static inline void
feed_fini(struct feed *f)
{
    gw_arena_free(f->arena);
    gw_buf_fini(&f->body);
    gw_buf_fini(&f->said);
}

#endif
