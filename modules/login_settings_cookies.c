/*
 * login_settings_cookies.c - the cookies of the section `login`: their names, and their keys.
 */
#include <sys/stat.h>

#include "http/headers.h"
#include "modules/identity_keys.h"
#include "modules/login_settings_private.h"

static bool
open_names(struct gw_login_settings *s, struct gw_loader *l)
{
    struct gw_str name = gw_str_of(s->cookie);

    if (!gw_header_name_ok(name) || gw_str_find(name, '*') < name.n) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "cookie"),
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
        gw_diag_warn(l->diag, gw_login_settings_place(l, "cookie_keys_file"),
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

    if (!gw_login_settings_is_given(s->cookie_keys_file)) {
        gw_diag_warn(l->diag, gw_login_settings_place(l, "cookie_keys_file"),
                     "login.cookie_keys_file: none is named: every session ends when the gateway "
                     "is started again, and none is good at another gateway");
        if (gw_login_keys_own(&s->keys)) {
            return true;
        }
        gw_diag_error(l->diag, gw_login_settings_place(l, "cookie_keys_file"), "login: %s", why);
        return false;
    }
    bool good = gw_identity_key_read(s->cookie_keys_file, &text, &why);
    if (good) {
        good = gw_login_keys_read(&s->keys, text, &why, &line);
        gw_identity_key_forget(text);
    }
    if (!good && line > 0) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "cookie_keys_file"),
                      "login.cookie_keys_file: %s: line %u %s", s->cookie_keys_file, line, why);
    } else if (!good) {
        gw_diag_error(l->diag, gw_login_settings_place(l, "cookie_keys_file"),
                      "login.cookie_keys_file: %s: %s", s->cookie_keys_file, why);
    } else {
        warn_of_readers(s->cookie_keys_file, l);
    }
    return good;
}

bool
gw_login_settings_open_cookies(struct gw_login_settings *s, struct gw_loader *l)
{
    bool good = open_names(s, l);

    return open_keys(s, l) && good;
}
