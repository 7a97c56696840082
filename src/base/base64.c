#include "base/base64.h"

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The first `digits` of the 24 bits. */
static void
put_digits(struct gw_buf *out, unsigned bits, size_t digits)
{
    const char text[4] = {
        url_digits[bits >> 18 & 63],
        url_digits[bits >> 12 & 63],
        url_digits[bits >> 6 & 63],
        url_digits[bits & 63],
    };

    gw_buf_add(out, text, digits);
}

void
gw_base64url_add(struct gw_buf *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (; n >= 3; p += 3, n -= 3) {
        put_digits(out, (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2], 4);
    }
    if (n > 0) {
        put_digits(out, (unsigned)p[0] << 16 | (n == 2 ? (unsigned)p[1] << 8 : 0), n + 1);
    }
}

void
gw_base64_add(struct gw_buf *out, const void *bytes, size_t n)
{
    size_t begin = out->n;

    gw_base64url_add(out, bytes, n);
    for (size_t i = begin; i < out->n; i++) {
        if (out->p[i] == '-') {
            out->p[i] = '+';
        } else if (out->p[i] == '_') {
            out->p[i] = '/';
        }
    }
    if (n % 3 > 0) {
        gw_buf_add(out, "==", 3 - n % 3);
    }
}

/* The value of a digit; 64: it is none. */
static unsigned
value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four digits, of which the last may be padding, are up to three bytes. */
static bool
read_group(const char *p, size_t digits, unsigned char **out)
{
    unsigned bits = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned value = i < digits ? value_of(p[i]) : 0;

        if (value > 63) {
            return false;
        }
        bits = bits << 6 | value;
    }
    for (size_t i = 0; i + 1 < digits; i++) {
        *(*out)++ = (unsigned char)(bits >> (16 - 8 * i));
    }
    unsigned unused = digits == 4 ? 0 : digits == 3 ? 0xff : 0xffff;
    return (bits & unused) == 0;
}

bool
gw_base64_read(struct gw_str text, void *out, size_t *n)
{
    unsigned char *at = out;
    bool good = text.n % 4 == 0;

    for (size_t i = 0; good && i < text.n; i += 4) {
        const char *p = text.p + i;
        bool last = i + 4 == text.n;
        size_t padding = !last || p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;

        good = read_group(p, 4 - padding, &at);
    }
    *n = (size_t)(at - (unsigned char *)out);
    return good;
}
