#include "http/chars.h"

#include <endian.h>

/* Sums of the classes in chars.h; t/unit/http_headers.c computes them anew from the RFCs. */
/* clang-format off */
const unsigned char gw_chars[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  4,  0,  0,  0,  0,  0,  0, /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10 */
     4, 55, 38,  5, 55,  7, 55, 55, 54, 54, 55, 55, 54, 55, 55,  6, /* 20 */
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 54, 38, 54, 38,  6, /* 30 */
    38, 63, 63, 63, 63, 63, 63, 55, 55, 55, 55, 55, 55, 55, 55, 55, /* 40 */
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 38,  6, 38, 39, 55, /* 50 */
    39, 63, 63, 63, 63, 63, 63, 55, 55, 55, 55, 55, 55, 55, 55, 55, /* 60 */
    55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 38, 39, 38, 55,  0, /* 70 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* 80 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* 90 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* A0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* B0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* C0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* D0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* E0 */
     4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4,  4, /* F0 */
};
/* clang-format on */

/* Eight bytes at a time.  Each of these sets the high bit of every byte of v that is meant, up to
 * the first of them at least: behind that a borrow may set others, which nobody looks at. */
#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS (0x80 * ONES)

static inline uint64_t
below(uint64_t v, unsigned char c)
{
    return (v - c * ONES) & ~v & HIGHS;
}

static inline uint64_t
equal(uint64_t v, unsigned char c)
{
    return below(v ^ (c * ONES), 1);
}

/* The first byte in memory is the lowest one, so that it is found by counting from below. */
static inline uint64_t
load(const char *s)
{
    uint64_t v;

    memcpy(&v, s, sizeof(v));
    return le64toh(v);
}

static inline size_t
first(uint64_t found)
{
    return (size_t)__builtin_ctzll(found) / 8;
}

const char *
gw_chars_value_end(const char *s, const char *end)
{
    while (end - s >= 8) {
        uint64_t v = load(s);
        uint64_t found = below(v, 0x20) | equal(v, 0x7f);

        if (found == 0) {
            s += 8;
            continue;
        }
        s += first(found);
        if (*s != '\t') {
            return s;
        }
        s++;
    }
    while (s < end && gw_char_is(*s, GW_CHAR_VALUE)) {
        s++;
    }
    return s;
}

const char *
gw_chars_target_end(const char *s, const char *end)
{
    for (; end - s >= 8; s += 8) {
        uint64_t v = load(s);
        uint64_t found = below(v, 0x21) | equal(v, 0x7f) | equal(v, '#') | (v & HIGHS);

        if (found != 0) {
            return s + first(found);
        }
    }
    while (s < end && gw_char_is(*s, GW_CHAR_TARGET)) {
        s++;
    }
    return s;
}

static bool
has_odd(uint64_t v)
{
    return (below(v, 0x20) | equal(v, 0x7f) | equal(v, '%') | (v & HIGHS)) != 0;
}

bool
gw_chars_need_no_escape(struct gw_str s)
{
    for (size_t i = 0; i + 8 <= s.n; i += 8) {
        if (has_odd(load(s.p + i))) {
            return false;
        }
    }
    if (s.n >= 8) { /* the last eight may have been looked at in part */
        return !has_odd(load(s.p + s.n - 8));
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c >= 0x7f || c == '%') {
            return false;
        }
    }
    return true;
}
