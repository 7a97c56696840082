#include "modules/login_settings.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/mem.h"
#include "http/headers.h"
#include "modules/identity_keys.h"
#include "modules/login_return.h"

#define LOGIN(field) offsetof(struct gw_login_settings, field)
#define ENDPOINT(e)  (LOGIN(endpoint) + (e) * sizeof(const char *))

static const char *const auth_words[] = {
    [GW_LOGIN_AUTH_BASIC] = "basic",
    [GW_LOGIN_AUTH_POST] = "post",
    NULL,
};

static const char *const token_words[] = {
    [GW_LOGIN_ID_TOKEN] = "id_token",
    [GW_LOGIN_ACCESS_TOKEN] = "access_token",
    NULL,
};

/* clang-format off */
const struct gw_setting gw_login_rows[] = {
    {.name = "issuer", .set = gw_set_text, .at = LOGIN(issuer), .initial = "\"\"", .example = "https://login.example.com",
     .help = "The provider at which browsers log in (OpenID Connect): one of `authentication.issuers`, by its issuer.  Empty: nobody is sent anywhere."},
    {.name = "client_id", .set = gw_set_text, .at = LOGIN(client_id), .initial = "\"\"", .example = "ksgate",
     .help = "The name by which the provider knows this gateway."},
    {.name = "client_secret_file", .set = gw_set_file, .at = LOGIN(client_secret_file), .initial = "\"\"", .example = "/etc/ksgate/login.secret",
     .help = "The file whose first line is the secret that belongs to it; read when the configuration is loaded.  Empty: a public client, which has none (PKCE protects every login)."},
    {.name = "client_auth", .set = gw_set_word, .at = LOGIN(client_auth), .words = auth_words, .initial = "basic",
     .help = "How the secret is shown to the provider: `basic`, in a header; `post`, in the form."},
    {.name = "scopes", .set = gw_set_text_list, .at = LOGIN(scopes), .initial = "[openid, profile, email, offline_access]",
     .help = "What the provider is asked for.  `openid` is needed for an ID token; many providers give a refresh token only with `offline_access`."},
    {.name = "token", .set = gw_set_word, .at = LOGIN(token), .words = token_words, .initial = "id_token",
     .help = "Which of the provider's tokens says who it is, and is checked as every token is; ks-core's is the access_token."},
    {.name = "external_url", .set = gw_set_text, .at = LOGIN(external_url), .initial = "\"\"", .example = "https://platform.example.com",
     .help = "This gateway as browsers see it, without a path: the provider has to know `{external_url}/-/login/callback` as a redirect URI.  Empty: what each request says (Host, and X-Forwarded-Proto and -Host of `trusted_proxies`)."},
    {.name = "ca_file", .set = gw_set_file, .at = LOGIN(ca_file), .initial = "\"\"", .example = "/etc/ksgate/idp-ca.pem",
     .help = "The CAs that the provider's certificate may be of, and no others.  Empty: the issuer's `ca_file`, or the system's."},
    {.name = "authorization_endpoint", .set = gw_set_text, .at = ENDPOINT(GW_LOGIN_AUTHORIZATION), .initial = "\"\"", .example = "https://login.example.com/authorize",
     .help = "Where browsers are sent to log in.  Empty, as with the other endpoints: what the provider says in `/.well-known/openid-configuration`."},
    {.name = "token_endpoint", .set = gw_set_text, .at = ENDPOINT(GW_LOGIN_TOKEN), .initial = "\"\"", .example = "https://login.example.com/token",
     .help = "Where the gateway gets the tokens."},
    {.name = "end_session_endpoint", .set = gw_set_text, .at = ENDPOINT(GW_LOGIN_END_SESSION), .initial = "\"\"", .example = "https://login.example.com/logout",
     .help = "Where browsers are sent to log out at the provider as well."},
    {.name = "revocation_endpoint", .set = gw_set_text, .at = ENDPOINT(GW_LOGIN_REVOCATION), .initial = "\"\"", .example = "https://login.example.com/revoke",
     .help = "Where a refresh token is given back at logout (RFC 7009)."},
    {.name = "cookie", .set = gw_set_text, .at = LOGIN(cookie), .initial = "ksgate-session",
     .help = "The cookie that holds a browser's session, sealed; over TLS, `__Host-` stands before it.  All cookies that begin so are the gateway's own, and no backend gets them."},
    {.name = "cookie_keys_file", .set = gw_set_file, .at = LOGIN(cookie_keys_file), .initial = "\"\"", .example = "/etc/ksgate/cookie.keys",
     .help = "A file with the keys of that seal, one a line (`openssl rand -base64 32`): the first seals, all open; the same in all gateways.  Empty: one that is drawn at the start, so that every session ends with a restart."},
    {.name = "cookie_bytes", .set = gw_set_size, .at = LOGIN(cookie_bytes), .initial = "12KiB", .min = 1024, .max = 33000,
     .help = "How large a session may be: more than 3800 bytes are split into several cookies.  What is in front of the gateway has to take heads of that size."},
    {.name = "session_max", .set = gw_set_duration, .at = LOGIN(session_max_ms), .initial = "12h", .min = 1000, .max = 31536000000,
     .help = "How long after its login a session ends, however often it was refreshed."},
    {.name = "login_max", .set = gw_set_duration, .at = LOGIN(begin_max_ms), .initial = "10m", .min = 1000, .max = 3600000,
     .help = "How long a user may take to log in at the provider."},
    {.name = "after_login", .set = gw_set_text, .at = LOGIN(after_login), .initial = "/",
     .help = "The path to which a login leads that was not caused by another page."},
    {.name = "after_logout", .set = gw_set_text, .at = LOGIN(after_logout), .initial = GW_LOGIN_LEAVE,
     .help = "Where a logout leads in the end: a path of this site, or a URL.  The provider may have to know it."},
    {.name = "timeout", .set = gw_set_duration, .at = LOGIN(timeout_ms), .initial = "5s", .min = 100, .max = 60000,
     .help = "How long the provider may take to answer the gateway."},
    {.name = "pending", .set = gw_set_int, .at = LOGIN(pending), .initial = "256", .min = 1, .max = 100000,
     .help = "How many questions to the provider may be under way, half of which are for refreshes alone; a request that needs one more is answered 503 `login_unavailable`."},
    {.name = "discovery_refresh", .set = gw_set_duration, .at = LOGIN(fresh_ms), .initial = "1h", .min = 1000, .max = 86400000,
     .help = "How old the provider's document of its endpoints may be; then it is asked for again, beside the logins, which go on with what is known."},
    {.name = "refresh_at", .set = gw_set_percent, .at = LOGIN(refresh_percent), .initial = "80%",
     .help = "When so much of a token's life is over, the next request has it refreshed, and is not kept waiting; only one whose token has expired waits."},
    {.name = "refresh_remember", .set = gw_set_duration, .at = LOGIN(remember_ms), .initial = "10m", .min = 1000, .max = 86400000,
     .help = "Until the token of before a refresh has ended, and so long after that, requests that still have its cookie get what came of the refresh, and the old refresh token is not used again."},
    {.name = "refresh_remembered", .set = gw_set_int, .at = LOGIN(remembered), .initial = "10000", .min = 16, .max = 10000000,
     .help = "How many refreshes are remembered (as large as the tokens are, 3 to 8 KB each); the oldest is forgotten first."},
    {.name = "refresh_retry", .set = gw_set_duration, .at = LOGIN(retry_ms), .initial = "5s", .min = 100, .max = 3600000,
     .help = "How long a session's refresh, or the provider's document, is not tried again after the provider could not be reached."},
    {0},
};
/* clang-format on */

/* ---- what is wrong ------------------------------------------------------------------------- */

static struct gw_place
place_of(const struct gw_loader *l, const char *name)
{
    const json_t *root = l->source == NULL || l->source->n_docs == 0 ? NULL : l->source->docs[0];
    const json_t *section = json_object_get(root, "login");
    struct gw_place at = gw_yaml_key_place(l->source, section, name);

    return at.line > 0 ? at : gw_yaml_place(l->source, section);
}

static bool
is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
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
static bool
check_url(struct gw_loader *l, const char *row, const char *url)
{
    const char *fault = is_given(url) ? fault_of_url(url) : NULL;

    if (fault != NULL) {
        gw_diag_error(l->diag, place_of(l, row), "login.%s: it %s", row, fault);
    } else if (is_given(url) && strncasecmp(url, "http://", 7) == 0 &&
               !gw_jwt_url_is_loopback(url)) {
        gw_diag_warn(l->diag, place_of(l, row),
                     "login.%s: whoever is between here and there can read the tokens, and be "
                     "anybody: use https",
                     row);
    }
    return fault == NULL;
}

/* ---- who we are, and where ----------------------------------------------------------------- */

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
        good = check_url(l, rows[e], s->endpoint[e]) && good;
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
        gw_diag_error(l->diag, place_of(l, "external_url"),
                      "login.external_url: \"%s\" is not an address without a path, such as "
                      "https://platform.example.com",
                      s->external_url);
        return false;
    }
    s->base = url;
    s->https = origin.https;
    return check_url(l, "external_url", s->external_url);
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
    gw_diag_error(l->diag, place_of(l, "issuer"),
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
    if (!is_given(s->client_secret_file)) {
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
        gw_diag_error(l->diag, place_of(l, "client_secret_file"),
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

    if (is_given(s->endpoint[GW_LOGIN_AUTHORIZATION]) && is_given(s->endpoint[GW_LOGIN_TOKEN])) {
        return NULL;
    }
    issuer.n -= issuer.n > 0 && issuer.p[issuer.n - 1] == '/';
    gw_buf_printf(&url, "%.*s/.well-known/openid-configuration", GW_STR_ARG(issuer));
    return url.p;
}

static bool
open_provider(struct gw_login_settings *s, struct gw_loader *l)
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
    p->ca_file = gw_mem_strdup(is_given(s->ca_file)   ? s->ca_file
                               : row->ca_file == NULL ? ""
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
        p->written[e] = is_given(s->endpoint[e]) ? gw_mem_strdup(s->endpoint[e]) : NULL;
    }
    if (!gw_curl_load(&why)) {
        gw_diag_error(l->diag, place_of(l, "issuer"),
                      "login.issuer: the provider is asked by libcurl, which can't be loaded "
                      "(Debian's package libcurl4): %s",
                      why);
        return false;
    }
    if (p->ca_file[0] != '\0' && access(p->ca_file, R_OK) != 0) {
        gw_diag_error(l->diag, place_of(l, "ca_file"), "login.ca_file: %s can't be read: %s",
                      p->ca_file, strerror(errno));
        return false;
    }
    return p->document == NULL || check_url(l, "issuer", s->issuer);
}

/* ---- cookies ------------------------------------------------------------------------------- */

static bool
open_names(struct gw_login_settings *s, struct gw_loader *l)
{
    struct gw_str name = gw_str_of(s->cookie);

    if (!gw_header_name_ok(name) || gw_str_find(name, '*') < name.n) {
        gw_diag_error(l->diag, place_of(l, "cookie"),
                      "login.cookie: \"%s\" is no name: letters, digits and some signs, no space, "
                      "no =, no *",
                      s->cookie);
        return false;
    }
    s->name[0] = name;
    s->name[1] = gw_str_of(gw_arena_printf(l->arena, "__Host-%s", s->cookie));
    for (size_t i = 0; i < 2; i++) {
        s->hidden[2 * i] = s->name[i];
        s->hidden[2 * i + 1] =
            gw_str_of(gw_arena_printf(l->arena, "%.*s-*", GW_STR_ARG(s->name[i])));
    }
    return true;
}

static void
warn_of_readers(const char *file, struct gw_loader *l)
{
    struct stat st;

    if (stat(file, &st) == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        gw_diag_warn(l->diag, place_of(l, "cookie_keys_file"),
                     "login.cookie_keys_file: others than its owner and group may open %s; whoever "
                     "reads it can read the tokens in cookies",
                     file);
    }
}

static bool
open_keys(struct gw_login_settings *s, struct gw_loader *l)
{
    const char *why = "no random numbers are to be had";
    unsigned line = 0;
    struct gw_str text;

    if (!is_given(s->cookie_keys_file)) {
        gw_diag_warn(l->diag, place_of(l, "cookie_keys_file"),
                     "login.cookie_keys_file: none is named: every session ends when the gateway "
                     "is started again, and none is good at another gateway");
        if (gw_login_keys_own(&s->keys)) {
            return true;
        }
        gw_diag_error(l->diag, place_of(l, "cookie_keys_file"), "login: %s", why);
        return false;
    }
    bool good = gw_identity_key_read(s->cookie_keys_file, &text, &why);
    if (good) {
        good = gw_login_keys_read(&s->keys, text, &why, &line);
        gw_identity_key_forget(text);
    }
    if (!good && line > 0) {
        gw_diag_error(l->diag, place_of(l, "cookie_keys_file"),
                      "login.cookie_keys_file: %s: line %u %s", s->cookie_keys_file, line, why);
    } else if (!good) {
        gw_diag_error(l->diag, place_of(l, "cookie_keys_file"), "login.cookie_keys_file: %s: %s",
                      s->cookie_keys_file, why);
    } else {
        warn_of_readers(s->cookie_keys_file, l);
    }
    return good;
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
        gw_diag_error(l->diag, place_of(l, "scopes"),
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

    if (!is_given(s->client_id)) {
        gw_diag_error(l->diag, place_of(l, "client_id"), "login.client_id: is required");
        good = false;
    }
    if (!gw_login_return_ok(gw_str_of(s->after_login))) {
        gw_diag_error(l->diag, place_of(l, "after_login"),
                      "login.after_login: \"%s\" is no path of this site", s->after_login);
        good = false;
    }
    bool local = strcmp(s->after_logout, GW_LOGIN_LEAVE) == 0 ||
                 gw_login_return_ok(gw_str_of(s->after_logout));
    if (!local && fault_of_url(s->after_logout) != NULL) {
        gw_diag_error(l->diag, place_of(l, "after_logout"),
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
    good = check_endpoints(s, l) && good;
    good = open_external(s, l) && good;
    good = open_names(s, l) && good;
    good = open_keys(s, l) && good;
    good = open_provider(s, l) && good;
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
