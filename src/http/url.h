/*
 * url.h - request targets, paths, queries, and the URLs of backends.
 */
#ifndef GW_HTTP_URL_H
#define GW_HTTP_URL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A request target in its parts, slices of it (RFC 9112, 3.2). */
struct gw_target_parts {
    struct gw_str authority; /* of the absolute form, else none */
    struct gw_str path;      /* raw, begins with '/'; "*" for OPTIONS * */
    struct gw_str query;     /* raw, without '?' */
    bool has_query;
    bool absolute;
    unsigned char odd; /* GW_PATH_* that the path needs and nobody has allowed yet, or has */
};

/* GW_ERR_OK, BAD_TARGET (fragment, 8-bit, control, bad form), NOT_IMPLEMENTED (CONNECT). */
enum gw_err gw_target_split(struct gw_str method, struct gw_str target,
                            struct gw_target_parts *out);

/* Refuses a path whose meaning would change under decoding or dot-segment removal: empty
 * segments (but a trailing run of '/' is fine: "/a//"), "." and ".." segments, also encoded or
 * with parameters ("..;x"), %2F, %5C, a raw backslash, encoded control bytes, overlong UTF-8,
 * broken %-escapes, and what becomes one of these when it is decoded again (%252F, %252%66).
 * "*" is fine.  *why: which, for people. */
enum gw_err gw_path_check(struct gw_str path, const char **why);

/* What of this a route may allow, since its backend is known to read it in one way only.  Dot
 * segments, backslashes and control bytes are never allowed. */
enum {
    GW_PATH_ENCODED_SLASH = 1 << 0,        /* %2F: part of its segment */
    GW_PATH_DOUBLE_ENCODED_SLASH = 1 << 1, /* %252F: the same */
    GW_PATH_EMPTY_SEGMENTS = 1 << 2,       /* "//": as if it were one slash */
};
extern const char *const gw_path_words[];       /* their names, in that order; NULL ends them */
extern const char *const gw_path_camel_words[]; /* as objects spell them */

/* For a path that gw_path_check() has refused: is it fine if that is allowed?  Up to and with
 * the slash behind its first strict_segments nothing is.  *odd: what of it the path needs. */
enum gw_err gw_path_check_relaxed(struct gw_str path, unsigned allowed, unsigned strict_segments,
                                  unsigned *odd, const char **why);

/* The path as policy reads it, still encoded: runs of slashes are one; of the encoded slashes
 * those in `slashes` are slashes, and the others stand, after one decoding, as "%2F" or "%252F"
 * in their segment.  Owned by the arena. */
struct gw_str gw_path_reading(struct gw_arena *a, struct gw_str path, unsigned slashes);

/* Percent-decoded copy in the arena; the input itself when there is nothing to decode.
 * GW_STR_NONE for a broken escape. */
struct gw_str gw_path_decode(struct gw_arena *a, struct gw_str path);

/* The decoded value of a query parameter ('+' is a space); false when it is not there.
 * A pair with a broken escape or with ';' is skipped, as Go's net/url does. */
bool gw_query_get(struct gw_arena *a, struct gw_str query, struct gw_str name,
                  struct gw_str *value);

/* A Host header's or authority's value by RFC 3986: reg-name, IPv4 or [IPv6], optional port. */
bool gw_host_ok(struct gw_str host);

/* The URL of a backend: http(s)://host[:port][/path], or unix:/path/to/socket. */
struct gw_url {
    struct gw_str scheme;    /* "http", "https", "unix" */
    struct gw_str host;      /* without brackets; unix: the socket's path */
    struct gw_str authority; /* host[:port] as for the Host header; unix: "localhost" */
    unsigned port;           /* with the scheme's default filled in */
    struct gw_str path;      /* without a trailing slash: "" or "/base" */
};

/* False and *why when it is not one; no query, fragment or user name is allowed.  The slices
 * point into `text`. */
bool gw_url_parse(struct gw_str text, struct gw_url *out, const char **why);

/* Is the encoded segment the plain text, decoded? */
bool gw_path_segment_is(struct gw_str segment, struct gw_str plain);

/* Does a segment that is decoded sound like the word to the most lenient server: whatever the case,
 * without parameters and blanks, decoded once more?  "": to it there is none. */
bool gw_path_segment_sounds(struct gw_str segment, struct gw_str word);

/* Where `prefix` ends in path when it is a prefix by whole segments ("/a" of "/a/b" and "/a",
 * not of "/ab"); prefix "/" fits all.  False when not. */
bool gw_path_under(struct gw_str path, struct gw_str prefix);

#endif
