#include "modules/jwt_signature.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/mem.h"
#include "modules/jwt_hash.h"

#define HALF_MAX 66                       /* of P-521 */
#define DER_MAX  (3 + 2 * (3 + HALF_MAX)) /* a SEQUENCE of two INTEGERs with a sign byte each */

struct gw_jwt_verifier {
    const struct gw_jwt_alg *alg;
    EVP_MAC_CTX *mac;  /* HMAC, keyed */
    EVP_PKEY_CTX *ctx; /* RSA and ECDSA, ready to verify; holds its key */
    EVP_MD *digest;    /* of those */
    bool is_sha256;    /* it is that one */
    EVP_PKEY *pkey;    /* EdDSA; a reference */
    EVP_MD_CTX *once;  /* EdDSA signs the text itself: begun anew for each token */
};

static bool
open_mac(struct gw_jwt_verifier *v, const struct gw_jwt_key *key)
{
    union {
        const char *given;
        char *loose; /* OSSL_PARAM has no const form; the text is only read */
    } name = {.given = v->alg->digest};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.loose, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    v->mac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    return v->mac != NULL && EVP_MAC_init(v->mac, key->secret, key->secret_bytes, params) == 1;
}

static bool
open_pkey(struct gw_jwt_verifier *v, const struct gw_jwt_key *key)
{
    v->digest = EVP_MD_fetch(NULL, v->alg->digest, NULL);
    v->is_sha256 = v->digest != NULL && EVP_MD_is_a(v->digest, "SHA256") == 1;
    v->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (v->digest == NULL || v->ctx == NULL || EVP_PKEY_verify_init(v->ctx) != 1) {
        return false;
    }
    if (v->alg->family == GW_JWT_ECDSA) {
        return EVP_PKEY_CTX_set_signature_md(v->ctx, v->digest) == 1;
    }
    bool pss = v->alg->family == GW_JWT_RSA_PSS;
    return EVP_PKEY_CTX_set_rsa_padding(v->ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) ==
               1 &&
           EVP_PKEY_CTX_set_signature_md(v->ctx, v->digest) == 1 &&
           (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(v->ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool
open_once(struct gw_jwt_verifier *v, const struct gw_jwt_key *key)
{
    v->once = EVP_MD_CTX_new();
    if (v->once == NULL || EVP_PKEY_up_ref(key->pkey) != 1) {
        return false;
    }
    v->pkey = key->pkey;
    return true;
}

static bool
open_family(struct gw_jwt_verifier *v, const struct gw_jwt_key *key)
{
    switch (v->alg->family) {
    case GW_JWT_HMAC:
        return open_mac(v, key);
    case GW_JWT_RSA:
    case GW_JWT_RSA_PSS:
    case GW_JWT_ECDSA:
        return open_pkey(v, key);
    case GW_JWT_EDDSA:
        return open_once(v, key);
    }
    abort();
}

struct gw_jwt_verifier *
gw_jwt_verifier_new(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg)
{
    struct gw_jwt_verifier *v = gw_mem_alloc(sizeof(*v));

    assert(gw_jwt_key_misfit(key, alg) == NULL);
    v->alg = alg;
    if (!open_family(v, key)) {
        ERR_clear_error();
        gw_jwt_verifier_free(v);
        return NULL;
    }
    return v;
}

void
gw_jwt_verifier_free(struct gw_jwt_verifier *v)
{
    if (v == NULL) {
        return;
    }
    EVP_MAC_CTX_free(v->mac);
    EVP_PKEY_CTX_free(v->ctx);
    EVP_MD_free(v->digest);
    EVP_MD_CTX_free(v->once);
    EVP_PKEY_free(v->pkey);
    free(v);
}

static const unsigned char *
bytes_of(struct gw_str s)
{
    return (const unsigned char *)s.p;
}

static bool
check_mac(struct gw_jwt_verifier *v, struct gw_str text, struct gw_str signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t n = 0;

    /* a NULL key: the same again, without hashing it anew */
    return EVP_MAC_init(v->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(v->mac, bytes_of(text), text.n) == 1 &&
           EVP_MAC_final(v->mac, mac, &n, sizeof(mac)) == 1 && n == signature.n &&
           CRYPTO_memcmp(mac, signature.p, n) == 0;
}

/* Appends an unsigned big-endian number as a DER INTEGER; returns the new end. */
static unsigned char *
put_integer(unsigned char *out, const unsigned char *p, size_t n)
{
    while (n > 1 && *p == 0) {
        p++;
        n--;
    }
    bool sign = (*p & 0x80) != 0; /* it would read as negative */
    *out++ = 0x02;
    *out++ = (unsigned char)(n + sign);
    if (sign) {
        *out++ = 0;
    }
    memcpy(out, p, n);
    return out + n;
}

/* JWS has r and s side by side, OpenSSL wants them as DER. */
static size_t
der_of(unsigned char der[DER_MAX], const struct gw_jwt_alg *alg, struct gw_str signature)
{
    unsigned char body[DER_MAX];
    unsigned char *end = put_integer(body, bytes_of(signature), alg->half_bytes);
    size_t at = 0;

    end = put_integer(end, bytes_of(signature) + alg->half_bytes, alg->half_bytes);
    size_t n = (size_t)(end - body);
    der[at++] = 0x30;
    if (n > 127) {
        der[at++] = 0x81;
    }
    der[at++] = (unsigned char)n;
    memcpy(der + at, body, n);
    return at + n;
}

/* False: OpenSSL has no memory. */
static bool
hash_of(const struct gw_jwt_verifier *v, struct gw_str text, const unsigned char *sha256,
        unsigned char hash[EVP_MAX_MD_SIZE], unsigned *n)
{
    if (sha256 != NULL && v->is_sha256) {
        *n = GW_JWT_HASH;
        memcpy(hash, sha256, GW_JWT_HASH);
        return true;
    }
    return EVP_Digest(text.p, text.n, hash, n, v->digest, NULL) == 1;
}

static bool
check_pkey(struct gw_jwt_verifier *v, struct gw_str text, const unsigned char *sha256,
           struct gw_str signature)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned char der[DER_MAX];
    unsigned hash_n = 0;

    if (v->alg->family == GW_JWT_ECDSA) {
        if (signature.n != 2 * v->alg->half_bytes) {
            return false;
        }
        signature.n = der_of(der, v->alg, signature);
        signature.p = (const char *)der;
    }
    return hash_of(v, text, sha256, hash, &hash_n) &&
           EVP_PKEY_verify(v->ctx, bytes_of(signature), signature.n, hash, hash_n) == 1;
}

static bool
check_once(struct gw_jwt_verifier *v, struct gw_str text, struct gw_str signature)
{
    return EVP_MD_CTX_reset(v->once) == 1 &&
           EVP_DigestVerifyInit(v->once, NULL, NULL, NULL, v->pkey) == 1 &&
           EVP_DigestVerify(v->once, bytes_of(signature), signature.n, bytes_of(text), text.n) == 1;
}

static bool
check_family(struct gw_jwt_verifier *v, struct gw_str text, const unsigned char *sha256,
             struct gw_str signature)
{
    switch (v->alg->family) {
    case GW_JWT_HMAC:
        return check_mac(v, text, signature);
    case GW_JWT_RSA:
    case GW_JWT_RSA_PSS:
    case GW_JWT_ECDSA:
        return check_pkey(v, text, sha256, signature);
    case GW_JWT_EDDSA:
        return check_once(v, text, signature);
    }
    abort();
}

bool
gw_jwt_verifier_check(struct gw_jwt_verifier *v, struct gw_str text, const unsigned char *sha256,
                      struct gw_str signature)
{
    bool good = signature.n > 0 && check_family(v, text, sha256, signature);

    if (!good) {
        ERR_clear_error(); /* OpenSSL keeps a list, and others look at it */
    }
    return good;
}
