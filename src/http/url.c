#include "http/url.h"

#include <arpa/inet.h>

#include "http/chars.h"

#define SOCKET_PATH_LONGEST 107 /* of a sockaddr_un, with its NUL */

static bool
all_are(struct gw_str s, unsigned classes)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!gw_char_is(s.p[i], classes)) {
            return false;
        }
    }
    return true;
}

/* host[:port] at its right colon; *has_port when there is one.  False for an unclosed bracket. */
static bool
split_port(struct gw_str authority, struct gw_str *host, struct gw_str *port, bool *has_port)
{
    size_t end = gw_str_find(authority, ':');

    if (authority.n > 0 && authority.p[0] == '[') {
        end = gw_str_find(authority, ']') + 1;
        if (end > authority.n || (end < authority.n && authority.p[end] != ':')) {
            return false;
        }
    }
    *host = (struct gw_str){authority.p, end};
    *has_port = end < authority.n;
    *port = *has_port ? gw_str_skip(authority, end + 1) : GW_STR_NONE;
    return true;
}

/* "[...]" that holds an IPv6 address; no zone, which means nothing to another machine. */
static bool
ipv6_ok(struct gw_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    size_t n = host.n - 2;

    if (host.n < 2 || n >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.p + 1, n);
    text[n] = '\0';
    return strlen(text) == n && inet_pton(AF_INET6, text, &addr) == 1;
}

static bool
reg_name_ok(struct gw_str host)
{
    for (size_t i = 0; i < host.n; i++) {
        if (gw_char_is(host.p[i], GW_CHAR_REG_NAME)) {
            continue;
        }
        if (host.p[i] != '%' || host.n - i < 3 || !gw_char_is(host.p[i + 1], GW_CHAR_HEX) ||
            !gw_char_is(host.p[i + 2], GW_CHAR_HEX)) {
            return false;
        }
        i += 2;
    }
    return host.n > 0;
}

bool
gw_host_ok(struct gw_str host)
{
    struct gw_str name;
    struct gw_str port;
    bool has_port;
    uint64_t number = 0;

    if (!split_port(host, &name, &port, &has_port)) {
        return false;
    }
    if (port.n > 0 && (!gw_str_u64(port, &number) || number > 65535)) {
        return false;
    }
    return name.n > 0 && name.p[0] == '[' ? ipv6_ok(name) : reg_name_ok(name);
}

/* Takes "http://" or "https://", in any case, off the front. */
static bool
skip_scheme(struct gw_str *s, struct gw_str *scheme)
{
    static const struct gw_str known[] = {{"http", 4}, {"https", 5}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = known[i].n;

        if (gw_str_has_prefix_nocase(*s, known[i]) &&
            gw_str_has_prefix(gw_str_skip(*s, n), GW_STR("://"))) {
            *scheme = known[i];
            *s = gw_str_skip(*s, n + 3);
            return true;
        }
    }
    return false;
}

static void
split_query(struct gw_str s, struct gw_target_parts *out)
{
    size_t n = gw_str_find(s, '?');

    out->path = (struct gw_str){s.p, n};
    out->has_query = n < s.n;
    out->query = out->has_query ? gw_str_skip(s, n + 1) : GW_STR_NONE;
}

static enum gw_err
split_absolute(struct gw_str method, struct gw_str target, struct gw_target_parts *out)
{
    struct gw_str scheme;
    size_t n = 0;

    if (!skip_scheme(&target, &scheme)) {
        return GW_ERR_BAD_TARGET;
    }
    while (n < target.n && target.p[n] != '/' && target.p[n] != '?') {
        n++;
    }
    out->absolute = true;
    out->authority = (struct gw_str){target.p, n};
    split_query(gw_str_skip(target, n), out);
    if (out->path.n == 0) { /* RFC 9112, 3.2.4: the server itself, or its root */
        out->path =
            gw_str_eq(method, GW_STR("OPTIONS")) && !out->has_query ? GW_STR("*") : GW_STR("/");
    }
    return gw_host_ok(out->authority) ? GW_ERR_OK : GW_ERR_BAD_TARGET;
}

enum gw_err
gw_target_split(struct gw_str method, struct gw_str target, struct gw_target_parts *out)
{
    *out = (struct gw_target_parts){0};
    if (gw_str_eq(method, GW_STR("CONNECT"))) {
        return GW_ERR_NOT_IMPLEMENTED;
    }
    if (target.n == 0 || !all_are(target, GW_CHAR_TARGET)) {
        return GW_ERR_BAD_TARGET;
    }
    if (target.p[0] == '/') {
        split_query(target, out);
        return GW_ERR_OK;
    }
    if (gw_str_eq(target, GW_STR("*"))) {
        out->path = target;
        return gw_str_eq(method, GW_STR("OPTIONS")) ? GW_ERR_OK : GW_ERR_BAD_TARGET;
    }
    return split_absolute(method, target, out);
}

static bool
no(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool
parse_unix(struct gw_str path, struct gw_url *out, const char **why)
{
    if (path.n < 2 || path.p[0] != '/') {
        return no(why, "unix: must be followed by the absolute path of a socket");
    }
    if (path.n > SOCKET_PATH_LONGEST) {
        return no(why, "the socket's path is longer than 107 bytes");
    }
    if (!all_are(path, GW_CHAR_VALUE)) {
        return no(why, "the socket's path has a control byte");
    }
    *out =
        (struct gw_url){.scheme = GW_STR("unix"), .host = path, .authority = GW_STR("localhost")};
    return true;
}

static bool
parse_authority(struct gw_url *out, const char **why)
{
    struct gw_str port;
    bool has_port;
    uint64_t number = 0;

    if (gw_str_find(out->authority, '@') < out->authority.n) {
        return no(why, "a URL may not hold a user name or password");
    }
    if (!gw_host_ok(out->authority) || !split_port(out->authority, &out->host, &port, &has_port)) {
        return no(why, "its host or port is not valid");
    }
    out->port = out->scheme.n == sizeof("https") - 1 ? 443 : 80;
    if (has_port) {
        if (!gw_str_u64(port, &number) || number == 0) {
            return no(why, "its port must be one of 1 to 65535");
        }
        out->port = (unsigned)number;
    }
    if (out->host.p[0] == '[') {
        out->host = (struct gw_str){out->host.p + 1, out->host.n - 2};
    }
    return true;
}

bool
gw_url_parse(struct gw_str text, struct gw_url *out, const char **why)
{
    struct gw_str rest = text;

    *out = (struct gw_url){0};
    if (gw_str_has_prefix(text, GW_STR("unix:"))) {
        return parse_unix(gw_str_skip(text, sizeof("unix:") - 1), out, why);
    }
    if (!skip_scheme(&rest, &out->scheme)) {
        return no(why, "it must begin with http:// or unix:/ (TLS to backends is not there yet)");
    }
    if (gw_str_find(rest, '#') < rest.n || gw_str_find(rest, '?') < rest.n) {
        return no(why, "a backend's URL may not hold a query or a fragment");
    }
    size_t slash = gw_str_find(rest, '/');
    out->authority = (struct gw_str){rest.p, slash};
    out->path = gw_str_skip(rest, slash);
    if (!parse_authority(out, why)) {
        return false;
    }
    if (out->path.n > 0 && gw_path_check(out->path, why) != GW_ERR_OK) {
        return false;
    }
    while (out->path.n > 0 && out->path.p[out->path.n - 1] == '/') {
        out->path.n--;
    }
    return true;
}
