#include "gateway/relax.h"

#define ALL (GW_PATH_ENCODED_SLASH | GW_PATH_DOUBLE_ENCODED_SLASH | GW_PATH_EMPTY_SEGMENTS)

static struct gw_str
segment(struct gw_str path, unsigned n)
{
    struct gw_str rest = gw_str_skip(path, 1);
    struct gw_str s = GW_STR_NONE;

    for (unsigned i = 0; i <= n; i++) {
        s = gw_str_cut(&rest, '/');
    }
    return s;
}

static bool
is_api(struct gw_str s)
{
    static const struct gw_str words[] = {{"api", 3}, {"apis", 4}, {"kapi", 4}, {"kapis", 5}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (gw_path_segment_is(s, words[i])) {
            return true;
        }
    }
    return false;
}

/* What may be odd behind the first *strict segments of the path. */
static unsigned
allowed_at(const struct gw_conf *c, struct gw_str path, unsigned *strict)
{
    bool in_cluster = gw_path_segment_is(segment(path, 0), GW_STR("clusters"));
    enum gw_route_kind route = gw_conf_route(c, GW_STR_NONE, path)->route;

    *strict = route == GW_ROUTE_EXTENSIONS ? 2 : in_cluster ? 3 : 1;
    if (route == GW_ROUTE_EXTENSIONS) {
        return ALL; /* the extension has the word */
    }
    if (route == GW_ROUTE_ADMIN || is_api(segment(path, in_cluster ? 2 : 0))) {
        return 0;
    }
    return (unsigned)c->settings.core.allow_paths;
}

enum gw_err
gw_relax_path(struct gw_req *req, const struct gw_conf *c, const char **why)
{
    struct gw_str path = req->target.path;
    unsigned strict = 0;
    unsigned odd = 0;
    unsigned allowed = path.n > 0 && path.p[0] == '/' ? allowed_at(c, path, &strict) : 0;
    const char *strictly = *why;
    enum gw_err err =
        allowed == 0 ? GW_ERR_BAD_PATH : gw_path_check_relaxed(path, allowed, strict, &odd, why);

    if (err != GW_ERR_OK) {
        *why = *why == NULL ? strictly : *why;
        return err;
    }
    *why = NULL;
    req->target.odd = (unsigned char)odd;
    req->odd_allowed = strict != 2; /* an extension's allowance is looked at when it is found */
    return GW_ERR_OK;
}

bool
gw_relax_allow(struct gw_req *req, unsigned allowed)
{
    static const char *const names[] = {"an encoded slash", "a doubly encoded slash",
                                        "an empty segment (//)"};
    unsigned refused = req->target.odd & ~allowed;

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if ((refused >> i & 1) != 0) {
            req->err = GW_ERR_BAD_PATH;
            req->detail = names[i];
            return false;
        }
    }
    req->odd_allowed = true;
    return true;
}
