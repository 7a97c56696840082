#include "http/parse_private.h"

#include <assert.h>

/* Chunk framing: a line may be so long, and all lines together may exceed what chunks need
 * (16 bytes each, and twice the data) by so much.  Extensions are read over. */
#define LINE_BYTES   ((size_t)4096)
#define EXCESS_BYTES ((size_t)16384)
#define CHUNK_NEEDS  ((size_t)16)

/* What is left of a body is not worth a detour through a pipe below this. */
#define UNIFORM_MIN ((uint64_t)64 * 1024)

#define SHORT_SLICE ((size_t)512) /* cheaper to move than to write apart */

static void
add_slice(struct gw_parser *p, char *at, size_t n)
{
    struct iovec *last = p->n_body == 0 ? NULL : &p->body[p->n_body - 1];

    p->body_bytes += n;
    if (last != NULL && (n <= SHORT_SLICE || p->n_body == GW_PARSE_IOV)) {
        /* Down over the framing between them, which llhttp has read already. */
        memmove((char *)last->iov_base + last->iov_len, at, n);
        last->iov_len += n;
        return;
    }
    p->body[p->n_body++] = (struct iovec){.iov_base = at, .iov_len = n};
}

/* Counts the framing up to bytes + at. */
static bool
count_line(struct gw_parser *p, size_t at)
{
    p->line_bytes += at - p->mark;
    p->mark = at;
    if (p->line_bytes <= LINE_BYTES) {
        return true;
    }
    (void)gw_parse_fail(p, GW_ERR_BAD_FRAMING, "a chunk's line is longer than %zu bytes",
                        LINE_BYTES);
    return false;
}

static size_t
less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

int
gw_parse_on_body(llhttp_t *http, const char *at, size_t n)
{
    struct gw_parser *p = http->data;
    size_t where = (size_t)(at - p->bytes);

    if (!count_line(p, where)) {
        return HPE_USER;
    }
    if (p->line_bytes > 0) { /* a chunk begins; otherwise it goes on */
        p->excess = less(p->excess + p->line_bytes, CHUNK_NEEDS);
        p->line_bytes = 0;
        if (p->excess > EXCESS_BYTES) {
            (void)gw_parse_fail(p, GW_ERR_BAD_FRAMING, "far more chunk framing than data");
            return HPE_USER;
        }
    }
    p->excess = less(p->excess, 2 * n);
    p->mark = where + n;
    add_slice(p, p->bytes + where, n);
    return 0;
}

int
gw_parse_on_chunk_header(llhttp_t *http)
{
    return http->content_length == 0 ? HPE_PAUSED : 0; /* the last: trailers follow */
}

static void
keep_trailer_bytes(struct gw_parser *p, const char *at, size_t n)
{
    if (p->trailer_size - p->trailer_bytes < n) {
        p->trailer_size = (p->trailer_bytes + n) * 2;
        p->trailer = gw_arena_more(p->arena, p->trailer, p->trailer_bytes, p->trailer_size);
    }
    memcpy(p->trailer + p->trailer_bytes, at, n);
    p->trailer_bytes += n;
}

/* The lines are complete; of their fields those stay that may be forwarded. */
static enum gw_parse
trailers_complete(struct gw_parser *p)
{
    struct gw_headers all = {0};
    struct gw_headers *kept = &p->trailers;

    if (!gw_parse_fields(p, (struct gw_str){p->trailer, p->trailer_bytes}, &all)) {
        return GW_PARSE_ERROR;
    }
    *kept = all;
    kept->n = 0;
    kept->present = 0;
    for (unsigned i = 0; i < all.n; i++) {
        if (gw_header_may_trail(&all.list[i])) {
            kept->present |= UINT64_C(1) << all.list[i].id;
            kept->list[kept->n++] = all.list[i];
        }
    }
    p->done = true;
    return GW_PARSE_DONE;
}

/* bytes[at..n) belong to what follows the last chunk: lines as in a head. */
static enum gw_parse
trailers(struct gw_parser *p, const char *bytes, size_t at, size_t n, size_t *used)
{
    if (at == n) {
        return GW_PARSE_MORE;
    }
    size_t room = p->limits->head_bytes - p->trailer_bytes;
    size_t give = n - at < room ? n - at : room;
    enum llhttp_errno e = llhttp_execute(&p->http, bytes + at, give);
    size_t got = e == HPE_OK ? give : (size_t)(llhttp_get_error_pos(&p->http) - (bytes + at));

    keep_trailer_bytes(p, bytes + at, e == HPE_OK || e == HPE_PAUSED ? got : give);
    switch (e) {
    case HPE_OK:
        return n - at == give
                   ? GW_PARSE_MORE
                   : gw_parse_fail_too_large(p, (struct gw_str){p->trailer, p->trailer_bytes},
                                             "the trailer section");
    case HPE_PAUSED:
        *used = at + got;
        return trailers_complete(p);
    default:
        return gw_parse_fail_llhttp(p, (struct gw_str){p->trailer, p->trailer_bytes},
                                    p->trailer_bytes - give + got);
    }
}

static enum gw_parse
chunks(struct gw_parser *p, char *bytes, size_t n, size_t *used)
{
    if (p->in_trailers) {
        return trailers(p, bytes, 0, n, used);
    }
    p->bytes = bytes;
    p->mark = 0;
    enum llhttp_errno e = llhttp_execute(&p->http, bytes, n);
    if (p->err != GW_ERR_OK) {
        return GW_PARSE_ERROR;
    }
    size_t at = e == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&p->http) - bytes);
    if (!count_line(p, at)) {
        return GW_PARSE_ERROR;
    }
    switch (e) {
    case HPE_OK:
        return GW_PARSE_MORE;
    case HPE_PAUSED:
        llhttp_resume(&p->http);
        p->in_trailers = true;
        return trailers(p, bytes, at, n, used);
    default:
        return gw_parse_fail_llhttp(p, GW_STR_NONE, 0);
    }
}

enum gw_parse
gw_parser_body(struct gw_parser *p, char *bytes, size_t n, size_t *used)
{
    assert(p->head_done);
    p->n_body = 0;
    p->body_bytes = 0;
    *used = n;
    if (p->err != GW_ERR_OK) {
        return GW_PARSE_ERROR;
    }
    if (p->done) {
        *used = 0;
        return GW_PARSE_DONE;
    }
    switch (p->head.body) {
    case GW_BODY_CHUNKED:
        return chunks(p, bytes, n, used);
    case GW_BODY_LENGTH:
        *used = n < p->body_left ? n : (size_t)p->body_left;
        p->body_left -= *used;
        p->done = p->body_left == 0;
        break;
    case GW_BODY_TO_CLOSE:
    case GW_BODY_NONE:
        break;
    }
    if (*used > 0) {
        add_slice(p, bytes, *used);
    }
    return p->done ? GW_PARSE_DONE : GW_PARSE_MORE;
}

size_t
gw_parser_uniform(const struct gw_parser *p)
{
    if (!p->head_done || p->done || p->err != GW_ERR_OK) {
        return 0;
    }
    if (p->head.body == GW_BODY_TO_CLOSE) {
        return SIZE_MAX;
    }
    if (p->head.body != GW_BODY_LENGTH || p->body_left <= UNIFORM_MIN) {
        return 0;
    }
    return (size_t)p->body_left - 1;
}

void
gw_parser_skip(struct gw_parser *p, size_t n)
{
    p->n_body = 0;
    p->body_bytes = 0;
    if (p->head.body == GW_BODY_LENGTH) {
        assert(n < p->body_left);
        p->body_left -= n;
    }
}
