#include "gateway/mapback.h"

#include "gateway/upstream.h"

static struct gw_str
join(struct gw_arena *a, struct gw_str x, struct gw_str y, struct gw_str z)
{
    char *p = gw_arena_raw(a, x.n + y.n + z.n + 1);

    if (x.n > 0) {
        memcpy(p, x.p, x.n);
    }
    if (y.n > 0) {
        memcpy(p + x.n, y.p, y.n);
    }
    if (z.n > 0) {
        memcpy(p + x.n + y.n, z.p, z.n);
    }
    p[x.n + y.n + z.n] = '\0';
    return (struct gw_str){p, x.n + y.n + z.n};
}

/* Is the path, which may have a query, the place or below it? */
static bool
is_below(struct gw_str path, struct gw_str place)
{
    path.n = gw_str_find(path, '?');
    path.n = gw_str_find(path, '#');
    return gw_path_under(path, place);
}

/* The path in the client's terms.  What has the prefix is: backends that know X-Forwarded-Prefix
 * write it themselves.  What is outside the base can't be reached through us. */
static struct gw_str
map_path(struct gw_arena *a, struct gw_str path, const struct gw_map *map)
{
    if (is_below(path, map->prefix) || !is_below(path, map->base)) {
        return path;
    }
    path = gw_str_skip(path, map->base.n);
    return join(a, map->prefix, path.n > 0 && path.p[0] == '/' ? GW_STR_NONE : GW_STR("/"), path);
}

static bool
is_path(struct gw_str url)
{
    return url.n > 0 && url.p[0] == '/' && !(url.n > 1 && (url.p[1] == '/' || url.p[1] == '\\'));
}

/* Cuts "http://authority" off the front; false when the URL is not an absolute http one. */
static bool
split_absolute(struct gw_str url, struct gw_str *authority, struct gw_str *path)
{
    struct gw_str rest;

    if (gw_str_has_prefix_nocase(url, GW_STR("http://"))) {
        rest = gw_str_skip(url, 7);
    } else if (gw_str_has_prefix_nocase(url, GW_STR("https://"))) {
        rest = gw_str_skip(url, 8);
    } else {
        return false;
    }
    size_t slash = gw_str_find(rest, '/');
    *authority = (struct gw_str){rest.p, slash};
    *path = gw_str_skip(rest, slash);
    return true;
}

struct gw_str
gw_map_back_url(struct gw_arena *a, struct gw_str url, const struct gw_map *map,
                struct gw_str backend_authority, struct gw_str host)
{
    struct gw_str authority;
    struct gw_str path;
    struct gw_str before = GW_STR_NONE;

    if (is_path(url)) {
        path = url;
    } else if (split_absolute(url, &authority, &path)) {
        if (gw_str_eq_nocase(authority, host)) {
            before = (struct gw_str){url.p, (size_t)(path.p - url.p)};
        } else if (!gw_str_eq_nocase(authority, backend_authority)) {
            return url; /* somebody else's */
        }
        /* The backend's own address means nothing to the client: only the path is left of it. */
        path = path.n == 0 ? GW_STR("/") : path;
    } else {
        return url; /* relative: right as it is */
    }
    path = map_path(a, path, map);
    if (before.n > 0) {
        return join(a, before, path, GW_STR_NONE);
    }
    return is_path(path) ? path : url; /* "//x" alone would name another host */
}

/* Finds the Path attribute's value within a Set-Cookie value. */
static bool
find_path(struct gw_str cookie, struct gw_str *value)
{
    struct gw_str rest = cookie;

    (void)gw_str_cut(&rest, ';'); /* name=value */
    while (rest.n > 0) {
        struct gw_str attribute = gw_str_cut(&rest, ';');
        struct gw_str name = gw_str_trim(gw_str_cut(&attribute, '='));

        if (gw_str_eq_nocase(name, GW_STR("path"))) {
            *value = gw_str_trim(attribute);
            return true;
        }
    }
    return false;
}

struct gw_str
gw_map_back_cookie(struct gw_arena *a, struct gw_str cookie, const struct gw_map *map)
{
    struct gw_str path;

    if (!find_path(cookie, &path) || !is_path(path)) {
        return cookie;
    }
    struct gw_str before = {cookie.p, (size_t)(path.p - cookie.p)};
    struct gw_str after = {path.p + path.n, cookie.n - before.n - path.n};

    if (path.n == 1 || gw_str_eq(path, map->base)) { /* so that "/extensions/x" fits, too */
        return join(a, before, map->prefix, after);
    }
    return join(a, before, map_path(a, path, map), after);
}

/* "5; url=/x" */
static struct gw_str
map_refresh(const struct gw_req *req, struct gw_str value, const struct gw_map *map,
            struct gw_str authority)
{
    for (size_t i = 0; i + 4 <= value.n; i++) {
        if (gw_str_has_prefix_nocase(gw_str_skip(value, i), GW_STR("url="))) {
            struct gw_str url = gw_str_trim(gw_str_skip(value, i + 4));

            return join(req->arena, (struct gw_str){value.p, i + 4},
                        gw_map_back_url(req->arena, url, map, authority, req->host), GW_STR_NONE);
        }
    }
    return value;
}

void
gw_map_back(const struct gw_req *req, const struct gw_headers *h, const struct gw_backend *backend,
            struct gw_out *out)
{
    const uint64_t mapped =
        UINT64_C(1) << GW_H_LOCATION | UINT64_C(1) << GW_H_SET_COOKIE | UINT64_C(1) << GW_H_REFRESH;
    struct gw_map map = {.prefix = req->to.forwarded_prefix, .base = req->to.base};
    struct gw_str authority = backend->endpoint->url.authority;

    for (unsigned i = 0; (h->present & mapped) != 0 && i < h->n; i++) {
        const struct gw_header *one = &h->list[i];

        if (one->id == GW_H_LOCATION) {
            gw_out_header(out, one->name,
                          gw_map_back_url(req->arena, one->value, &map, authority, req->host));
        } else if (one->id == GW_H_SET_COOKIE) {
            gw_out_header(out, one->name, gw_map_back_cookie(req->arena, one->value, &map));
        } else if (one->id == GW_H_REFRESH) {
            gw_out_header(out, one->name, map_refresh(req, one->value, &map, authority));
        }
    }
}
