/*
 * str.h - text with a length.
 *
 * The outside world's bytes are never NUL-terminated strings.  A gw_str borrows:
 * whoever made the bytes says how long they live.
 */
#ifndef GW_BASE_STR_H
#define GW_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct gw_str {
    const char *p;
    size_t n;
};

#define GW_STR(lit) ((struct gw_str){("" lit), sizeof(lit) - 1})
#define GW_STR_NONE ((struct gw_str){NULL, 0})

/* printf("%.*s", GW_STR_ARG(s)) */
#define GW_STR_ARG(s) (int)(s).n, (s).p == NULL ? "" : (s).p

/* The text up to the NUL; NULL gives GW_STR_NONE. */
static inline struct gw_str
gw_str_of(const char *s)
{
    return s == NULL ? GW_STR_NONE : (struct gw_str){s, strlen(s)};
}

static inline bool
gw_str_eq(struct gw_str a, struct gw_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII only, whatever the locale is: we never call setlocale(). */
static inline bool
gw_str_eq_nocase(struct gw_str a, struct gw_str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool
gw_str_has_prefix(struct gw_str s, struct gw_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool
gw_str_has_prefix_nocase(struct gw_str s, struct gw_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || strncasecmp(s.p, prefix.p, prefix.n) == 0);
}

/* What is left after the first n bytes; n may not be more than there are. */
static inline struct gw_str
gw_str_skip(struct gw_str s, size_t n)
{
    return (struct gw_str){s.p + n, s.n - n};
}

/* Where c is first, or s.n. */
static inline size_t
gw_str_find(struct gw_str s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

    return at == NULL ? s.n : (size_t)(at - s.p);
}

/* Takes the piece before the next sep off the front of *rest, and the sep. */
struct gw_str gw_str_cut(struct gw_str *rest, char sep);

/* A copy of s at *at, which moves on behind it: for texts that live behind the struct they are of,
 * in one piece of memory. */
struct gw_str gw_str_pack(char **at, struct gw_str s);

/* Without the spaces and tabs at both ends (OWS of RFC 9110, 5.6.3). */
struct gw_str gw_str_trim(struct gw_str s);

/* Decimal digits only, no sign, no space, at least one; false on overflow too. */
bool gw_str_u64(struct gw_str s, uint64_t *out);

/* v in decimal digits, which stand at the end of room. */
#define GW_STR_DIGITS 20 /* of the largest */
static inline struct gw_str
gw_str_of_u64(char room[GW_STR_DIGITS], uint64_t v)
{
    char *end = room + GW_STR_DIGITS;
    char *at = end;

    do {
        *--at = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return (struct gw_str){at, (size_t)(end - at)};
}

/* Orders by bytes, the shorter first when one is the other's prefix. */
int gw_str_cmp(struct gw_str a, struct gw_str b);

#endif
