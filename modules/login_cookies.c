#include "modules/login_cookies.h"

#include "modules/jwt_cookies.h"
#include "modules/jwt_site.h"

struct gw_str
gw_login_cookie_name(const struct gw_req *req, const struct gw_login_settings *s)
{
    bool https = s->base.n > 0 ? s->https : gw_jwt_site_is_https(req);

    return s->name[https ? 1 : 0];
}

struct gw_str
gw_login_cookie_other(struct gw_req *req, struct gw_str name, const char *what)
{
    return gw_str_of(gw_arena_printf(req->arena, "%.*s-%s", GW_STR_ARG(name), what));
}

/* The nth of a session's cookies, from 1. */
static struct gw_str
name_of(struct gw_arena *a, struct gw_str name, unsigned n)
{
    return n == 1 ? name : gw_str_of(gw_arena_printf(a, "%.*s-%u", GW_STR_ARG(name), n));
}

/* ---- got back ----------------------------------------------------------------------------- */

/* Two of a name that differ are none: nobody knows which is ours. */
static struct gw_str
get(const struct gw_req *req, struct gw_str name)
{
    struct gw_str value;

    return gw_jwt_cookie_get(&req->head->headers, name, &value) ? value : GW_STR_NONE;
}

static struct gw_str
put_together(const struct gw_req *req, struct gw_str name, struct gw_str first, unsigned n)
{
    struct gw_str part[GW_LOGIN_CHUNKS] = {first};
    size_t length = first.n;

    for (unsigned i = 1; i < n; i++) {
        part[i] = get(req, name_of(req->arena, name, i + 1));
        if (part[i].n == 0) {
            return GW_STR_NONE;
        }
        length += part[i].n;
    }
    char *text = gw_arena_raw(req->arena, length);
    char *at = text;
    for (unsigned i = 0; i < n; i++) {
        memcpy(at, part[i].p, part[i].n);
        at += part[i].n;
    }
    return (struct gw_str){text, length};
}

struct gw_str
gw_login_cookie_read(const struct gw_req *req, struct gw_str name, bool *there)
{
    struct gw_str value;
    bool one = gw_jwt_cookie_get(&req->head->headers, name, &value);

    *there = value.n > 0;
    if (!one) {
        return GW_STR_NONE;
    }
    if (value.n < 2 || value.p[1] != '.') {
        return value;
    }
    if (value.p[0] < '2' || value.p[0] > '0' + GW_LOGIN_CHUNKS) {
        return GW_STR_NONE;
    }
    return put_together(req, name, gw_str_skip(value, 2), (unsigned)(value.p[0] - '0'));
}

/* ---- given -------------------------------------------------------------------------------- */

static void
set(struct gw_req *req, struct gw_str name, struct gw_str front, struct gw_str value,
    long long max_age_s)
{
    bool secure = gw_str_has_prefix(name, GW_STR("__Host-"));
    const char *age = max_age_s < 0 ? "" : gw_arena_printf(req->arena, "; Max-Age=%lld", max_age_s);

    gw_edits_add(
        req, &req->down, GW_STR("Set-Cookie"),
        gw_str_of(gw_arena_printf(req->arena, "%.*s=%.*s%.*s; Path=/%s; HttpOnly; SameSite=Lax%s",
                                  GW_STR_ARG(name), GW_STR_ARG(front), GW_STR_ARG(value), age,
                                  secure ? "; Secure" : "")));
}

/* From the nth on. */
static void
clear_from(struct gw_req *req, struct gw_str name, unsigned n)
{
    for (; n <= GW_LOGIN_CHUNKS; n++) {
        struct gw_str one = name_of(req->arena, name, n);
        struct gw_str value;

        if (!gw_jwt_cookie_get(&req->head->headers, one, &value) || value.n > 0) {
            set(req, one, GW_STR_NONE, GW_STR_NONE, 0);
        }
    }
}

void
gw_login_cookie_clear(struct gw_req *req, struct gw_str name)
{
    clear_from(req, name, 1);
}

void
gw_login_cookie_write(struct gw_req *req, struct gw_str name, struct gw_str value,
                      long long max_age_s)
{
    unsigned n = (unsigned)((value.n + GW_LOGIN_COOKIE_BYTES - 1) / GW_LOGIN_COOKIE_BYTES);
    struct gw_str front = n > 1 ? gw_str_of(gw_arena_printf(req->arena, "%u.", n)) : GW_STR_NONE;

    for (unsigned i = 1; i <= n; i++) {
        size_t bytes = value.n < GW_LOGIN_COOKIE_BYTES ? value.n : GW_LOGIN_COOKIE_BYTES;

        set(req, name_of(req->arena, name, i), i == 1 ? front : GW_STR_NONE,
            (struct gw_str){value.p, bytes}, max_age_s);
        value = gw_str_skip(value, bytes);
    }
    clear_from(req, name, n + 1);
}

/* ---- caches ------------------------------------------------------------------------------- */

/* RFC 9111, 5.2.2; "private" and "no-cache" with names of fields are about these only. */
static bool
forbids(const struct gw_headers *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str list = h->list[i].value;

        while (gw_str_eq_nocase(h->list[i].name, GW_STR("Cache-Control")) && list.n > 0) {
            struct gw_str one = gw_str_trim(gw_str_cut(&list, ','));

            if (gw_str_eq_nocase(one, GW_STR("no-store")) ||
                gw_str_eq_nocase(one, GW_STR("private")) ||
                gw_str_eq_nocase(one, GW_STR("no-cache"))) {
                return true;
            }
        }
    }
    return false;
}

void
gw_login_keep_private(struct gw_req *req)
{
    bool ours = req->reply.status != 0; /* no-store, as soon as there is anything in it */

    if (gw_edits_removes(&req->down, GW_STR("Cache-Control"))) {
        return;
    }
    if (ours && req->reply.content_type.n == 0) {
        gw_edits_set(req, &req->down, GW_STR("Cache-Control"), GW_STR("no-store"));
    } else if (!ours && (req->response == NULL || !forbids(&req->response->headers))) {
        gw_edits_set(req, &req->down, GW_STR("Cache-Control"), GW_STR("private"));
    }
}
