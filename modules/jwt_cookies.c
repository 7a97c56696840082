#include "modules/jwt_cookies.h"

#include "http/write.h"

/* One "name=value", without the blanks around it. */
static struct gw_str
next_pair(struct gw_str *rest)
{
    return gw_str_trim(gw_str_cut(rest, ';'));
}

static struct gw_str
name_of(struct gw_str pair)
{
    return gw_str_trim((struct gw_str){pair.p, gw_str_find(pair, '=')});
}

static struct gw_str
value_of(struct gw_str pair)
{
    size_t at = gw_str_find(pair, '=');

    return at == pair.n ? GW_STR_NONE : gw_str_trim(gw_str_skip(pair, at + 1));
}

bool
gw_jwt_cookie_get(const struct gw_headers *h, struct gw_str name, struct gw_str *value)
{
    *value = GW_STR_NONE;
    for (unsigned i = 0; gw_headers_has(h, GW_H_COOKIE) && i < h->n; i++) {
        struct gw_str rest = h->list[i].id == GW_H_COOKIE ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str pair = next_pair(&rest);
            struct gw_str found = value_of(pair);

            if (found.n == 0 || !gw_str_eq(name_of(pair), name)) {
                continue;
            }
            if (value->n > 0 && !gw_str_eq(*value, found)) {
                return false;
            }
            *value = found;
        }
    }
    return true;
}

bool
gw_jwt_cookie_is(const struct gw_headers *h, struct gw_str name, struct gw_str value)
{
    for (unsigned i = 0; gw_headers_has(h, GW_H_COOKIE) && i < h->n; i++) {
        struct gw_str rest = h->list[i].id == GW_H_COOKIE ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str pair = next_pair(&rest);

            if (gw_str_eq(name_of(pair), name) && gw_str_eq(value_of(pair), value)) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_one_of(struct gw_str name, const struct gw_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gw_str_eq(name, names[i])) {
            return true;
        }
    }
    return false;
}

struct gw_str
gw_jwt_cookies_without(struct gw_arena *a, const struct gw_headers *h, const struct gw_str *names,
                       size_t n_names, bool *taken)
{
    struct gw_out out;

    *taken = false;
    gw_out_init(&out, a, 256);
    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str rest = h->list[i].id == GW_H_COOKIE ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str pair = next_pair(&rest);

            if (is_one_of(name_of(pair), names, n_names)) {
                *taken = true;
            } else if (pair.n > 0) {
                gw_out_str(&out, out.n > 0 ? GW_STR("; ") : GW_STR(""));
                gw_out_str(&out, pair);
            }
        }
    }
    return (struct gw_str){out.p, out.n};
}
