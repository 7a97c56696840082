/*
 * jwt_keys.h - the keys that tokens are verified by, and the algorithms they are for.
 *
 * A key is read once and fixes what may be done with it: a secret is for HMAC, an RSA key for RS
 * and PS, a curve for its own ES.  What a token's header asks for only ever chooses among those.
 */
#ifndef GW_MODULES_JWT_KEYS_H
#define GW_MODULES_JWT_KEYS_H

#include <stdatomic.h>

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

/* Its number, below GW_JWT_ALGS; and its bit in a set of algorithms. */
unsigned gw_jwt_alg_index(const struct gw_jwt_alg *alg);
unsigned gw_jwt_alg_bit(const struct gw_jwt_alg *alg);

/* The next of a set, from bit *at on, which moves behind it; NULL: no more. */
const struct gw_jwt_alg *gw_jwt_alg_next(unsigned set, unsigned *at);

/* All names, NULL-terminated. */
const char *const *gw_jwt_alg_names(void);

/* Immutable once it is in a key set; counted, so that it outlives the sets that it was in. */
struct gw_jwt_key {
    atomic_uint refs;
    unsigned algs;         /* what tokens may be signed with by it, as bits */
    unsigned usual;        /* of these: when nobody names one */
    EVP_PKEY *pkey;        /* NULL: a secret */
    unsigned char *secret; /* owned; wiped at the end */
    size_t secret_bytes;
    char *id; /* what a token's kid calls it, owned; NULL: it has no name */
};

/* One reference for the caller; algs and usual are all that its type and size allow.  Takes the
 * reference of pkey. */
struct gw_jwt_key *gw_jwt_key_of(EVP_PKEY *pkey);

/* A secret's bytes.  weak: also for algorithms whose hash is longer than it. */
struct gw_jwt_key *gw_jwt_key_of_secret(struct gw_str bytes, bool weak);

/* A secret as it stands in its file: one line end at its end does not belong to it.  NULL and
 * *why when it is none. */
struct gw_jwt_key *gw_jwt_key_secret(struct gw_str text, const char **why);

/* A PEM public key or certificate.  NULL and *why when it is none. */
struct gw_jwt_key *gw_jwt_key_pem(struct gw_str pem, const char **why);

struct gw_jwt_key *gw_jwt_key_ref(struct gw_jwt_key *key);
void gw_jwt_key_unref(struct gw_jwt_key *key); /* NULL is fine */

/* The same key, of the same name, for the same algorithms. */
bool gw_jwt_key_eq(const struct gw_jwt_key *a, const struct gw_jwt_key *b);

/* NULL when the key is for that algorithm; else why not. */
const char *gw_jwt_key_misfit(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg);

/* NULL when the key is strong enough; else why not. */
const char *gw_jwt_key_weakness(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg);

/* The algorithm to use when none is named; NULL: the key is of no use. */
const struct gw_jwt_alg *gw_jwt_key_default(const struct gw_jwt_key *key);

#endif
