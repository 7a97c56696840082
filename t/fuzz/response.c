/* Any bytes as a backend's answer: read in one way in whatever pieces it comes; one that has an
 * end of its own also ends there when the connection goes on. */
#include "t/lib/http_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct gw_parse_limits limits = {
    .head_bytes = 2000, .target_bytes = 200, .headers = 20};

static void
same_again(const struct feed *f)
{
    const struct gw_head *a = &f->parser.head;
    struct feed again = {
        .kind = GW_PARSE_RESPONSE, .asked = f->asked, .end = true, .limits = limits};
    struct gw_out o;

    again.limits.head_bytes *= 2;
    gw_out_init(&o, f->arena, 64);
    gw_out_status_line(&o, a->status, a->reason);
    gw_out_headers(&o, &a->headers, NULL, NULL);
    gw_out_str(&o, GW_STR("\r\n"));
    if (a->body == GW_BODY_CHUNKED) {
        char line[20];
        if (f->body.n > 0) {
            gw_out_add(&o, line, gw_chunk_line(line, f->body.n));
            gw_out_str(&o, gw_buf_text(&f->body));
            gw_out_str(&o, GW_STR("\r\n"));
        }
        gw_out_last_chunk(&o, &f->parser.trailers);
    } else {
        gw_out_str(&o, gw_buf_text(&f->body));
    }
    again.bytes = (struct gw_str){o.p, o.n};
    feed_run(&again);
    const struct gw_head *b = &again.parser.head;
    assert(again.result == GW_PARSE_DONE && again.used == again.bytes.n);
    assert(a->status == b->status && a->body == b->body && a->length == b->length);
    assert(a->upgrade == b->upgrade && a->headers.n == b->headers.n);
    assert(gw_str_eq(gw_buf_text(&f->body), gw_buf_text(&again.body)));
    assert(f->parser.trailers.n == again.parser.trailers.n);
    feed_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 3) {
        return 0;
    }
    struct feed whole = {.kind = GW_PARSE_RESPONSE,
                         .asked = data[2] % 4 == 0 ? GW_STR("HEAD") : GW_STR("GET"),
                         .bytes = {(const char *)data + 3, n - 3},
                         .end = data[2] % 2 == 1,
                         .limits = limits};
    struct feed pieces = whole;
    pieces.first = data[0];
    pieces.step = data[1] % 16;
    feed_run(&whole);
    feed_run(&pieces);
    assert(gw_str_eq(gw_buf_text(&whole.said), gw_buf_text(&pieces.said)));
    if (whole.result == GW_PARSE_DONE) {
        const struct gw_head *h = &whole.parser.head;
        assert(h->status >= 100 && h->status <= 599 && whole.used == pieces.used);
        assert(h->body != GW_BODY_TO_CLOSE || !h->keep_alive);
        same_again(&whole);
    }
    feed_fini(&whole);
    feed_fini(&pieces);
    return 0;
}
