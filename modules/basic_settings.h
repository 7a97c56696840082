/*
 * basic_settings.h - what becomes of names and passwords (RFC 7617): rows of `authentication`.
 */
#ifndef GW_MODULES_BASIC_SETTINGS_H
#define GW_MODULES_BASIC_SETTINGS_H

#include "config/schema.h"

enum gw_basic_mode {
    GW_BASIC_CORE,  /* on its own routes ks-core judges them; elsewhere they are refused */
    GW_BASIC_USERS, /* checked here, by the registered User objects */
    GW_BASIC_OFF,
};

struct gw_basic_settings {
    int mode;          /* enum gw_basic_mode */
    long long wait_ms; /* for a check, queue included */
    long long remember_ms, remembered;
    /* of the checks of all workers */
    long long threads, pending, cost;
    /* of guesses */
    long long user_failures, address_failures, window_ms, tracked;
};

/* "core", "users", "off". */
extern const char *const gw_basic_words[];

/* Of the section `passwords`: for a struct gw_basic_settings. */
extern const struct gw_setting gw_basic_rows[];

#endif
