#include "http/parse_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "http/chars.h"

/* What a request may be blamed for, a backend's answer is not: the client gets a 502. */
static enum gw_err
of_response(enum gw_err err)
{
    switch (err) {
    case GW_ERR_HEAD_TOO_LARGE:
    case GW_ERR_TOO_MANY_HEADERS:
        return GW_ERR_UPSTREAM_TOO_LARGE;
    case GW_ERR_UPSTREAM_CLOSED:
    case GW_ERR_RESPONSE_CUT:
        return err;
    default:
        return GW_ERR_UPSTREAM_INVALID;
    }
}

enum gw_parse
gw_parse_fail(struct gw_parser *p, enum gw_err err, const char *fmt, ...)
{
    va_list args;

    assert(p->err == GW_ERR_OK && err != GW_ERR_OK);
    p->err = p->kind == GW_PARSE_REQUEST ? err : of_response(err);
    va_start(args, fmt);
    (void)vsnprintf(p->detail, sizeof(p->detail), fmt, args); /* cut when it is long */
    va_end(args);
    return GW_PARSE_ERROR;
}

struct gw_parse_name
gw_parse_name(struct gw_str name)
{
    struct gw_parse_name out = {{0}};
    size_t n = name.n < sizeof(out.text) - 1 ? name.n : sizeof(out.text) - 1;

    for (size_t i = 0; i < n; i++) {
        out.text[i] = '?';
        if (gw_char_is(name.p[i], GW_CHAR_TOKEN)) {
            out.text[i] = name.p[i];
        }
    }
    return out;
}

/* A line's name: up to the colon, or all of it. */
static struct gw_str
name_of(struct gw_str line)
{
    size_t n = 0;

    while (n < line.n && gw_char_is(line.p[n], GW_CHAR_TOKEN)) {
        n++;
    }
    return (struct gw_str){line.p, n};
}

/* The largest of the lines; *n: how many there are. */
static struct gw_str
largest_line(struct gw_str text, size_t *n)
{
    struct gw_str largest = GW_STR_NONE;

    *n = 0;
    while (text.n > 0) {
        struct gw_str line = gw_str_cut(&text, '\n');

        if (line.n > 0 && line.p[line.n - 1] == '\r') {
            line.n--;
        }
        *n += line.n > 0;
        if (line.n > largest.n) {
            largest = line;
        }
    }
    return largest;
}

void
gw_parse_fail_too_many(struct gw_parser *p, struct gw_str lines)
{
    size_t n = 0;
    struct gw_str largest = largest_line(lines, &n);

    (void)gw_parse_fail(p, GW_ERR_TOO_MANY_HEADERS,
                        "there are %zu headers, more than %u; the largest, \"%s\", has %zu bytes",
                        n, p->limits->headers, gw_parse_name(name_of(largest)).text, largest.n);
}

enum gw_parse
gw_parse_fail_too_large(struct gw_parser *p, struct gw_str text, const char *what)
{
    size_t n = 0;
    struct gw_str largest = largest_line(text, &n);

    if (largest.n == 0) {
        return gw_parse_fail(p, GW_ERR_HEAD_TOO_LARGE, "%s is larger than %zu bytes", what,
                             p->limits->head_bytes);
    }
    bool whole = largest.p + largest.n < text.p + text.n;
    return gw_parse_fail(p, GW_ERR_HEAD_TOO_LARGE,
                         "%s is larger than %zu bytes; its largest header \"%s\" has %s%zu", what,
                         p->limits->head_bytes, gw_parse_name(name_of(largest)).text,
                         whole ? "" : "at least ", largest.n);
}

/* Our words for llhttp's errors; the rest in its own. */
static const struct {
    enum llhttp_errno of;
    enum gw_err err;
    const char *text;
} rows[] = {
    {HPE_INVALID_CONTENT_LENGTH, GW_ERR_BAD_FRAMING, "is not one decimal number"},
    {HPE_UNEXPECTED_CONTENT_LENGTH, GW_ERR_BAD_FRAMING,
     "stands twice, or beside Transfer-Encoding"},
    {HPE_INVALID_TRANSFER_ENCODING, GW_ERR_BAD_FRAMING, "is not exactly \"chunked\""},
    {HPE_INVALID_HEADER_TOKEN, GW_ERR_BAD_HEADER,
     "has a byte that may not stand there, or no colon right after its name"},
    {HPE_LF_EXPECTED, GW_ERR_BAD_HEADER, "has a CR that is not followed by LF"},
    {HPE_INVALID_URL, GW_ERR_BAD_TARGET, NULL},
    {HPE_INVALID_METHOD, GW_ERR_NOT_IMPLEMENTED, NULL},
    {HPE_INVALID_CHUNK_SIZE, GW_ERR_BAD_FRAMING, NULL},
};

enum gw_parse
gw_parse_fail_llhttp(struct gw_parser *p, struct gw_str text, size_t at)
{
    enum llhttp_errno e = llhttp_get_errno(&p->http);
    enum gw_err err = p->head_done ? GW_ERR_BAD_FRAMING : GW_ERR_BAD_REQUEST;
    const char *words = NULL;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].of == e) {
            err = rows[i].err;
            words = rows[i].text;
        }
    }
    if (words == NULL || at > text.n) { /* beyond: in the start line, which came before */
        return gw_parse_fail(p, err, "%s", llhttp_get_error_reason(&p->http));
    }
    /* Found behind the end of its line, unless it is a byte that may not begin the next. */
    if (at > 0 && text.p[at - 1] == '\n' &&
        (e != HPE_INVALID_HEADER_TOKEN || at < 2 || text.p[at - 2] != '\r')) {
        at--;
    }
    while (at > 0 && text.p[at - 1] != '\n') {
        at--;
    }
    return gw_parse_fail(p, err, "header \"%s\" %s",
                         gw_parse_name(name_of(gw_str_skip(text, at))).text, words);
}
