/* path_reading.c - paths that can be read in two ways, where a route has allowed that.
 *
 * gw_path_check() stays the only judge: a relaxed path is fine when the path is fine that the
 * most lenient server makes of it, each encoded slash a slash and each run of slashes one.  So
 * "a%2F..%2Fb" is refused for its dot segment, and "a%2F%2Fb" for its empty one.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/url.h"

const char *const gw_path_words[] = {"encoded_slash", "double_encoded_slash", "empty_segments",
                                     NULL};
const char *const gw_path_camel_words[] = {"encodedSlash", "doubleEncodedSlash", "emptySegments",
                                           NULL};

/* What of it stands at p: one of the encoded slashes, or 0. */
static unsigned
slash_at(const char *p, const char *end)
{
    if (end - p >= 3 && p[0] == '%' && p[1] == '2') {
        if (p[2] == 'f' || p[2] == 'F') {
            return GW_PATH_ENCODED_SLASH;
        }
        if (end - p >= 5 && p[2] == '5' && p[3] == '2' && (p[4] == 'f' || p[4] == 'F')) {
            return GW_PATH_DOUBLE_ENCODED_SLASH;
        }
    }
    return 0;
}

static size_t
slash_length(unsigned kind)
{
    return kind == GW_PATH_ENCODED_SLASH ? 3 : 5;
}

/* Behind the slash that ends the path's first n segments. */
static size_t
prefix_length(struct gw_str path, unsigned segments)
{
    size_t at = 0;

    for (unsigned i = 0; i <= segments && at < path.n; i++) {
        at += gw_str_find(gw_str_skip(path, at), '/');
        at += at < path.n;
    }
    return at;
}

/* Writes the path to `to` (path.n bytes) with that of `allowed` resolved which is found behind
 * the prefix.  Returns what was found; *n: the length. */
static unsigned
resolve(struct gw_str path, size_t prefix, unsigned allowed, char *to, size_t *n)
{
    const char *end = path.p + path.n;
    unsigned found = 0;
    size_t at = prefix;

    memcpy(to, path.p, prefix);
    for (const char *p = path.p + prefix; p < end;) {
        unsigned kind = slash_at(p, end) & allowed;
        char c = *p;

        if (kind != 0) {
            c = '/';
        }
        found |= kind;
        p += kind != 0 ? slash_length(kind) : 1;
        if (c == '/' && at > prefix && to[at - 1] == '/' &&
            (allowed & GW_PATH_EMPTY_SEGMENTS) != 0) {
            found |= GW_PATH_EMPTY_SEGMENTS;
            continue;
        }
        to[at++] = c;
    }
    *n = at;
    return found;
}

enum gw_err
gw_path_check_relaxed(struct gw_str path, unsigned allowed, unsigned strict_segments, unsigned *odd,
                      const char **why)
{
    char *text = gw_mem_alloc(path.n + 1); /* rare: the path was refused already */
    struct gw_str lenient = {text, 0};

    *odd = resolve(path, prefix_length(path, strict_segments), allowed, text, &lenient.n);
    enum gw_err err = gw_path_check(lenient, why);
    free(text);
    return err;
}

/* An encoded slash that is not read as a slash: one escape more, so that decoding the path once
 * leaves "%2F", or "%252F", in its segment. */
static char *
put_escaped(char *to, unsigned kind)
{
    struct gw_str text = kind == GW_PATH_ENCODED_SLASH ? GW_STR("%252F") : GW_STR("%25252F");

    memcpy(to, text.p, text.n);
    return to + text.n;
}

struct gw_str
gw_path_reading(struct gw_arena *a, struct gw_str path, unsigned slashes)
{
    const char *end = path.p + path.n;
    char *text = gw_arena_raw(a, path.n / 3 * 5 + 5); /* "%2F" grows to 5 bytes */
    char *to = text;

    for (const char *p = path.p; p < end;) {
        unsigned kind = slash_at(p, end);

        if (kind != 0 && (kind & slashes) == 0) {
            to = put_escaped(to, kind);
            p += slash_length(kind);
            continue;
        }
        char c = *p;

        if (kind != 0) {
            c = '/';
        }
        p += kind != 0 ? slash_length(kind) : 1;
        if (!(c == '/' && to > text && to[-1] == '/')) {
            *to++ = c;
        }
    }
    return (struct gw_str){text, (size_t)(to - text)};
}
