#include "modules/jwt_site.h"

#include <sys/random.h>

#include "http/write.h"
#include "modules/jwt_cookies.h"

/* ---- where it comes from ------------------------------------------------------------------ */

/* What the browser sees in its address bar: what a trusted proxy before us says, or what we see
 * ourselves.  A list is of several proxies, the first of them the browser's. */
static struct gw_str
outside(const struct gw_req *req, enum gw_header_id id, struct gw_str own)
{
    struct gw_str said =
        req->peer_trusted ? gw_headers_value(&req->head->headers, id) : GW_STR_NONE;
    struct gw_str first = gw_str_trim(gw_str_cut(&said, ','));

    return first.n > 0 ? first : own;
}

bool
gw_jwt_site_is_https(const struct gw_req *req)
{
    return gw_str_eq_nocase(
        outside(req, GW_H_X_FORWARDED_PROTO, req->client_tls ? GW_STR("https") : GW_STR("http")),
        GW_STR("https"));
}

struct gw_str
gw_jwt_site_host(const struct gw_req *req)
{
    return outside(req, GW_H_X_FORWARDED_HOST, req->host);
}

static bool
is_listed(const struct gw_jwt_places *p, const struct gw_jwt_origin *o)
{
    for (size_t i = 0; i < p->n_origins; i++) {
        if (gw_jwt_origin_eq(&p->origins[i], o)) {
            return true;
        }
    }
    return false;
}

static bool
is_own(const struct gw_req *req, const struct gw_jwt_origin *o)
{
    struct gw_jwt_origin own;

    return gw_jwt_origin_of(gw_jwt_site_is_https(req), gw_jwt_site_host(req), &own) &&
           gw_jwt_origin_eq(&own, o);
}

/* "none": the user has typed the address, or opened a bookmark.  Not "same-site": what else has a
 * name below the same domain may be anybody's, such as a workload of a tenant. */
static bool
is_from_here(struct gw_str fetch_site)
{
    return gw_str_eq_nocase(fetch_site, GW_STR("same-origin")) ||
           gw_str_eq_nocase(fetch_site, GW_STR("none"));
}

/* Browsers send Sec-Fetch-Site only over TLS and to localhost, and Origin always with what is not
 * GET or HEAD and with WebSockets.  Where both are there the former decides, since it also knows
 * of redirects, and no proxy changes what it is about. */
const char *
gw_jwt_site_foreign(const struct gw_req *req, const struct gw_jwt_places *p)
{
    const struct gw_headers *h = &req->head->headers;
    struct gw_jwt_origin o;
    struct gw_str site;
    struct gw_str origin;

    if (!gw_headers_only(h, GW_H_SEC_FETCH_SITE, &site) ||
        !gw_headers_only(h, GW_H_ORIGIN, &origin)) {
        return "there is more than one Sec-Fetch-Site or Origin";
    }
    if (site.n > 0 && is_from_here(site)) {
        return NULL;
    }
    bool parsed = origin.n > 0 && gw_jwt_origin_parse(origin, &o);
    if (parsed && (is_listed(p, &o) || (site.n == 0 && is_own(req, &o)))) {
        return NULL;
    }
    if (site.n > 0) {
        return "Sec-Fetch-Site is neither same-origin nor none, and the Origin is not in "
               "authentication.cookie_origins";
    }
    if (origin.n > 0) {
        return gw_arena_printf(
            req->arena,
            "the Origin is not %s://%.*s, and not in authentication.cookie_origins (is the proxy "
            "before the gateway one of trusted_proxies?)",
            gw_jwt_site_is_https(req) ? "https" : "http", GW_STR_ARG(gw_jwt_site_host(req)));
    }
    return "there is no Sec-Fetch-Site and no Origin; what is not a browser sends Authorization "
           "instead of the cookie";
}

/* ---- forms -------------------------------------------------------------------------------- */

/* The types that a page of another site can send without asking first (Fetch, "CORS-safelisted
 * request-header"). */
static bool
is_form_type(struct gw_str type)
{
    static const struct gw_str forms[] = {
        {"application/x-www-form-urlencoded", 33},
        {"multipart/form-data", 19},
        {"text/plain", 10},
    };
    struct gw_str essence = gw_str_trim(gw_str_cut(&type, ';'));

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (gw_str_eq_nocase(essence, forms[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_form(const struct gw_headers *h)
{
    for (unsigned i = 0; gw_headers_has(h, GW_H_CONTENT_TYPE) && i < h->n; i++) {
        if (h->list[i].id == GW_H_CONTENT_TYPE && is_form_type(h->list[i].value)) {
            return true;
        }
    }
    return false;
}

/* Only a script of the site itself can read its cookie and set a header of its own.  There may be
 * several cookies: an extension with the same habit has one for its own paths. */
static const char *
missing_form_token(const struct gw_req *req, const struct gw_jwt_places *p)
{
    const struct gw_headers *h = &req->head->headers;
    const struct gw_header *sent = gw_headers_find(h, gw_str_of(p->form_header));

    if (sent != NULL && sent->value.n > 0 &&
        gw_jwt_cookie_is(h, gw_str_of(p->form_cookie), sent->value)) {
        return NULL;
    }
    return gw_arena_printf(req->arena,
                           "a form must repeat the value of the cookie %s in the header %s",
                           p->form_cookie, p->form_header);
}

static bool
is_safe(struct gw_str method)
{
    return gw_str_eq(method, GW_STR("GET")) || gw_str_eq(method, GW_STR("HEAD")) ||
           gw_str_eq(method, GW_STR("OPTIONS"));
}

const char *
gw_jwt_site_missing(struct gw_req *req, const struct gw_jwt_places *p)
{
    bool safe = is_safe(req->head->method);
    const char *missing = safe && !req->head->upgrade ? NULL : gw_jwt_site_foreign(req, p);

    if (missing != NULL || safe || !is_form(&req->head->headers)) {
        return missing;
    }
    return missing_form_token(req, p);
}

/* ---- the cookie for forms ----------------------------------------------------------------- */

void
gw_jwt_site_greet(struct gw_req *req, const struct gw_jwt_places *p)
{
    unsigned char random[16];
    char text[2 * sizeof(random)];
    struct gw_str has;

    if (!gw_jwt_cookie_get(&req->head->headers, gw_str_of(p->form_cookie), &has) || has.n > 0 ||
        getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
        return; /* the next request gets it */
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        text[2 * i] = "0123456789abcdef"[random[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    gw_edits_add(req, &req->down, GW_STR("Set-Cookie"),
                 gw_str_of(gw_arena_printf(req->arena, "%s=%.*s; Path=/; SameSite=Strict%s",
                                           p->form_cookie, (int)sizeof(text), text,
                                           gw_jwt_site_is_https(req) ? "; Secure" : "")));
}
