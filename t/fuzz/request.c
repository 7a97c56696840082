/* Any bytes as requests.  Whatever comes, and in whatever pieces, is read in one way; and what we
 * would write of a request that was accepted is read as the same request. */
#include "http/url.h"
#include "t/lib/http_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct gw_parse_limits limits = {
    .head_bytes = 2000, .target_bytes = 200, .headers = 20};

/* Does not write what frames the message: the writer does that itself. */
static bool
not_framing(const struct gw_header *h, void *arg)
{
    (void)arg;
    return h->id != GW_H_TRANSFER_ENCODING;
}

static void
write_chunk(struct gw_out *o, struct gw_str body)
{
    char line[20];

    if (body.n > 0) {
        gw_out_add(o, line, gw_chunk_line(line, body.n));
        gw_out_str(o, body);
        gw_out_str(o, GW_STR("\r\n"));
    }
}

/* The message as a gateway would pass it on. */
static struct gw_str
write_again(const struct feed *f)
{
    const struct gw_head *h = &f->parser.head;
    struct gw_out o;

    gw_out_init(&o, f->arena, 64);
    gw_out_request_line(&o, h->method, h->target);
    if (h->minor == 0 && !gw_headers_has(&h->headers, GW_H_HOST)) {
        struct gw_target_parts parts;
        assert(gw_target_split(h->method, h->target, &parts) == GW_ERR_OK);
        gw_out_header(&o, GW_STR("Host"), parts.absolute ? parts.authority : GW_STR("from-1.0"));
    }
    gw_out_headers(&o, &h->headers, not_framing, NULL);
    if (h->body == GW_BODY_CHUNKED) {
        gw_out_header(&o, GW_STR("Transfer-Encoding"), GW_STR("chunked"));
    }
    gw_out_str(&o, GW_STR("\r\n"));
    if (h->body == GW_BODY_CHUNKED) {
        write_chunk(&o, gw_buf_text(&f->body));
        gw_out_last_chunk(&o, &f->parser.trailers);
    } else {
        gw_out_str(&o, gw_buf_text(&f->body));
    }
    return (struct gw_str){o.p, o.n};
}

static void
same_again(const struct feed *f)
{
    const struct gw_head *a = &f->parser.head;
    struct feed again = {.bytes = write_again(f), .limits = limits};

    again.limits.head_bytes *= 2; /* "Name:value" has become longer */
    again.limits.target_bytes = limits.target_bytes;
    again.limits.headers += 2;
    feed_run(&again);
    const struct gw_head *b = &again.parser.head;
    assert(again.result == GW_PARSE_DONE && again.used == again.bytes.n);
    assert(gw_str_eq(a->method, b->method) && gw_str_eq(a->target, b->target));
    assert(a->body == b->body && a->length == b->length);
    assert(a->minor == 0 || (a->upgrade == b->upgrade && a->keep_alive == b->keep_alive));
    assert(gw_str_eq(gw_buf_text(&f->body), gw_buf_text(&again.body)));
    assert(f->parser.trailers.n == again.parser.trailers.n);
    for (unsigned i = 0; i < a->headers.n; i++) {
        const struct gw_header *h = &a->headers.list[i];
        assert(gw_header_name_ok(h->name) && gw_header_value_ok(h->value));
        assert(h->id == GW_H_TRANSFER_ENCODING || gw_headers_find(&b->headers, h->name) != NULL);
    }
    feed_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) {
        return 0;
    }
    struct feed whole = {.bytes = {(const char *)data + 2, n - 2}, .limits = limits};
    struct feed pieces = whole;
    pieces.first = data[0];
    pieces.step = data[1] % 16;
    feed_run(&whole);
    feed_run(&pieces);
    assert(gw_str_eq(gw_buf_text(&whole.said), gw_buf_text(&pieces.said)));
    if (whole.result == GW_PARSE_DONE) {
        assert(whole.used == pieces.used);
        same_again(&whole);
    }
    feed_fini(&whole);
    feed_fini(&pieces);
    return 0;
}
