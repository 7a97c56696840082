#include "net/redis_url.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define DEFAULT_PORT 6379

static bool
fail(struct gw_redis_url *u, struct gw_diag *diag, const char *what)
{
    gw_diag_error(diag, (struct gw_place){0},
                  "the Redis URL is not usable: %s (redis:// or rediss://[user@]host[:port][/db], "
                  "or unix:/path[?user=name&db=n])",
                  what);
    gw_redis_url_fini(u);
    return false;
}

static bool
small_number(struct gw_str s, uint64_t most, int *out)
{
    uint64_t n;

    if (!gw_str_u64(s, &n) || n > most) {
        return false;
    }
    *out = (int)n;
    return true;
}

/* user=NAME and db=NUMBER, in any order */
static bool
read_options(struct gw_redis_url *u, struct gw_str rest, struct gw_diag *diag)
{
    while (rest.n > 0) {
        struct gw_str value = gw_str_cut(&rest, '&');
        struct gw_str name = gw_str_cut(&value, '=');

        if (gw_str_eq(name, GW_STR("user")) && value.n > 0 && u->user == NULL) {
            u->user = gw_mem_strndup(value);
        } else if (!gw_str_eq(name, GW_STR("db")) || !small_number(value, 65535, &u->db)) {
            return fail(u, diag, "only user=NAME (once) and db=NUMBER can follow the path's \"?\"");
        }
    }
    return true;
}

/* "/path", or "//[user@]/path" */
static bool
read_unix(struct gw_redis_url *u, struct gw_str rest, struct gw_diag *diag)
{
    struct gw_str path = gw_str_cut(&rest, '?');

    if (gw_str_has_prefix(path, GW_STR("//"))) {
        struct gw_str user;

        path = gw_str_skip(path, 2);
        user = (struct gw_str){path.p, gw_str_find(path, '/')};
        path = gw_str_skip(path, user.n);
        if (gw_str_find(user, ':') < user.n) {
            return fail(u, diag, "no password in the URL: it would be seen; use password_file");
        }
        if (user.n > 0 && (user.n == 1 || gw_str_find(user, '@') != user.n - 1)) {
            return fail(u, diag, "before the path of a unix socket only USER@ can stand");
        }
        u->user = user.n == 0 ? NULL : gw_mem_strndup((struct gw_str){user.p, user.n - 1});
    }
    if (path.n == 0 || path.p[0] != '/') {
        return fail(u, diag, "the path of a unix socket must begin with \"/\"");
    }
    if (!read_options(u, rest, diag)) {
        return false;
    }
    u->path = gw_mem_strndup(path);
    return true;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool
read_host(struct gw_redis_url *u, struct gw_str at, int port, struct gw_diag *diag)
{
    struct gw_str host;

    if (at.n > 0 && at.p[0] == '[') {
        at = gw_str_skip(at, 1);
        size_t end = gw_str_find(at, ']');
        if (end == at.n) {
            return fail(u, diag, "a \"]\" is missing");
        }
        host = (struct gw_str){at.p, end};
        at = gw_str_skip(at, end + 1);
    } else {
        host = (struct gw_str){at.p, gw_str_find(at, ':')};
        at = gw_str_skip(at, host.n);
    }
    if (host.n == 0) {
        return fail(u, diag, "a host is missing");
    }
    u->port = port;
    if (at.n > 0 &&
        (at.p[0] != ':' || !small_number(gw_str_skip(at, 1), 65535, &u->port) || u->port == 0)) {
        return fail(u, diag, "the port must be a number from 1 to 65535");
    }
    u->host = gw_mem_strndup(host);
    return true;
}

static bool
read_tcp(struct gw_redis_url *u, struct gw_str rest, struct gw_diag *diag)
{
    struct gw_str at = gw_str_cut(&rest, '/');
    size_t sign = gw_str_find(at, '@');

    if (rest.n > 0 && !small_number(rest, 65535, &u->db)) {
        return fail(u, diag, "the database behind the last \"/\" must be a number");
    }
    if (sign < at.n) {
        struct gw_str user = {at.p, sign};
        if (gw_str_find(user, ':') < user.n) {
            return fail(u, diag, "no password in the URL: it would be seen; use password_file");
        }
        u->user = user.n == 0 ? NULL : gw_mem_strndup(user);
        at = gw_str_skip(at, sign + 1);
    }
    return read_host(u, at, DEFAULT_PORT, diag);
}

bool
gw_redis_url_read_host(struct gw_redis_url *u, const char *text, int port, struct gw_diag *diag)
{
    struct gw_str at = gw_str_of(text);

    *u = (struct gw_redis_url){0};
    if (gw_str_find(at, '/') < at.n || gw_str_find(at, '@') < at.n) {
        gw_diag_error(diag, (struct gw_place){0}, "\"%s\" is no node: write host:port", text);
        return false;
    }
    return read_host(u, at, port, diag);
}

bool
gw_redis_url_read(struct gw_redis_url *u, const char *text, struct gw_diag *diag)
{
    struct gw_str s = gw_str_of(text);
    struct gw_buf shown = {0};
    bool ok;

    *u = (struct gw_redis_url){0};
    if (gw_str_has_prefix(s, GW_STR("unix:"))) {
        ok = read_unix(u, gw_str_skip(s, sizeof("unix:") - 1), diag);
    } else if (gw_str_has_prefix(s, GW_STR("redis://"))) {
        ok = read_tcp(u, gw_str_skip(s, sizeof("redis://") - 1), diag);
    } else if (gw_str_has_prefix(s, GW_STR("rediss://"))) {
        u->tls = true;
        ok = read_tcp(u, gw_str_skip(s, sizeof("rediss://") - 1), diag);
    } else {
        ok = fail(u, diag, "it must begin with redis://, rediss:// or unix:");
    }
    if (!ok) {
        return false;
    }
    if (u->path != NULL) {
        gw_buf_printf(&shown, "unix:%s", u->path);
    } else {
        gw_buf_printf(&shown, strchr(u->host, ':') == NULL ? "%s://%s:%d" : "%s://[%s]:%d",
                      u->tls ? "rediss" : "redis", u->host, u->port);
    }
    u->text = shown.p;
    return true;
}

void
gw_redis_url_fini(struct gw_redis_url *u)
{
    free(u->user);
    free(u->host);
    free(u->path);
    free(u->text);
    *u = (struct gw_redis_url){0};
}
