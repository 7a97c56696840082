/*
 * login_settings_provider.c - the provider of the section `login`, and who we are to it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "modules/identity_keys.h"
#include "modules/login_settings_private.h"

static bool
check_endpoints(struct gw_login_settings *s, struct gw_loader *l)
{
    static const char *const rows[GW_LOGIN_N_ENDPOINTS] = {
        [GW_LOGIN_AUTHORIZATION] = "authorization_endpoint",
        [GW_LOGIN_TOKEN] = "token_endpoint",
        [GW_LOGIN_END_SESSION] = "end_session_endpoint",
        [GW_LOGIN_REVOCATION] = "revocation_endpoint",
    };
    bool good = true;

    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        good = gw_login_settings_check_url(l, rows[e], s->endpoint[e]) && good;
    }
    return good;
}

static bool
open_external(struct gw_login_settings *s, struct gw_loader *l)
{
    struct gw_str url = gw_str_of(s->external_url);
    struct gw_jwt_origin origin;

    s->base = GW_STR_NONE;
    if (url.n == 0) {
        return true;
    }
    url.n -= url.p[url.n - 1] == '/';
    if (!gw_jwt_origin_parse(url, &origin)) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "external_url"),
                      "login.external_url: \"%s\" is not an address without a path, such as "
                      "https://platform.example.com",
                      s->external_url);
        return false;
    }
    s->base = url;
    s->https = origin.https;
    return gw_login_settings_check_url(l, "external_url", s->external_url);
}

/* A row of authentication.issuers, by which its tokens are judged. */
static const struct gw_jwt_issuer *
find_issuer(const struct gw_login_settings *s, struct gw_loader *l)
{
    for (size_t i = 0; i < s->jwt->issuers.n; i++) {
        const struct gw_jwt_issuer *row = gw_jwt_issuer_at(s->jwt, i);

        if (strcmp(row->issuer, s->issuer) == 0) {
            return row;
        }
    }
    gw_diag_error(l->diag, gw_login_settings_place(l, "issuer"),
                  "login.issuer: \"%s\" is none of authentication.issuers, so its tokens would be "
                  "refused",
                  s->issuer);
    return NULL;
}

/* The first line. */
static bool
read_secret(const struct gw_login_settings *s, struct gw_loader *l, char **secret)
{
    struct gw_str text;
    const char *why = "has nothing in its first line";

    *secret = NULL;
    if (!gw_login_settings_is_given(s->client_secret_file)) {
        return true;
    }
    if (gw_identity_key_read(s->client_secret_file, &text, &why)) {
        struct gw_str rest = text;
        struct gw_str line = gw_str_trim(gw_str_cut(&rest, '\n'));

        line.n -= line.n > 0 && line.p[line.n - 1] == '\r';
        why = "has nothing in its first line";
        *secret = line.n == 0 ? NULL : gw_mem_strndup(line);
        gw_identity_key_forget(text);
    }
    if (*secret == NULL) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "client_secret_file"),
                      "login.client_secret_file: %s: %s", s->client_secret_file, why);
    }
    return *secret != NULL;
}

/* OpenID Connect Discovery 1.0, 4: a slash at the issuer's end is not doubled. */
static char *
document_of(const struct gw_login_settings *s)
{
    struct gw_str issuer = gw_str_of(s->issuer);
    struct gw_buf url = {0};

    if (gw_login_settings_is_given(s->endpoint[GW_LOGIN_AUTHORIZATION]) &&
        gw_login_settings_is_given(s->endpoint[GW_LOGIN_TOKEN])) {
        return NULL;
    }
    issuer.n -= issuer.n > 0 && issuer.p[issuer.n - 1] == '/';
    gw_buf_printf(&url, "%.*s/.well-known/openid-configuration", GW_STR_ARG(issuer));
    return url.p;
}

static bool
make_provider(struct gw_login_settings *s, struct gw_loader *l)
{
    const struct gw_jwt_issuer *row = find_issuer(s, l);
    const char *why = NULL;
    char *secret = NULL;

    if (row == NULL || !read_secret(s, l, &secret)) {
        return false;
    }
    struct gw_login_provider *p = gw_mem_alloc(sizeof(*p));
    atomic_init(&p->refs, 1);
    s->provider = p;
    p->secret = secret;
    p->issuer = gw_mem_strdup(s->issuer);
    p->client_id = gw_mem_strdup(s->client_id);
    p->ca_file = gw_mem_strdup(gw_login_settings_is_given(s->ca_file) ? s->ca_file
                               : row->ca_file == NULL                 ? ""
                                                                      : row->ca_file);
    p->document = document_of(s);
    memcpy(p->tag, s->tag, sizeof(p->tag));
    p->auth = (enum gw_login_auth)s->client_auth;
    p->timeout_ms = s->timeout_ms;
    p->remember_ms = s->remember_ms;
    p->retry_ms = s->retry_ms;
    p->fresh_ms = s->fresh_ms;
    p->remembered = (size_t)s->remembered;
    p->pending = (size_t)s->pending;
    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        p->written[e] =
            gw_login_settings_is_given(s->endpoint[e]) ? gw_mem_strdup(s->endpoint[e]) : NULL;
    }
    if (!gw_curl_load(&why)) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "issuer"),
                      "login.issuer: the provider is asked by libcurl, which can't be loaded "
                      "(Debian's package libcurl4): %s",
                      why);
        return false;
    }
    if (p->ca_file[0] != '\0' && access(p->ca_file, R_OK) != 0) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "ca_file"),
                      "login.ca_file: %s can't be read: %s", p->ca_file, strerror(errno));
        return false;
    }
    return p->document == NULL || gw_login_settings_check_url(l, "issuer", s->issuer);
}

bool
gw_login_settings_open_provider(struct gw_login_settings *s, struct gw_loader *l)
{
    bool good = check_endpoints(s, l);

    good = open_external(s, l) && good;
    return make_provider(s, l) && good;
}
