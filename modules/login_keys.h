/*
 * login_keys.h - the keys that cookies are sealed with.
 *
 * The first one seals, all of them open: so a new key is put in front, and the old one taken away
 * when the sessions of its time are over, and nobody is logged out.
 */
#ifndef GW_MODULES_LOGIN_KEYS_H
#define GW_MODULES_LOGIN_KEYS_H

#include "base/str.h"

#define GW_LOGIN_KEY_BYTES 32 /* AES-256 */
#define GW_LOGIN_KEY_ID    4
#define GW_LOGIN_KEYS_MAX  8

struct gw_login_key {
    unsigned char bytes[GW_LOGIN_KEY_BYTES];
    unsigned char id[GW_LOGIN_KEY_ID]; /* the first bytes of its SHA-256 */
};

struct gw_login_keys {
    struct gw_login_key list[GW_LOGIN_KEYS_MAX];
    size_t n;
};

/* A file's text: a key in base64 on each line; empty lines and those with # are passed over.
 * False and *why, with *line (0: none in particular). */
bool gw_login_keys_read(struct gw_login_keys *k, struct gw_str text, const char **why,
                        unsigned *line);

/* One that this process has drawn for itself, always the same.  False: no random numbers are to be
 * had. */
bool gw_login_keys_own(struct gw_login_keys *k);

void gw_login_keys_forget(struct gw_login_keys *k);

#endif
