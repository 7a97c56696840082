#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Makes room for n more bytes and the NUL. */
static void
reserve(struct gw_buf *b, size_t n)
{
    size_t need = b->n + n + 1;
    size_t size = b->size < 64 ? 64 : b->size;

    if (need <= b->size) {
        return;
    }
    while (size < need) {
        size *= 2;
    }
    b->p = gw_mem_resize(b->p, size);
    b->size = size;
}

void
gw_buf_add(struct gw_buf *b, const void *bytes, size_t n)
{
    reserve(b, n);
    if (n > 0) {
        memcpy(b->p + b->n, bytes, n);
        b->n += n;
    }
    b->p[b->n] = '\0';
}

void
gw_buf_str(struct gw_buf *b, struct gw_str s)
{
    gw_buf_add(b, s.p, s.n);
}

void
gw_buf_puts(struct gw_buf *b, const char *s)
{
    gw_buf_add(b, s, strlen(s));
}

void
gw_buf_printf(struct gw_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;

    reserve(b, 64);
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(b->p + b->n, b->size - b->n, fmt, ap);
    if (n > 0 && (size_t)n >= b->size - b->n) {
        reserve(b, (size_t)n);
        n = vsnprintf(b->p + b->n, b->size - b->n, fmt, again);
    }
    va_end(again);
    va_end(ap);
    b->n += n > 0 ? (size_t)n : 0;
    b->p[b->n] = '\0';
}

/* How long the UTF-8 sequence at the front of s is; 0 when it is none (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF). */
static size_t
utf8_length(struct gw_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > s.n || p[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

/* The code point of a good sequence of n bytes. */
static uint32_t
utf8_point(const char *s, size_t n)
{
    uint32_t point = n == 1 ? (unsigned char)s[0] : (unsigned char)s[0] & (0x7fU >> n);

    for (size_t i = 1; i < n; i++) {
        point = point << 6 | ((unsigned char)s[i] & 0x3fU);
    }
    return point;
}

/* More than JSON asks for: also what a terminal, JavaScript or YAML takes for a control or
 * for the end of a line, so that the text can stand in each of them. */
static bool
needs_escape(uint32_t point)
{
    return point < 0x20 || point == '"' || point == '\\' || (point >= 0x7f && point < 0xa0) ||
           point == 0x2028 || point == 0x2029 || point == 0xfeff || point == 0xfffe ||
           point == 0xffff;
}

static void
put_escape(struct gw_buf *b, uint32_t point)
{
    switch (point) {
    case '"':
        gw_buf_puts(b, "\\\"");
        return;
    case '\\':
        gw_buf_puts(b, "\\\\");
        return;
    case '\n':
        gw_buf_puts(b, "\\n");
        return;
    case '\r':
        gw_buf_puts(b, "\\r");
        return;
    case '\t':
        gw_buf_puts(b, "\\t");
        return;
    default:
        gw_buf_printf(b, "\\u%04x", (unsigned)point);
    }
}

/* Appends the run of bytes at the front that can stand as they are; returns the rest. */
static struct gw_str
put_plain(struct gw_buf *b, struct gw_str s)
{
    size_t plain = 0;

    while (plain < s.n) {
        struct gw_str rest = gw_str_skip(s, plain);
        size_t n = utf8_length(rest);

        if (n == 0 || needs_escape(utf8_point(rest.p, n))) {
            break;
        }
        plain += n;
    }
    gw_buf_add(b, s.p, plain);
    return gw_str_skip(s, plain);
}

void
gw_buf_json(struct gw_buf *b, struct gw_str s)
{
    gw_buf_add(b, "\"", 1);
    for (s = put_plain(b, s); s.n > 0; s = put_plain(b, s)) {
        size_t n = utf8_length(s);

        if (n == 0) {
            gw_buf_puts(b, "\xef\xbf\xbd");
            n = 1;
        } else {
            put_escape(b, utf8_point(s.p, n));
        }
        s = gw_str_skip(s, n);
    }
    gw_buf_add(b, "\"", 1);
}

struct gw_str
gw_buf_text(const struct gw_buf *b)
{
    return (struct gw_str){b->p, b->n};
}

void
gw_buf_reset(struct gw_buf *b)
{
    b->n = 0;
    if (b->p != NULL) {
        b->p[0] = '\0';
    }
}

void
gw_buf_fini(struct gw_buf *b)
{
    free(b->p);
    *b = (struct gw_buf){0};
}
