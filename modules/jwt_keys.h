/*
 * jwt_keys.h - the keys that tokens are verified by, and the algorithms they are for.
 *
 * A key is read once, when the config is loaded, and fixes what may be done with it: a
 * secret is for HMAC, an RSA key for RS and PS, a curve for its own ES.  What a token's
 * header asks for only ever chooses among those.
 */
#ifndef GW_MODULES_JWT_KEYS_H
#define GW_MODULES_JWT_KEYS_H

#include <openssl/evp.h>

#include "base/str.h"

enum gw_jwt_family {
    GW_JWT_HMAC,
    GW_JWT_RSA,     /* PKCS #1 v1.5 */
    GW_JWT_RSA_PSS, /* salt as long as the digest */
    GW_JWT_ECDSA,
    GW_JWT_EDDSA, /* Ed25519 */
};

/* RFC 7518, 3.1 and RFC 8037. */
struct gw_jwt_alg {
    const char *name;
    enum gw_jwt_family family;
    const char *digest;  /* OpenSSL's name; NULL: none */
    size_t digest_bytes; /* also the shortest secret (RFC 7518, 3.2) */
    const char *curve;   /* of ECDSA, OpenSSL's name */
    size_t half_bytes;   /* of ECDSA: the length of r and of s */
};

#define GW_JWT_ALGS 13

/* Exact spelling only: "hs256" is none.  NULL when it is unknown. */
const struct gw_jwt_alg *gw_jwt_alg_find(struct gw_str name);

/* All names, NULL-terminated. */
const char *const *gw_jwt_alg_names(void);

struct gw_jwt_key {
    EVP_PKEY *pkey;        /* NULL: a secret */
    unsigned char *secret; /* owned; wiped at the end */
    size_t secret_bytes;
};

/* A secret as it stands in its file: one line end at its end does not belong to it.  False and
 * *why when it is none. */
bool gw_jwt_key_secret(struct gw_jwt_key *key, struct gw_str text, const char **why);

/* A PEM public key or certificate.  False and *why when it is none. */
bool gw_jwt_key_pem(struct gw_jwt_key *key, struct gw_str pem, const char **why);

void gw_jwt_key_fini(struct gw_jwt_key *key);

/* NULL when the key is for that algorithm; else why not. */
const char *gw_jwt_key_misfit(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg);

/* NULL when the key is strong enough; else why not. */
const char *gw_jwt_key_weakness(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg);

/* The algorithm to use when none is named; NULL: the key is of no use. */
const struct gw_jwt_alg *gw_jwt_key_default(const struct gw_jwt_key *key);

#endif
