#include "http/write.h"

#include <assert.h>
#include <string.h>

void
gw_out_init(struct gw_out *o, struct gw_arena *a, size_t expected)
{
    *o = (struct gw_out){.arena = a, .size = expected};
    if (expected > 0) {
        o->p = gw_arena_raw(a, expected);
    }
}

static void
grow(struct gw_out *o, size_t n)
{
    o->size = (o->n + n) * 2;
    o->p = gw_arena_more(o->arena, o->p, o->n, o->size);
}

char *
gw_out_room(struct gw_out *o, size_t n)
{
    if (o->size - o->n < n) {
        grow(o, n);
    }
    return o->p + o->n;
}

/* Takes room for n more bytes and returns where they go. */
static inline char *
extend(struct gw_out *o, size_t n)
{
    if (o->size - o->n < n) {
        grow(o, n);
    }
    char *at = o->p + o->n;
    o->n += n;
    return at;
}

void
gw_out_add(struct gw_out *o, const char *p, size_t n)
{
    if (n > 0) {
        memcpy(extend(o, n), p, n);
    }
}

void
gw_out_str(struct gw_out *o, struct gw_str s)
{
    gw_out_add(o, s.p, s.n);
}

void
gw_out_u64(struct gw_out *o, uint64_t v)
{
    char digits[GW_STR_DIGITS];
    struct gw_str text = gw_str_of_u64(digits, v);

    memcpy(extend(o, text.n), text.p, text.n);
}

void
gw_out_request_line(struct gw_out *o, struct gw_str method, struct gw_str target)
{
    char *at = gw_put(gw_out_room(o, method.n + target.n + sizeof("  HTTP/1.1\r\n")), method);

    *at++ = ' ';
    gw_out_took(o, GW_PUT(gw_put(at, target), " HTTP/1.1\r\n"));
}

void
gw_out_status_line(struct gw_out *o, unsigned status, struct gw_str reason)
{
    assert(status >= 100 && status <= 999);
    if (reason.n == 0) {
        reason = gw_status_reason(status);
    }
    char *at = GW_PUT(gw_out_room(o, sizeof("HTTP/1.1 200 \r\n") + reason.n), "HTTP/1.1 ");
    *at++ = (char)('0' + status / 100);
    *at++ = (char)('0' + status / 10 % 10);
    *at++ = (char)('0' + status % 10);
    *at++ = ' '; /* also before an empty reason (RFC 9112, 4) */
    gw_out_took(o, GW_PUT(gw_put(at, reason), "\r\n"));
}

void
gw_out_header(struct gw_out *o, struct gw_str name, struct gw_str value)
{
    char *at = gw_put(gw_out_room(o, name.n + value.n + sizeof(": \r\n")), name);

    gw_out_took(o, GW_PUT(gw_put(GW_PUT(at, ": "), value), "\r\n"));
}

void
gw_out_headers(struct gw_out *o, const struct gw_headers *h, gw_keep_fn *keep, void *arg)
{
    struct gw_str run = GW_STR_NONE; /* clean lines that lie side by side, not copied yet */

    for (unsigned i = 0; i < h->n; i++) {
        const struct gw_header *f = &h->list[i];

        if (keep != NULL && !keep(f, arg)) {
            continue;
        }
        if (run.n > 0 && f->clean && f->name.p == run.p + run.n) {
            run.n = (size_t)(f->value.p + f->value.n + 2 - run.p);
            continue;
        }
        gw_out_str(o, run);
        run = GW_STR_NONE;
        if (f->clean) {
            run = (struct gw_str){f->name.p, f->name.n + 2 + f->value.n + 2};
        } else {
            gw_out_header(o, f->name, f->value);
        }
    }
    gw_out_str(o, run);
}

size_t
gw_chunk_line(char line[20], size_t n)
{
    size_t digits = 1;

    while (digits < 2 * sizeof(n) && n >> (4 * digits) != 0) {
        digits++;
    }
    for (size_t i = 0; i < digits; i++) {
        line[i] = "0123456789abcdef"[n >> (4 * (digits - 1 - i)) & 0xf];
    }
    line[digits] = '\r';
    line[digits + 1] = '\n';
    return digits + 2;
}

void
gw_out_last_chunk(struct gw_out *o, const struct gw_headers *trailers)
{
    gw_out_str(o, GW_STR("0\r\n"));
    if (trailers != NULL) {
        gw_out_headers(o, trailers, NULL, NULL);
    }
    gw_out_str(o, GW_STR("\r\n"));
}
