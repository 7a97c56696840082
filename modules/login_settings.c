#include "modules/login_settings.h"

#include <openssl/sha.h>

#include "modules/login_return.h"
#include "modules/login_settings_private.h"

/* ---- what is wrong ------------------------------------------------------------------------- */

struct gw_place
gw_login_settings_place(const struct gw_loader *l, const char *row)
{
    const json_t *root = gw_yaml_root(l->source);
    const json_t *section = json_object_get(root, "login");
    struct gw_place at = gw_yaml_key_place(l->source, section, row);

    return at.line > 0 ? at : gw_yaml_place(l->source, section);
}

/* A URL of the settings: NULL, or what is wrong with it. */
static const char *
fault_of_url(const char *url)
{
    bool http = strncasecmp(url, "http://", 7) == 0;

    for (const char *c = url; *c != '\0'; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f) {
            return "has a byte that no URL has";
        }
    }
    if (gw_jwt_url_has_user(url)) {
        return "has a user's name (and password) in it";
    }
    if (!http && strncasecmp(url, "https://", 8) != 0) {
        return "is no URL with http:// or https://";
    }
    return strchr(url, '#') != NULL ? "has a fragment" : NULL;
}

/* Not shown when it is wrong: there may be a password in it. */
bool
gw_login_settings_check_url(struct gw_loader *l, const char *row, const char *url)
{
    const char *fault = gw_login_settings_is_given(url) ? fault_of_url(url) : NULL;

    if (fault != NULL) {
        gw_diag_error(l->diag, gw_login_settings_place(l, row), "login.%s: it %s", row, fault);
    } else if (gw_login_settings_is_given(url) && strncasecmp(url, "http://", 7) == 0 &&
               !gw_jwt_url_is_loopback(url)) {
        gw_diag_warn(l->diag, gw_login_settings_place(l, row),
                     "login.%s: whoever is between here and there can read the tokens, and be "
                     "anybody: use https",
                     row);
    }
    return fault == NULL;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool
open_scopes(struct gw_login_settings *s, struct gw_loader *l)
{
    struct gw_buf all = {0};

    s->wants_id_token = false;
    for (size_t i = 0; s->scopes != NULL && s->scopes[i] != NULL; i++) {
        gw_buf_puts(&all, i == 0 ? "" : " ");
        gw_buf_puts(&all, s->scopes[i]);
        s->wants_id_token = s->wants_id_token || strcmp(s->scopes[i], "openid") == 0;
    }
    s->scope = gw_arena_str(l->arena, gw_buf_text(&all));
    gw_buf_fini(&all);
    if (!s->wants_id_token && s->token == GW_LOGIN_ID_TOKEN) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "scopes"),
                      "login.scopes: without openid there is no ID token, and it says who it is "
                      "(login.token)");
        return false;
    }
    return true;
}

static bool
check_places(const struct gw_login_settings *s, struct gw_loader *l)
{
    bool good = true;

    if (!gw_login_settings_is_given(s->client_id)) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "client_id"),
                      "login.client_id: is required");
        good = false;
    }
    if (!gw_login_return_ok(gw_str_of(s->after_login))) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "after_login"),
                      "login.after_login: \"%s\" is no path of this site", s->after_login);
        good = false;
    }
    bool local = strcmp(s->after_logout, GW_LOGIN_LEAVE) == 0 ||
                 gw_login_return_ok(gw_str_of(s->after_logout));
    if (!local && fault_of_url(s->after_logout) != NULL) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "after_logout"),
                      "login.after_logout: it is neither a path of this site nor a URL with "
                      "https://");
        good = false;
    }
    return good;
}

/* A session of another provider, or client, is none of ours, whatever key it is sealed with: its
 * refresh token is not to be shown to this one. */
static void
make_tag(struct gw_login_settings *s)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct gw_buf all = {0};

    gw_buf_add(&all, s->issuer, strlen(s->issuer) + 1);
    gw_buf_puts(&all, s->client_id);
    SHA256((const unsigned char *)all.p, all.n, digest);
    memcpy(s->tag, digest, sizeof(s->tag));
    gw_buf_fini(&all);
}

bool
gw_login_settings_open(struct gw_login_settings *s, struct gw_loader *l)
{
    bool good = check_places(s, l);

    s->jwt = l->authentication;
    if (s->jwt == NULL) {
        return false; /* what is wrong there has been said */
    }
    make_tag(s);
    good = open_scopes(s, l) && good;
    good = gw_login_settings_open_cookies(s, l) && good;
    good = gw_login_settings_open_provider(s, l) && good;
    if (!good) {
        gw_login_settings_close(s);
    }
    return good;
}

void
gw_login_settings_close(struct gw_login_settings *s)
{
    gw_login_provider_unref(s->provider);
    s->provider = NULL;
    gw_login_keys_forget(&s->keys);
}
