#include "modules/login_settings.h"

#define LOGIN(field) offsetof(struct gw_login_settings, field)

/* What the rows of a kind have in common.  A text or a file is none until it is named. */
#define TEXT(field) .set = gw_set_text, .at = LOGIN(field), .initial = "\"\""
#define PATH(field) .set = gw_set_file, .at = LOGIN(field), .initial = "\"\""
#define ENDPOINT(e) \
    .set = gw_set_text, .at = LOGIN(endpoint) + (e) * sizeof(const char *), .initial = "\"\""
#define TIME(field, is, least, most) \
    .set = gw_set_duration, .at = LOGIN(field), .initial = (is), .min = (least), .max = (most)

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
    {.name = "issuer", TEXT(issuer), .example = "https://login.example.com",
     .help = "The provider at which browsers log in (OpenID Connect): one of `authentication.issuers`, by its issuer.  Empty: nobody is sent anywhere."},
    {.name = "client_id", TEXT(client_id), .example = "ksgate",
     .help = "The name by which the provider knows this gateway."},
    {.name = "client_secret_file", PATH(client_secret_file), .example = "/etc/ksgate/login.secret",
     .help = "The file whose first line is the secret that belongs to it; read when the configuration is loaded.  Empty: a public client, which has none (PKCE protects every login)."},
    {.name = "client_auth", .set = gw_set_word, .at = LOGIN(client_auth), .words = auth_words, .initial = "basic",
     .help = "How the secret is shown to the provider: `basic`, in a header; `post`, in the form."},
    {.name = "scopes", .set = gw_set_text_list, .at = LOGIN(scopes), .initial = "[openid, profile, email, offline_access]",
     .help = "What the provider is asked for.  `openid` is needed for an ID token; many providers give a refresh token only with `offline_access`."},
    {.name = "token", .set = gw_set_word, .at = LOGIN(token), .words = token_words, .initial = "id_token",
     .help = "Which of the provider's tokens says who it is, and is checked as every token is; ks-core's is the access_token."},
    {.name = "external_url", TEXT(external_url), .example = "https://platform.example.com",
     .help = "This gateway as browsers see it, without a path: the provider has to know `{external_url}/-/login/callback` as a redirect URI.  Empty: what each request says (Host, and X-Forwarded-Proto and -Host of `trusted_proxies`)."},
    {.name = "ca_file", PATH(ca_file), .example = "/etc/ksgate/idp-ca.pem",
     .help = "The CAs that the provider's certificate may be of, and no others.  Empty: the issuer's `ca_file`, or the system's."},
    {.name = "authorization_endpoint", ENDPOINT(GW_LOGIN_AUTHORIZATION), .example = "https://login.example.com/authorize",
     .help = "Where browsers are sent to log in.  Empty, as with the other endpoints: what the provider says in `/.well-known/openid-configuration`."},
    {.name = "token_endpoint", ENDPOINT(GW_LOGIN_TOKEN), .example = "https://login.example.com/token",
     .help = "Where the gateway gets the tokens."},
    {.name = "end_session_endpoint", ENDPOINT(GW_LOGIN_END_SESSION), .example = "https://login.example.com/logout",
     .help = "Where browsers are sent to log out at the provider as well."},
    {.name = "revocation_endpoint", ENDPOINT(GW_LOGIN_REVOCATION), .example = "https://login.example.com/revoke",
     .help = "Where a refresh token is given back at logout (RFC 7009)."},
    {.name = "cookie", .set = gw_set_text, .at = LOGIN(cookie), .initial = "ksgate-session",
     .help = "The cookie that holds a browser's session, sealed; over TLS, `__Host-` stands before it.  All cookies that begin so are the gateway's own, and no backend gets them."},
    {.name = "cookie_keys_file", PATH(cookie_keys_file), .example = "/etc/ksgate/cookie.keys",
     .help = "A file with the keys of that seal, one a line (`openssl rand -base64 32`): the first seals, all open; the same in all gateways.  Empty: one that is drawn at the start, so that every session ends with a restart."},
    {.name = "cookie_bytes", .set = gw_set_size, .at = LOGIN(cookie_bytes), .initial = "12KiB", .min = 1024, .max = 33000,
     .help = "How large a session may be: more than 3800 bytes are split into several cookies.  What is in front of the gateway has to take heads of that size."},
    {.name = "session_max", TIME(session_max_ms, "12h", 1000, 31536000000),
     .help = "How long after its login a session ends, however often it was refreshed."},
    {.name = "login_max", TIME(begin_max_ms, "10m", 1000, 3600000),
     .help = "How long a user may take to log in at the provider."},
    {.name = "after_login", .set = gw_set_text, .at = LOGIN(after_login), .initial = "/",
     .help = "The path to which a login leads that was not caused by another page."},
    {.name = "after_logout", .set = gw_set_text, .at = LOGIN(after_logout), .initial = GW_LOGIN_LEAVE,
     .help = "Where a logout leads in the end: a path of this site, or a URL.  The provider may have to know it."},
    {.name = "timeout", TIME(timeout_ms, "5s", 100, 60000),
     .help = "How long the provider may take to answer the gateway."},
    {.name = "pending", .set = gw_set_int, .at = LOGIN(pending), .initial = "256", .min = 1, .max = 100000,
     .help = "How many questions to the provider may be under way, half of which are for refreshes alone; a request that needs one more is answered 503 `login_unavailable`."},
    {.name = "discovery_refresh", TIME(fresh_ms, "1h", 1000, 86400000),
     .help = "How old the provider's document of its endpoints may be; then it is asked for again, beside the logins, which go on with what is known."},
    {.name = "refresh_at", .set = gw_set_percent, .at = LOGIN(refresh_percent), .initial = "80%",
     .help = "When so much of a token's life is over, the next request has it refreshed, and is not kept waiting; only one whose token has expired waits."},
    {.name = "refresh_remember", TIME(remember_ms, "10m", 1000, 86400000),
     .help = "Until the token of before a refresh has ended, and so long after that, requests that still have its cookie get what came of the refresh, and the old refresh token is not used again."},
    {.name = "refresh_remembered", .set = gw_set_int, .at = LOGIN(remembered), .initial = "10000", .min = 16, .max = 10000000,
     .help = "How many refreshes are remembered (as large as the tokens are, 3 to 8 KB each); the oldest is forgotten first."},
    {.name = "refresh_retry", TIME(retry_ms, "5s", 100, 3600000),
     .help = "How long a session's refresh, or the provider's document, is not tried again after the provider could not be reached."},
    {0},
};
/* clang-format on */
