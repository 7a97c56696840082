#include "modules/jwt_places.h"

#include "http/headers.h"
#include "http/url.h"

/* ---- origins ------------------------------------------------------------------------------ */

bool
gw_jwt_origin_of(bool https, struct gw_str authority, struct gw_jwt_origin *out)
{
    size_t colon = authority.n;
    uint64_t port = https ? 443 : 80;

    if (authority.n == 0 || !gw_host_ok(authority)) {
        return false;
    }
    while (colon > 0 && authority.p[colon - 1] != ':' && authority.p[colon - 1] != ']') {
        colon--;
    }
    if (colon > 0 && authority.p[colon - 1] == ':') {
        struct gw_str digits = gw_str_skip(authority, colon);

        authority.n = colon - 1;
        if (digits.n > 0 && !gw_str_u64(digits, &port)) {
            return false;
        }
    }
    *out = (struct gw_jwt_origin){.https = https, .host = authority, .port = (unsigned)port};
    return authority.n > 0;
}

bool
gw_jwt_origin_parse(struct gw_str text, struct gw_jwt_origin *out)
{
    const struct gw_str http = GW_STR("http://");
    const struct gw_str https = GW_STR("https://");

    if (gw_str_has_prefix_nocase(text, https)) {
        return gw_jwt_origin_of(true, gw_str_skip(text, https.n), out);
    }
    return gw_str_has_prefix_nocase(text, http) &&
           gw_jwt_origin_of(false, gw_str_skip(text, http.n), out);
}

bool
gw_jwt_origin_eq(const struct gw_jwt_origin *a, const struct gw_jwt_origin *b)
{
    return a->https == b->https && a->port == b->port && gw_str_eq_nocase(a->host, b->host);
}

/* ---- the settings ------------------------------------------------------------------------- */

static void
complain(struct gw_loader *l, const char *row, const char *value, const char *what)
{
    const json_t *root = gw_yaml_root(l->source);
    const json_t *section = json_object_get(root, "authentication");

    gw_diag_error(l->diag, gw_yaml_key_place(l->source, section, row),
                  "authentication.%s: \"%s\" is not %s", row, value, what);
}

static size_t
count(const char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL) {
        n++;
    }
    return n;
}

/* A cookie's name and a header's are of the same bytes (RFC 6265, 4.1.1). */
static bool
check_name(struct gw_loader *l, const char *row, const char *name)
{
    if (gw_header_name_ok(gw_str_of(name))) {
        return true;
    }
    complain(l, row, name,
             "a name: letters, digits and some signs, no space, no comma, no semicolon, no =");
    return false;
}

static bool
open_origins(struct gw_jwt_places *p, struct gw_loader *l)
{
    size_t n = count(p->cookie_origins);
    bool good = true;

    p->n_origins = 0;
    p->origins = gw_arena_alloc(l->arena, (n + 1) * sizeof(*p->origins));
    for (size_t i = 0; i < n; i++) {
        if (gw_jwt_origin_parse(gw_str_of(p->cookie_origins[i]), &p->origins[p->n_origins])) {
            p->n_origins++;
        } else {
            complain(
                l, "cookie_origins", p->cookie_origins[i],
                "an origin, such as https://console.example.com, with nothing behind the port");
            good = false;
        }
    }
    return good;
}

/* The session's cookie, the companion by which the console has signed it, and those that are
 * worth more than it. */
static bool
open_hidden(struct gw_jwt_places *p, struct gw_loader *l)
{
    size_t n = count(p->cookie_private);
    bool good = check_name(l, "cookie", p->cookie);

    p->n_hidden = 0;
    p->hidden = gw_arena_alloc(l->arena, (n + 2) * sizeof(*p->hidden));
    p->hidden[p->n_hidden++] = gw_str_of(p->cookie);
    p->hidden[p->n_hidden++] = gw_str_of(gw_arena_printf(l->arena, "%s.sig", p->cookie));
    for (size_t i = 0; i < n; i++) {
        good = check_name(l, "cookie_private", p->cookie_private[i]) && good;
        p->hidden[p->n_hidden++] = gw_str_of(p->cookie_private[i]);
    }
    return good;
}

bool
gw_jwt_places_open(struct gw_jwt_places *p, struct gw_loader *l)
{
    bool good = open_origins(p, l);

    if (p->cookie == NULL || p->cookie[0] == '\0') {
        return good;
    }
    good = check_name(l, "form_cookie", p->form_cookie) && good;
    good = check_name(l, "form_header", p->form_header) && good;
    return open_hidden(p, l) && good;
}
