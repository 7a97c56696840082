/*
 * jwt_signature.h - is this the key's signature under this text?
 *
 * A verifier is one thread's OpenSSL contexts for one key and one algorithm, made once and
 * used again for each token: that saves most of the time of a HMAC and a tenth of an RSA.
 */
#ifndef GW_MODULES_JWT_SIGNATURE_H
#define GW_MODULES_JWT_SIGNATURE_H

#include "modules/jwt_keys.h"

struct gw_jwt_verifier;

/* The key must fit the algorithm; it may be gone before the verifier is.  NULL: this OpenSSL
 * can't do it. */
struct gw_jwt_verifier *gw_jwt_verifier_new(const struct gw_jwt_key *key,
                                            const struct gw_jwt_alg *alg);
void gw_jwt_verifier_free(struct gw_jwt_verifier *v); /* NULL is fine */

/* sha256: of the text, which saves hashing it once more; or NULL.  signature: the raw bytes, as JWS
 * has them (ECDSA: r and s, RFC 7518, 3.4). */
bool gw_jwt_verifier_check(struct gw_jwt_verifier *v, struct gw_str text,
                           const unsigned char *sha256, struct gw_str signature);

#endif
