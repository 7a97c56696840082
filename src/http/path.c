#include "http/url.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/chars.h"

#define DECODED_AT_MOST 4 /* times; who decodes more often is not heard of */

static bool
is_escape(const char *p, const char *end)
{
    return end - p >= 3 && gw_char_is(p[1], GW_CHAR_HEX) && gw_char_is(p[2], GW_CHAR_HEX);
}

/* The byte of the escape at p. */
static unsigned char
escaped(const char *p)
{
    return (unsigned char)(gw_char_hex(p[1]) << 4 | gw_char_hex(p[2]));
}

/* Bytes that must not come out of a segment, however often it is decoded. */
static const char *
why_not(unsigned char c)
{
    if (c == '/') {
        return "an encoded slash";
    }
    if (c == '\\') {
        return "an encoded backslash";
    }
    return c < 0x20 || c == 0x7f ? "an encoded control byte" : NULL;
}

/* Old decoders take the long forms of UTF-8 for what they stand for: %C0%AF for a slash. */
static bool
is_overlong(const char *p, const char *end)
{
    unsigned char c = escaped(p);

    if (c == 0xc0 || c == 0xc1) {
        return true;
    }
    if ((c != 0xe0 && c != 0xf0) || end - p < 6 || p[3] != '%' || !is_escape(p + 3, end)) {
        return false;
    }
    return escaped(p + 3) < (c == 0xe0 ? 0xa0 : 0x90) && escaped(p + 3) >= 0x80;
}

static const char *
check_escape(const char *p, const char *end)
{
    if (!is_escape(p, end)) {
        return "a % that is not followed by two hexadecimal digits";
    }
    return is_overlong(p, end) ? "an overlong UTF-8 sequence" : why_not(escaped(p));
}

/* How many bytes at p are the character c, as it is or escaped; 0 when they are not. */
static size_t
spells(const char *p, const char *end, char c)
{
    if (p < end && *p == c) {
        return 1;
    }
    return p < end && *p == '%' && is_escape(p, end) && escaped(p) == (unsigned char)c ? 3 : 0;
}

/* Is the segment at p "." or ".."?  With parameters too: some servers cut "..;x" to "..". */
static bool
is_dots(const char *p, const char *end)
{
    for (int dots = 1; dots <= 2; dots++) {
        size_t n = spells(p, end, '.');

        if (n == 0) {
            return false;
        }
        p += n;
        if (p == end || *p == '/' || spells(p, end, ';') > 0) {
            return true;
        }
    }
    return false;
}

static const char *
check_segment_start(const char *p, const char *end)
{
    if (p == end) {
        return NULL;
    }
    if (*p == '/') {
        for (const char *rest = p; rest < end; rest++) {
            if (*rest != '/') {
                return "an empty segment (//)";
            }
        }
        return NULL; /* trailing slashes: however many, they end the same segment */
    }
    return (*p == '.' || *p == '%') && is_dots(p, end) ? "a dot segment (. or ..)" : NULL;
}

/* *percent: is a percent sign encoded in it? */
static const char *
check(const char *p, const char *end, bool *percent)
{
    while (p < end) {
        const char *why = NULL;

        if (gw_char_is(*p, GW_CHAR_SEGMENT)) {
            p++;
            continue;
        }
        if (*p == '/') {
            why = check_segment_start(++p, end);
        } else if (*p == '%') {
            why = check_escape(p, end);
            *percent = *percent || (why == NULL && escaped(p) == '%');
            p += 3;
        } else {
            why = *p == '\\' ? "a backslash" : "a byte that may not stand in a path";
        }
        if (why != NULL) {
            return why;
        }
    }
    return NULL;
}

/* Decodes s to `to`, which has room for s.n bytes; false at a broken escape. */
static bool
decode(struct gw_str s, bool plus_is_space, char *to, size_t *n)
{
    const char *end = s.p + s.n;
    size_t at = 0;

    for (const char *p = s.p; p < end; p++) {
        if (*p != '%') {
            to[at++] = (char)(*p == '+' && plus_is_space ? ' ' : *p);
            continue;
        }
        if (!is_escape(p, end)) {
            return false;
        }
        to[at++] = (char)escaped(p);
        p += 2;
    }
    *n = at;
    return true;
}

/* Decodes the n bytes once, in place; what is no escape stays, as a lenient decoder has it.
 * Returns what is left, or 0 when something comes out that may not. */
static size_t
decode_again(char *text, size_t n)
{
    const char *end = text + n;
    size_t to = 0;

    for (const char *p = text; p < end; p++) {
        if (*p != '%' || !is_escape(p, end)) {
            text[to++] = *p;
            continue;
        }
        if (escaped(p) == '.' || escaped(p) == ';' || check_escape(p, end) != NULL) {
            return 0;
        }
        text[to++] = (char)escaped(p);
        p += 2;
    }
    return to;
}

/* What would decoding it twice, or more often, make of a path that is fine when decoded once?
 * Its digits may be escapes as well ("%252%66"), so only doing it tells. */
static const char *
check_deeper(struct gw_str path)
{
    char *text = gw_mem_alloc(path.n); /* rare: the path has an encoded percent sign */
    const char *why = NULL;
    size_t n = 0;
    size_t before = 0;

    (void)decode(path, false, text, &n);
    for (int times = 0; times < DECODED_AT_MOST && n > 0 && n != before; times++) {
        before = n;
        n = decode_again(text, n);
    }
    if (n == 0) {
        why = "a doubly encoded slash, dot, semicolon, backslash or control byte";
    } else if (n != before) {
        why = "a percent sign that is encoded too often";
    }
    free(text);
    return why;
}

enum gw_err
gw_path_check(struct gw_str path, const char **why)
{
    bool percent = false;

    if (gw_str_eq(path, GW_STR("*"))) {
        return GW_ERR_OK;
    }
    *why = path.n > 0 && path.p[0] == '/' ? check(path.p, path.p + path.n, &percent)
                                          : "no slash at its beginning";
    if (*why == NULL && percent) {
        *why = check_deeper(path);
    }
    return *why == NULL ? GW_ERR_OK : GW_ERR_BAD_PATH;
}

struct gw_str
gw_path_decode(struct gw_arena *a, struct gw_str path)
{
    size_t n = 0;

    if (gw_str_find(path, '%') == path.n) {
        return path;
    }
    char *to = gw_arena_raw(a, path.n);
    return decode(path, false, to, &n) ? (struct gw_str){to, n} : GW_STR_NONE;
}

bool
gw_path_under(struct gw_str path, struct gw_str prefix)
{
    while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/') {
        prefix.n--;
    }
    return gw_str_has_prefix(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

/* Does the encoded text mean `plain`?  Not when an escape in it is broken. */
static bool
means(struct gw_str encoded, bool plus_is_space, struct gw_str plain)
{
    const char *end = encoded.p + encoded.n;
    size_t at = 0;

    for (const char *p = encoded.p; p < end; p++) {
        char c = (char)(*p == '+' && plus_is_space ? ' ' : *p);

        if (*p == '%') {
            if (!is_escape(p, end)) {
                return false;
            }
            c = (char)escaped(p);
            p += 2;
        }
        if (at == plain.n || plain.p[at] != c) {
            return false;
        }
        at++;
    }
    return at == plain.n;
}

bool
gw_path_segment_is(struct gw_str segment, struct gw_str plain)
{
    return means(segment, false, plain);
}

bool
gw_query_get(struct gw_arena *a, struct gw_str query, struct gw_str name, struct gw_str *value)
{
    while (query.n > 0) {
        struct gw_str pair = gw_str_cut(&query, '&');
        struct gw_str key = {pair.p, gw_str_find(pair, '=')};
        size_t n = 0;

        if (pair.n == 0 || gw_str_find(pair, ';') < pair.n || !means(key, true, name)) {
            continue;
        }
        struct gw_str raw = gw_str_skip(pair, key.n < pair.n ? key.n + 1 : pair.n);
        char *to = gw_arena_raw(a, raw.n);
        if (decode(raw, true, to, &n)) {
            *value = (struct gw_str){to, n};
            return true;
        }
    }
    return false;
}
