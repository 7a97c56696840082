/*
 * identity_keys.h - the key that assertions are signed by, and those that are published.
 *
 * A key is on the curve P-256, for ES256 (RFC 7518, 3.4).  Its name is its thumbprint (RFC 7638),
 * so that nobody has to choose one, and the same key has the same name in all gateways.
 */
#ifndef GW_MODULES_IDENTITY_KEYS_H
#define GW_MODULES_IDENTITY_KEYS_H

#include <openssl/evp.h>

#include "base/buf.h"

#define GW_IDENTITY_KID 43 /* characters: 32 bytes in base64url */

/* Start with {0}. */
struct gw_identity_keys {
    EVP_PKEY *signing;             /* NULL: there is none */
    char kid[GW_IDENTITY_KID + 1]; /* of that one */
    struct gw_buf kids;            /* of all, each with a space behind it */
    struct gw_buf first, others;   /* as JSON: the signing one, and what is only published */
};

/* A PEM private key, which assertions are signed by; once.  False and *why when it is none. */
bool gw_identity_keys_sign(struct gw_identity_keys *k, struct gw_str pem, const char **why);

/* A PEM key, private or public, or a certificate, whose public key is published and no more.  One
 * that is there already is not there twice. */
bool gw_identity_keys_publish(struct gw_identity_keys *k, struct gw_str pem, const char **why);

/* Appends the set as JSON (RFC 7517, 5). */
void gw_identity_keys_write(const struct gw_identity_keys *k, struct gw_buf *jwks);

void gw_identity_keys_fini(struct gw_identity_keys *k);

/* The file has a key when it returns true: the one that was there or, when there was no file, a
 * new one.  It appears whole or not at all, for its owner only; of two processes that make it at
 * once one is first, and both use that one's.  False: errno says why not. */
bool gw_identity_key_make(const char *path);

/* The file's bytes, NUL-terminated; wipe them with gw_identity_key_forget().  False and *why, in
 * static words or strerror()'s, when it can't be read. */
bool gw_identity_key_read(const char *path, struct gw_str *pem, const char **why);
void gw_identity_key_forget(struct gw_str pem);

#endif
