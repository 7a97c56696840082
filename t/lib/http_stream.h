/*
 * http_stream.h - reads along on one direction of a connection, for tests and fuzzers.
 *
 * All bytes must be whole HTTP messages one after the other, as strictly as the gateway itself
 * reads them, up to an upgrade.  What can't be read so has been smuggled or mixed up.
 */
#ifndef GW_T_HTTP_STREAM_H
#define GW_T_HTTP_STREAM_H

#include <assert.h>
#include <stdio.h>

#include "base/buf.h"
#include "http/parse.h"

#define STREAM_MESSAGES 256

struct stream {
    enum gw_parse_kind kind;
    const struct gw_parse_limits *limits;
    void (*on_head)(const struct gw_head *head); /* or NULL */
    bool lenient;         /* what can't be read is no mistake: nothing after it is looked at */
    struct stream *asked; /* responses: the requests they belong to */
    /* private */
    struct gw_buf bytes;
    size_t at;
    struct gw_arena *arena;
    struct gw_parser parser;
    bool begun, in_body;
    bool blind; /* nothing is looked at any more */
    bool last;  /* nothing may come any more */
    bool is_head[STREAM_MESSAGES];
    unsigned n; /* messages so far; responses: without interim ones */
};

static inline void
stream_fini(struct stream *s)
{
    gw_arena_free(s->arena);
    s->arena = NULL;
    gw_buf_fini(&s->bytes);
    s->blind = true;
}

static inline void
stream_begin(struct stream *s)
{
    const struct stream *q = s->asked;
    bool head = q != NULL && s->n < q->n && q->is_head[s->n];

    assert(!s->last); /* the message before said that the connection is closed */
    gw_arena_free(s->arena);
    s->arena = gw_arena_new();
    s->begun = true;
    gw_parser_start(&s->parser, s->kind, s->limits);
    gw_parser_expect(&s->parser, head ? GW_STR("HEAD") : GW_STR("GET"));
}

static inline void
stream_count(struct stream *s)
{
    const struct gw_head *h = &s->parser.head;

    if (s->kind == GW_PARSE_RESPONSE && h->status < 200 && h->status != 101) {
        return;
    }
    s->is_head[s->n++] = h->head_request;
    s->blind = s->blind || h->upgrade || s->n == STREAM_MESSAGES;
    s->last = s->kind == GW_PARSE_RESPONSE && !h->keep_alive && h->body != GW_BODY_TO_CLOSE;
}

static inline enum gw_parse
stream_step(struct stream *s)
{
    size_t used = 0;
    char *from = s->bytes.p + s->at;
    size_t n = s->bytes.n - s->at;

    if (!s->begun) {
        stream_begin(s);
    }
    enum gw_parse result = s->in_body ? gw_parser_body(&s->parser, from, n, &used)
                                      : gw_parser_head(&s->parser, s->arena, from, n, &used);
    if (result == GW_PARSE_ERROR) {
        if (!s->lenient) {
            (void)fprintf(stderr, "not a message: %s\n", s->parser.detail);
            assert(s->lenient);
        }
        s->is_head[s->n++] = !s->in_body && s->parser.head.head_request;
        s->blind = true;
        return result;
    }
    if (!s->in_body && result != GW_PARSE_MORE) {
        stream_count(s);
        if (s->on_head != NULL) {
            s->on_head(&s->parser.head);
        }
    }
    s->in_body = result == GW_PARSE_HEAD || (s->in_body && result == GW_PARSE_MORE);
    s->at += s->in_body || result != GW_PARSE_MORE ? used : 0;
    s->begun = result != GW_PARSE_DONE;
    return result;
}

static inline void
stream_feed(struct stream *s, const char *p, size_t n)
{
    enum gw_parse result = GW_PARSE_DONE;

    if (s->blind || n == 0) {
        return;
    }
    gw_buf_add(&s->bytes, p, n);
    while (!s->blind && s->at < s->bytes.n && result != GW_PARSE_MORE) {
        result = stream_step(s);
    }
    if (s->at == s->bytes.n) {
        s->at = 0;
        gw_buf_reset(&s->bytes);
    }
}

#endif
