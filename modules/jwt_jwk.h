/*
 * jwt_jwk.h - keys as JSON: a JWK or a JWK Set.
 *
 * RFC 7517 for the members that all keys have, RFC 7518 section 6 for RSA, EC and oct, RFC 8037
 * section 2 for Ed25519.  Whoever reads the text makes what can be read in two ways an error:
 * duplicate members, padding, coordinates of another length.  What is no key for signatures is
 * passed over without a word (`use`, `key_ops`); what is one and can't be used is told by name.
 */
#ifndef GW_MODULES_JWT_JWK_H
#define GW_MODULES_JWT_JWK_H

#include <jansson.h>

#include "base/diag.h"
#include "modules/jwt_keyset.h"

#define GW_JWKS_BYTES_MAX ((size_t)256 * 1024)

struct gw_jwks_rules {
    /* Anyone can read it: a secret in it is none, and who gives away a private key is only
     * warned, since the other keys are still good.  Otherwise a private key is an error. */
    bool published;
    bool allow_weak_secret;
};

struct gw_jwks {
    json_t *root;
    struct gw_jwt_key *keys[GW_JWT_KEYS_MAX]; /* a reference each */
    json_t *json[GW_JWT_KEYS_MAX];            /* the JWK that it came from; borrowed of root */
    size_t n;
};

/* False when there is no usable key in it.  Errors and warnings go to the diag: "about: why", at
 * that place. */
bool gw_jwks_read(struct gw_jwks *set, struct gw_str text, struct gw_jwks_rules rules,
                  struct gw_diag *diag, struct gw_place at, const char *about);
void gw_jwks_fini(struct gw_jwks *set);

/* What a JWK is.  key: a reference for the caller, of GW_JWK_KEY alone.  why: of the others but
 * GW_JWK_OTHER, in words that go on after "key 2". */
enum gw_jwk_result {
    GW_JWK_KEY,
    GW_JWK_OTHER,   /* not for the signatures of tokens */
    GW_JWK_PRIVATE, /* holds what nobody but its owner may have */
    GW_JWK_BAD,
};
enum gw_jwk_result gw_jwk_read(const json_t *jwk, struct gw_jwks_rules rules,
                               struct gw_jwt_key **key, char why[200]);

#endif
