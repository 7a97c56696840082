/*
 * login_settings.h - at which provider browsers log in: the config section `login`.
 */
#ifndef GW_MODULES_LOGIN_SETTINGS_H
#define GW_MODULES_LOGIN_SETTINGS_H

#include "config/schema.h"
#include "gateway/req.h"
#include "modules/jwt_issuers.h"
#include "modules/login_keys.h"
#include "modules/login_provider.h"

#define GW_LOGIN_PATH     "/-/login"
#define GW_LOGIN_BACK     "/-/login/callback"
#define GW_LOGIN_ABOUT    "/-/login/session"
#define GW_LOGIN_LEAVE    "/-/logout"
#define GW_LOGIN_CHUNKS   9 /* cookies of one session, at most */
#define GW_LOGIN_PATTERNS 4

/* Which of the provider's tokens says who it is. */
enum gw_login_token {
    GW_LOGIN_ID_TOKEN,
    GW_LOGIN_ACCESS_TOKEN,
};

struct gw_login_settings {
    const char *issuer; /* "": nobody logs in here */
    const char *client_id, *client_secret_file;
    int client_auth; /* enum gw_login_auth */
    const char *const *scopes;
    int token; /* enum gw_login_token */
    const char *external_url;
    const char *ca_file;
    const char *endpoint[GW_LOGIN_N_ENDPOINTS]; /* "": as discovered */
    const char *cookie, *cookie_keys_file;
    long long cookie_bytes;
    const char *after_login, *after_logout;
    long long session_max_ms, begin_max_ms, timeout_ms;
    long long fresh_ms;
    long long refresh_percent, remember_ms, remembered, retry_ms;
    long long pending;
    /* made from the above */
    const struct gw_jwt_settings *jwt; /* of the same configuration */
    struct gw_login_provider *provider;
    struct gw_login_keys keys;
    struct gw_str base;                      /* external_url without a slash at its end, or none */
    struct gw_str name[2];                   /* the session's cookie: outside TLS, and within */
    struct gw_str hidden[GW_LOGIN_PATTERNS]; /* all cookies of ours, for nobody else */
    unsigned char tag[GW_LOGIN_TAG];         /* of the issuer and who we are to it */
    struct gw_str scope;                     /* the scopes, with spaces between them */
    bool https;                              /* external_url says so */
    bool wants_id_token;                     /* openid is among the scopes */
};

extern const struct gw_setting gw_login_rows[];

/* A browser can log in. */
static inline bool
gw_login_is_on(const struct gw_login_settings *s)
{
    return s->issuer != NULL && s->issuer[0] != '\0';
}

/* Reads what the rows name; those of jwt are open.  False: see the diag. */
bool gw_login_settings_open(struct gw_login_settings *s, struct gw_loader *l);
void gw_login_settings_close(struct gw_login_settings *s);

#endif
