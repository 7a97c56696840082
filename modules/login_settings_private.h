/*
 * login_settings_private.h - how the section `login` is opened, shared by login_settings.c and its
 * neighbours (_provider, _cookies).
 */
#ifndef GW_MODULES_LOGIN_SETTINGS_PRIVATE_H
#define GW_MODULES_LOGIN_SETTINGS_PRIVATE_H

#include "modules/login_settings.h"

static inline bool
gw_login_settings_is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* Where the row is written down; or where the section is. */
struct gw_place gw_login_settings_place(const struct gw_loader *l, const char *row);

/* False: the URL is none, and the diag says so; one that is not given is good. */
bool gw_login_settings_check_url(struct gw_loader *l, const char *row, const char *url);

/* login_settings_provider.c: where the provider's endpoints are, where we are (base, https), and
 * who we are to it (provider).  Those after make_tag().  False: see the diag. */
bool gw_login_settings_open_provider(struct gw_login_settings *s, struct gw_loader *l);

/* login_settings_cookies.c: what our cookies are called (name, hidden), and the keys of their seal
 * (keys).  False: see the diag. */
bool gw_login_settings_open_cookies(struct gw_login_settings *s, struct gw_loader *l);

#endif
