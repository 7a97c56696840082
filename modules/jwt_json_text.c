/* jwt_json_text.c - a text of JSON: UTF-8, escapes, and nothing that two readers read in two ways.
 */
#include <endian.h>

#include "modules/jwt_json_private.h"

/* How many bytes the character has that begins at p, and is not ASCII (RFC 3629); 0: it is none. */
static size_t
utf8_bytes(const char *p, const char *end)
{
    const unsigned char *c = (const unsigned char *)p;
    size_t n = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    unsigned least = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80; /* else it is overlong */
    unsigned most = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;  /* surrogate; too large */

    if (c[0] < 0xc2 || c[0] > 0xf4 || (size_t)(end - p) < n || c[1] < least || c[1] > most) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((c[i] & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return n;
}

static char *
put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (c & 0x3f));
    return out;
}

/* The four digits of \uXXXX; -1: they are none. */
static int
hex4(const char *p, const char *end)
{
    int c = 0;

    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = p[i] >= '0' && p[i] <= '9'   ? p[i] - '0'
                    : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
                    : p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        c = c << 4 | digit;
    }
    return c;
}

/* \uXXXX, or two of them that are one character; r->at is behind the 'u'.  NULL: it is none. */
static char *
put_unicode(struct gw_jwt_json_reader *r, char *out)
{
    int c = hex4(r->at, r->end);

    if (c <= 0) { /* no NUL: it would end a text for some, and not for others */
        return NULL;
    }
    r->at += 4;
    if (c >= 0xd800 && c < 0xdc00) {
        int low = r->end - r->at > 2 && r->at[0] == '\\' && r->at[1] == 'u'
                      ? hex4(r->at + 2, r->end)
                      : -1;

        if (low < 0xdc00 || low > 0xdfff) {
            return NULL;
        }
        r->at += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        return NULL;
    }
    return put_utf8(out, (unsigned)c);
}

/* What follows a backslash.  NULL: nothing that may. */
static char *
put_escape(struct gw_jwt_json_reader *r, char *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *which;

    if (r->at == r->end) {
        return NULL;
    }
    char c = *r->at++;
    if (c == 'u') {
        return put_unicode(r, out);
    }
    if (c == '\0' || (which = strchr(from, c)) == NULL) {
        return NULL;
    }
    *out++ = to[which - from];
    return out;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* How many of the eight bytes, from the first on, are ASCII that stands for itself in a text. */
static size_t
plain_of_eight(const char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof(w));
    w = le64toh(w);
    /* The high bit of each byte that is none; a borrow spoils only bytes behind such a one. */
    uint64_t other =
        (w | (w - EACH(0x20)) | ((w ^ EACH('"')) - EACH(1)) | ((w ^ EACH('\\')) - EACH(1))) &
        EACH(0x80);

    return other == 0 ? 8 : (size_t)__builtin_ctzll(other) / 8;
}

/* On to the quote that ends the text, or to a backslash; false when something else is in the way.
 */
static bool
skip_plain(struct gw_jwt_json_reader *r)
{
    const char *p = r->at;

    for (;;) {
        size_t n = 8;

        while (n == 8 && r->end - p >= 8) {
            n = plain_of_eight(p);
            p += n;
        }
        if (p == r->end || *p == '"' || *p == '\\') {
            break;
        }
        unsigned char c = (unsigned char)*p;
        n = c < 0x20 ? 0 : c < 0x80 ? 1 : utf8_bytes(p, r->end);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    r->at = p;
    return p < r->end;
}

/* A text with escapes in it, of which the first is at r->at. */
static bool
read_escaped(struct gw_jwt_json_reader *r, const char *from, struct gw_str *text)
{
    char *to = gw_arena_raw(r->arena, (size_t)(r->end - from)); /* decoded it is shorter */
    char *out = to;

    while (*r->at != '"') {
        memcpy(out, from, (size_t)(r->at - from));
        out += r->at - from;
        r->at++;
        out = put_escape(r, out);
        from = r->at;
        if (out == NULL || !skip_plain(r)) {
            return false;
        }
    }
    memcpy(out, from, (size_t)(r->at - from));
    out += r->at - from;
    r->at++;
    *text = (struct gw_str){to, (size_t)(out - to)};
    return true;
}

bool
gw_jwt_json_text(struct gw_jwt_json_reader *r, struct gw_str *text)
{
    const char *from = r->at;

    if (!skip_plain(r)) {
        return false;
    }
    if (*r->at == '\\') {
        return read_escaped(r, from, text);
    }
    *text = (struct gw_str){from, (size_t)(r->at - from)};
    r->at++;
    return true;
}
