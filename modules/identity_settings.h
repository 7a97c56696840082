/*
 * identity_settings.h - the config section `identity`: how backends are told who asks.
 */
#ifndef GW_MODULES_IDENTITY_SETTINGS_H
#define GW_MODULES_IDENTITY_SETTINGS_H

#include "config/schema.h"
#include "modules/identity_keys.h"

struct gw_identity_settings {
    const char *issuer, *signing_key_file;
    const char *const *previous_key_files;
    long long lifetime_ms, leeway_ms, jwks_max_age_ms;
    long long cache; /* bytes per worker; 0: none */
    /* made from the above */
    uint64_t serial;      /* another one for each that was ever opened */
    const char *own_file; /* where a key of our own making is kept; NULL: we make none */
    const char *no_key;   /* why there is no key, for people; static */
    bool served;          /* what can be made has been made */
    struct gw_identity_keys keys;
    struct gw_buf jwks; /* what /-/jwks.json answers */
};

extern const struct gw_setting gw_identity_rows[];

/* Reads the keys; false and the diag when one that is named is not usable. */
bool gw_identity_settings_open(struct gw_identity_settings *s, struct gw_loader *l);

/* Makes the key when none was named and none is there. */
void gw_identity_settings_serve(struct gw_identity_settings *s);

/* The key's name that the gateway signs by, of the settings that were served last; "": none. */
void gw_identity_settings_kid(char kid[GW_IDENTITY_KID + 1]);

void gw_identity_settings_close(struct gw_identity_settings *s);

#endif
