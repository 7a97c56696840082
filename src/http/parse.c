#include "http/parse.h"

#include "http/parse_private.h"
#include <assert.h>

/* A head that comes in one piece, is plain (parse_scan.c) and breaks no rule is read once.  All
 * others go to llhttp, which also decodes chunks.  It makes no slices: the lines of a head that it
 * has passed are cut by gw_parse_fields(), which finds no other lines in it than llhttp did, or
 * refuses.  So two readers must agree on each head that is not beyond doubt (docs/adr/0009).
 *
 * Refused by parse_line.c:   what is not METHOD SP target SP HTTP/1.0-or-1.1 CRLF to the byte:
 *                            HTTP/0.9, second spaces, tabs, LF alone, other protocols and
 *                            versions; fragments, 8-bit and control bytes in the target;
 *                            unknown methods; the same for status lines
 * Refused by parse_fields.c: folded lines, an empty line of LF alone, too many headers
 * Refused by parse_rules.c:  hosts, lengths, codings and expectations, each named there
 * Refused by parse_body.c:   endless chunk lines, floods of chunk extensions */

static int
on_pause(llhttp_t *http)
{
    (void)http;
    return HPE_PAUSED; /* what follows is not ours to read before the caller knows of this */
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_pause,
    .on_chunk_header = gw_parse_on_chunk_header,
    .on_body = gw_parse_on_body,
    .on_message_complete = on_pause,
};

void
gw_parser_start(struct gw_parser *p, enum gw_parse_kind kind, const struct gw_parse_limits *limits)
{
    p->kind = kind;
    p->limits = limits;
    p->arena = NULL;
    p->head = (struct gw_head){0};
    p->err = GW_ERR_OK;
    p->detail[0] = '\0';
    p->plain = p->in_trailers = p->head_done = p->done = false;
    p->trailers = (struct gw_headers){0};
    p->n_body = 0;
    p->body_bytes = 0;
    p->skip = p->line_end = p->fed = 0;
    p->mark = p->line_bytes = p->excess = 0;
    p->trailer = NULL;
    p->trailer_bytes = p->trailer_size = 0;
    p->body_left = 0;
    p->request_head = false;
}

void
gw_parser_expect(struct gw_parser *p, struct gw_str request_method)
{
    p->request_head = gw_str_eq(request_method, GW_STR("HEAD"));
}

static struct gw_str
slice(const char *raw, size_t skip, struct gw_parse_span span)
{
    return (struct gw_str){raw + (span.at - skip), span.n};
}

/* The head ends before base + end: its one copy. */
static char *
keep(struct gw_parser *p, const char *base, size_t end)
{
    struct gw_head *h = &p->head;
    size_t n = end - p->skip;
    char *raw = gw_arena_raw(p->arena, n);

    memcpy(raw, base + p->skip, n);
    h->raw = (struct gw_str){raw, n};
    if (p->kind == GW_PARSE_REQUEST) {
        h->method = slice(raw, p->skip, p->method);
        h->target = slice(raw, p->skip, p->target);
        h->head_request = gw_str_eq(h->method, GW_STR("HEAD"));
    } else {
        h->reason = slice(raw, p->skip, p->reason);
    }
    return raw;
}

static enum gw_parse
head_done(struct gw_parser *p)
{
    p->head_done = true;
    p->body_left = p->head.length;
    p->done = p->head.body == GW_BODY_NONE;
    return p->done ? GW_PARSE_DONE : GW_PARSE_HEAD;
}

/* llhttp has read the head and found it valid. */
static enum gw_parse
head_complete(struct gw_parser *p, const char *base, size_t end)
{
    struct gw_head *h = &p->head;

    (void)keep(p, base, end);
    if (!gw_parse_fields(p, gw_str_skip(h->raw, p->line_end - p->skip), &h->headers) ||
        !gw_parse_rules(p)) {
        return GW_PARSE_ERROR;
    }
    if (h->body == GW_BODY_CHUNKED) {
        llhttp_resume(&p->http); /* other bodies are counted without it */
    }
    return head_done(p);
}

/* Heads as nearly all are, there in one piece and with nothing special in them: they are read
 * once.  False: not such a one, and nothing has happened. */
static bool
plain_head(struct gw_parser *p, const char *base, size_t end, size_t *used)
{
    struct gw_head *h = &p->head;
    const struct gw_head line = *h;
    const char *head = base + p->skip;

    if (p->kind == GW_PARSE_REQUEST && base[p->target.at] != '/') {
        return false;
    }
    const char *stop = gw_parse_scan(p, base + p->line_end, base + end, &h->headers);
    if (stop == NULL) {
        h->headers = (struct gw_headers){0};
        return false;
    }
    const char *raw = keep(p, base, (size_t)(stop - base));
    for (unsigned i = 0; i < h->headers.n; i++) {
        struct gw_header *f = &h->headers.list[i];

        f->name.p = raw + (f->name.p - head);
        f->value.p = raw + (f->value.p - head);
    }
    p->plain = true;
    if (gw_parse_rules(p)) {
        *used = (size_t)(stop - base);
        return true;
    }
    *h = line; /* let llhttp say what is wrong with it, in the same words however it came */
    p->plain = false;
    p->err = GW_ERR_OK;
    p->detail[0] = '\0';
    return false;
}

/* Goes on where llhttp is, up to base + end. */
static enum gw_parse
feed(struct gw_parser *p, const char *base, size_t end, size_t n, size_t *used)
{
    enum llhttp_errno e = llhttp_execute(&p->http, base + p->fed, end - p->fed);
    struct gw_str lines = {base + p->line_end, end - p->line_end};

    p->fed = end;
    switch (e) {
    case HPE_OK:
        return n > end ? gw_parse_fail_too_large(p, lines, "the head") : GW_PARSE_MORE;
    case HPE_PAUSED:
        *used = (size_t)(llhttp_get_error_pos(&p->http) - base);
        return head_complete(p, base, *used);
    default:
        return gw_parse_fail_llhttp(p, lines, (size_t)(llhttp_get_error_pos(&p->http) - lines.p));
    }
}

enum gw_parse
gw_parser_head(struct gw_parser *p, struct gw_arena *arena, char *base, size_t n, size_t *used)
{
    assert(!p->head_done);
    p->arena = arena;
    *used = n;
    if (p->err != GW_ERR_OK) {
        return GW_PARSE_ERROR;
    }
    if (p->line_end == 0) {
        enum gw_parse line = gw_parse_line(p, base, n);
        if (line != GW_PARSE_DONE) {
            return line;
        }
    }
    /* Never more than the limit, so that what is refused does not depend on how it came. */
    size_t end = p->skip + p->limits->head_bytes;
    if (end > n) {
        end = n;
    }
    if (p->fed == p->skip) { /* llhttp has seen nothing of it yet */
        if (plain_head(p, base, end, used)) {
            return head_done(p);
        }
        llhttp_init(&p->http, p->kind == GW_PARSE_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
                    &settings);
        p->http.data = p;
    }
    return feed(p, base, end, n, used);
}

enum gw_parse
gw_parser_eof(struct gw_parser *p)
{
    if (p->err != GW_ERR_OK) {
        return GW_PARSE_ERROR;
    }
    if (p->done || (p->head_done && p->head.body == GW_BODY_TO_CLOSE)) {
        p->done = true;
        return GW_PARSE_DONE;
    }
    if (p->kind == GW_PARSE_REQUEST) {
        return gw_parse_fail(p, GW_ERR_CLIENT_GONE, "the connection ended within the %s",
                             p->head_done ? "body" : "head");
    }
    return p->head_done
               ? gw_parse_fail(p, GW_ERR_RESPONSE_CUT, "the connection ended within the body")
               : gw_parse_fail(p, GW_ERR_UPSTREAM_CLOSED,
                               "the connection ended before the head was complete");
}
