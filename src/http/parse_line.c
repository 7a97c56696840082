#include "http/parse_private.h"

#include "http/chars.h"

#define METHOD_LONGEST 32

/* The methods that we know: those of HTTP among llhttp's, less CONNECT (no tunnels to where the
 * client likes), PRI (HTTP/2), SOURCE (Icecast) and what belongs to RTSP. */
static const struct gw_str methods[] = {
    {"GET", 3},    {"POST", 4},      {"PUT", 3},          {"HEAD", 4},      {"DELETE", 6},
    {"PATCH", 5},  {"OPTIONS", 7},   {"TRACE", 5},        {"COPY", 4},      {"LOCK", 4},
    {"MKCOL", 5},  {"MOVE", 4},      {"PROPFIND", 8},     {"PROPPATCH", 9}, {"SEARCH", 6},
    {"UNLOCK", 6}, {"BIND", 4},      {"REBIND", 6},       {"UNBIND", 6},    {"ACL", 3},
    {"REPORT", 6}, {"CHECKOUT", 8},  {"MKACTIVITY", 10},  {"MERGE", 5},     {"M-SEARCH", 8},
    {"NOTIFY", 6}, {"SUBSCRIBE", 9}, {"UNSUBSCRIBE", 11}, {"PURGE", 5},     {"MKCALENDAR", 10},
    {"LINK", 4},   {"UNLINK", 6},
};

static bool
is_known_method(struct gw_str m)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (gw_str_eq(m, methods[i])) {
            return true;
        }
    }
    return false;
}

static enum gw_parse
bad_method(struct gw_parser *p, const char *line, size_t n)
{
    char stop = line[n];

    if (n > METHOD_LONGEST) {
        return gw_parse_fail(p, GW_ERR_NOT_IMPLEMENTED, "the method is longer than %d letters",
                             METHOD_LONGEST);
    }
    if (stop == '\t') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "a tab stands in the request line");
    }
    if (stop == '\r' || stop == '\n') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the request line has no target");
    }
    return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the method is not a name");
}

/* The byte at which the target of n bytes ended is not the one space. */
static enum gw_parse
bad_target(struct gw_parser *p, char stop, size_t n)
{
    switch (stop) {
    case '#':
        return gw_parse_fail(p, GW_ERR_BAD_TARGET, "the request target has a fragment (#)");
    case '\t':
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "a tab stands in the request line");
    case '\r':
    case '\n':
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST,
                             "the request line has no HTTP version (HTTP/0.9)");
    case ' ':
        if (n == 0) {
            return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "two spaces follow the method");
        }
        break;
    default:
        break;
    }
    return gw_parse_fail(p, GW_ERR_BAD_TARGET,
                         (unsigned char)stop >= 0x80
                             ? "the request target has an 8-bit byte that is not %%-escaped"
                             : "the request target has a control byte");
}

/* What stands where "HTTP/1.1" or "HTTP/1.0" and CRLF should; v is the line's rest. */
static enum gw_parse
bad_version(struct gw_parser *p, struct gw_str v)
{
    const struct gw_str http = GW_STR("HTTP/");

    if (v.n > 0 && v.p[0] == ' ') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "two spaces follow the request target");
    }
    if (v.n < 2 || v.p[v.n - 2] != '\r') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the first line ends with LF alone");
    }
    v.n -= 2;
    if (gw_str_find(v, '\t') < v.n) {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "a tab stands in the first line");
    }
    if (gw_str_has_prefix_nocase(v, GW_STR("RTSP/")) ||
        gw_str_has_prefix_nocase(v, GW_STR("ICE/"))) {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the protocol is not HTTP");
    }
    if (!gw_str_has_prefix(v, http)) {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "\"HTTP/1.1\" or \"HTTP/1.0\" is missing");
    }
    if (v.n == http.n + 3 && v.p[5] >= '0' && v.p[5] <= '9' && v.p[6] == '.' && v.p[7] >= '0' &&
        v.p[7] <= '9') {
        return gw_parse_fail(p, GW_ERR_BAD_VERSION, "the version is neither HTTP/1.0 nor HTTP/1.1");
    }
    return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the HTTP version is malformed");
}

/* "HTTP/1.0" or "HTTP/1.1" at v: fills in the minor version. */
static bool
is_version(struct gw_parser *p, const char *v)
{
    if (memcmp(v, "HTTP/1.", 7) != 0 || (v[7] != '0' && v[7] != '1')) {
        return false;
    }
    p->head.minor = (unsigned char)(v[7] - '0');
    return true;
}

/* The line of n bytes, LF included, stands at base + p->skip. */
static enum gw_parse
request_line(struct gw_parser *p, const char *base, size_t n)
{
    const char *line = base + p->skip;
    const size_t version_n = sizeof("HTTP/1.1\r\n") - 1;
    size_t at = 0;

    while (gw_char_is(line[at], GW_CHAR_TOKEN)) { /* the line's end is none */
        at++;
    }
    if (line[at] != ' ' || at == 0 || at > METHOD_LONGEST) {
        return bad_method(p, line, at);
    }
    p->method = (struct gw_parse_span){p->skip, at};
    size_t target = ++at;
    at = (size_t)(gw_chars_target_end(line + at, line + n) - line); /* the LF is none */
    p->target = (struct gw_parse_span){p->skip + target, at - target};
    if (line[at] != ' ' || at == target) {
        return bad_target(p, line[at], at - target);
    }
    at++;
    if (n - at != version_n || line[n - 2] != '\r' || !is_version(p, line + at)) {
        return bad_version(p, (struct gw_str){line + at, n - at});
    }
    if (p->target.n > p->limits->target_bytes) {
        return gw_parse_fail(p, GW_ERR_TARGET_TOO_LONG,
                             "the request target has %zu bytes, more than %zu", p->target.n,
                             p->limits->target_bytes);
    }
    if (!is_known_method((struct gw_str){line, p->method.n})) {
        return gw_parse_fail(p, GW_ERR_NOT_IMPLEMENTED,
                             "the method is not one of HTTP's that are known here");
    }
    return GW_PARSE_DONE;
}

static enum gw_parse
status_line(struct gw_parser *p, const char *base, size_t n)
{
    const char *line = base;
    const size_t version_n = sizeof("HTTP/1.1") - 1;
    size_t text = version_n + sizeof(" 200") - 1; /* where the reason's space is, or the end */

    if (n < 2 || line[n - 2] != '\r') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the status line ends with LF alone");
    }
    if (n < text + 2 || !is_version(p, line)) {
        return gw_parse_fail(p, GW_ERR_BAD_VERSION,
                             "the status line is not one of HTTP/1.0 or HTTP/1.1");
    }
    for (size_t i = version_n + 1; i < text; i++) {
        if (line[i] < '0' || line[i] > '9') {
            return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the status is not three digits");
        }
        p->head.status = (unsigned short)(p->head.status * 10 + (line[i] - '0'));
    }
    if (line[version_n] != ' ' || (line[text] != ' ' && n != text + 2)) {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST,
                             "the status is not three digits between spaces");
    }
    if (p->head.status < 100 || p->head.status > 599) {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the status is not one of 100 to 599");
    }
    size_t at = n == text + 2 ? text : text + 1;
    p->reason = (struct gw_parse_span){at, n - 2 - at};
    for (; at < n - 2; at++) {
        if (!gw_char_is(line[at], GW_CHAR_VALUE)) {
            return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the reason phrase has a control byte");
        }
    }
    return GW_PARSE_DONE;
}

/* One CRLF before a request is an old habit of clients after a body (RFC 9112, 2.2). */
static enum gw_parse
skip_empty_line(struct gw_parser *p, const char *base, size_t n)
{
    if (n < 2) {
        return GW_PARSE_MORE;
    }
    if (base[1] != '\n') {
        return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "the request begins with a CR alone");
    }
    p->skip = p->fed = 2;
    return GW_PARSE_DONE;
}

/* A look at the first byte, so that what is not HTTP at all is refused before it has sent a
 * whole line, which it may never do. */
static enum gw_parse
first_byte(struct gw_parser *p, char c)
{
    if (p->kind == GW_PARSE_RESPONSE) {
        return c == 'H' ? GW_PARSE_DONE
                        : gw_parse_fail(p, GW_ERR_BAD_REQUEST,
                                        "the answer does not begin with \"HTTP/\"");
    }
    if (gw_char_is(c, GW_CHAR_TOKEN)) {
        return GW_PARSE_DONE;
    }
    return gw_parse_fail(p, GW_ERR_BAD_REQUEST, "%s",
                         c == 0x16 ? "TLS was spoken to a port without TLS"
                                   : "the request does not begin with a method");
}

static enum gw_parse
no_line_yet(struct gw_parser *p, const char *base, size_t n)
{
    if (n <= p->skip + p->limits->head_bytes) {
        p->fed = n;
        return GW_PARSE_MORE;
    }
    struct gw_str line = {base + p->skip, p->limits->head_bytes};
    struct gw_str target = gw_str_skip(line, gw_str_find(line, ' '));
    if (p->kind == GW_PARSE_REQUEST && target.n > p->limits->target_bytes) {
        return gw_parse_fail(p, GW_ERR_TARGET_TOO_LONG,
                             "the request target has more than %zu bytes", p->limits->target_bytes);
    }
    return gw_parse_fail(p, GW_ERR_HEAD_TOO_LARGE, "the first line alone is larger than %zu bytes",
                         p->limits->head_bytes);
}

enum gw_parse
gw_parse_line(struct gw_parser *p, const char *base, size_t n)
{
    enum gw_parse r = GW_PARSE_DONE;

    if (p->fed == 0 && n > 0 && base[0] == '\r' && p->kind == GW_PARSE_REQUEST) {
        r = skip_empty_line(p, base, n);
    }
    if (r == GW_PARSE_DONE && p->fed == p->skip && n > p->skip) {
        r = first_byte(p, base[p->skip]);
    }
    if (r != GW_PARSE_DONE) {
        return r;
    }
    size_t end = p->skip + p->limits->head_bytes;
    struct gw_str fresh = {base + p->fed, (n < end ? n : end) - p->fed};
    size_t lf = gw_str_find(fresh, '\n');
    if (lf == fresh.n) {
        return no_line_yet(p, base, n);
    }
    size_t line_n = p->fed + lf + 1 - p->skip;
    r = p->kind == GW_PARSE_REQUEST ? request_line(p, base, line_n) : status_line(p, base, line_n);
    if (r == GW_PARSE_DONE) {
        p->line_end = p->skip + line_n;
        p->fed = p->skip; /* llhttp reads it from its beginning */
    }
    return r;
}
