#include "modules/jwt_upgrade.h"

#include "http/url.h"
#include "http/write.h"

#define PROTOCOL GW_STR("base64url.bearer.authorization.k8s.io.")
#define QUERY    GW_STR("access_token")

/* ---- protocols ---------------------------------------------------------------------------- */

static struct gw_str
next_protocol(struct gw_str *rest)
{
    return gw_str_trim(gw_str_cut(rest, ','));
}

void
gw_jwt_protocols_read(const struct gw_headers *h, struct gw_jwt_protocols *out)
{
    *out = (struct gw_jwt_protocols){0};
    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str rest =
            h->list[i].id == GW_H_SEC_WEBSOCKET_PROTOCOL ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str p = next_protocol(&rest);

            if (!gw_str_has_prefix(p, PROTOCOL)) {
                out->n_others += p.n > 0;
            } else if (out->n_tokens++ == 0) {
                out->encoded = gw_str_skip(p, PROTOCOL.n);
            }
        }
    }
}

struct gw_str
gw_jwt_protocols_without(struct gw_arena *a, const struct gw_headers *h)
{
    struct gw_out out;

    gw_out_init(&out, a, 64);
    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str rest =
            h->list[i].id == GW_H_SEC_WEBSOCKET_PROTOCOL ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str p = next_protocol(&rest);

            if (p.n > 0 && !gw_str_has_prefix(p, PROTOCOL)) {
                gw_out_str(&out, out.n > 0 ? GW_STR(", ") : GW_STR(""));
                gw_out_str(&out, p);
            }
        }
    }
    return (struct gw_str){out.p, out.n};
}

/* ---- the query ---------------------------------------------------------------------------- */

/* Is it "access_token=...", in whatever way the name is escaped?  Whoever gets the query decodes
 * names before it compares them. */
static bool
is_token(struct gw_str pair)
{
    struct gw_str name = {pair.p, gw_str_find(pair, '=')};

    return gw_path_segment_is(name, QUERY);
}

unsigned
gw_jwt_query_token(struct gw_arena *a, struct gw_str query, struct gw_str *token)
{
    unsigned n = 0;

    *token = GW_STR_NONE;
    while (query.n > 0) {
        struct gw_str pair = gw_str_cut(&query, '&');

        if (!is_token(pair) || n++ > 0) {
            continue;
        }
        (void)gw_str_cut(&pair, '=');
        *token = pair.n == 0 ? GW_STR("") : gw_path_decode(a, pair);
    }
    return n;
}

struct gw_str
gw_jwt_target_without(struct gw_arena *a, struct gw_str target)
{
    struct gw_str path = {target.p, gw_str_find(target, '?')};
    struct gw_str query = gw_str_skip(target, path.n < target.n ? path.n + 1 : path.n);
    struct gw_out out;
    char before = '?';

    gw_out_init(&out, a, target.n);
    gw_out_str(&out, path);
    for (bool more = path.n < target.n; more;) {
        struct gw_str pair = {query.p, gw_str_find(query, '&')};

        more = pair.n < query.n;
        query = gw_str_skip(query, more ? pair.n + 1 : pair.n);
        if (!is_token(pair)) {
            gw_out_add(&out, &before, 1);
            gw_out_str(&out, pair);
            before = '&';
        }
    }
    return (struct gw_str){out.p, out.n};
}
