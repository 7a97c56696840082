#include "modules/jwt_keys.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "base/refs.h"

#define RSA_BITS_MIN 2048

/* clang-format off */
static const struct gw_jwt_alg algs[GW_JWT_ALGS] = {
    {"HS256", GW_JWT_HMAC,    "SHA256", 32, NULL,         0},
    {"HS384", GW_JWT_HMAC,    "SHA384", 48, NULL,         0},
    {"HS512", GW_JWT_HMAC,    "SHA512", 64, NULL,         0},
    {"RS256", GW_JWT_RSA,     "SHA256", 32, NULL,         0},
    {"RS384", GW_JWT_RSA,     "SHA384", 48, NULL,         0},
    {"RS512", GW_JWT_RSA,     "SHA512", 64, NULL,         0},
    {"PS256", GW_JWT_RSA_PSS, "SHA256", 32, NULL,         0},
    {"PS384", GW_JWT_RSA_PSS, "SHA384", 48, NULL,         0},
    {"PS512", GW_JWT_RSA_PSS, "SHA512", 64, NULL,         0},
    {"ES256", GW_JWT_ECDSA,   "SHA256", 32, "prime256v1", 32},
    {"ES384", GW_JWT_ECDSA,   "SHA384", 48, "secp384r1",  48},
    {"ES512", GW_JWT_ECDSA,   "SHA512", 64, "secp521r1",  66},
    {"EdDSA", GW_JWT_EDDSA,   NULL,     0,  NULL,         0},
};
/* clang-format on */

const struct gw_jwt_alg *
gw_jwt_alg_find(struct gw_str name)
{
    for (size_t i = 0; i < GW_JWT_ALGS; i++) {
        if (gw_str_eq(name, gw_str_of(algs[i].name))) {
            return &algs[i];
        }
    }
    return NULL;
}

unsigned
gw_jwt_alg_index(const struct gw_jwt_alg *alg)
{
    return (unsigned)(alg - algs);
}

unsigned
gw_jwt_alg_bit(const struct gw_jwt_alg *alg)
{
    return 1U << gw_jwt_alg_index(alg);
}

const struct gw_jwt_alg *
gw_jwt_alg_next(unsigned set, unsigned *at)
{
    for (unsigned i = *at; i < GW_JWT_ALGS; i++) {
        if ((set >> i & 1) != 0) {
            *at = i + 1;
            return &algs[i];
        }
    }
    return NULL;
}

const char *const *
gw_jwt_alg_names(void)
{
    static const char *const names[] = {
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
        "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", NULL,
    };

    _Static_assert(sizeof(names) / sizeof(names[0]) == GW_JWT_ALGS + 1, "a name for each");
    return names;
}

/* What it may do by its type and size; and of that, the one that is meant when none is named. */
static struct gw_jwt_key *
finish(struct gw_jwt_key *key, bool weak)
{
    atomic_init(&key->refs, 1);
    for (size_t i = 0; i < GW_JWT_ALGS; i++) {
        if (gw_jwt_key_misfit(key, &algs[i]) == NULL &&
            (weak || gw_jwt_key_weakness(key, &algs[i]) == NULL)) {
            key->algs |= gw_jwt_alg_bit(&algs[i]);
        }
    }
    key->usual = key->algs & ~(key->algs - 1); /* the first */
    return key;
}

struct gw_jwt_key *
gw_jwt_key_of(EVP_PKEY *pkey)
{
    struct gw_jwt_key *key = gw_mem_alloc(sizeof(*key));

    key->pkey = pkey;
    return finish(key, false);
}

struct gw_jwt_key *
gw_jwt_key_of_secret(struct gw_str bytes, bool weak)
{
    struct gw_jwt_key *key = gw_mem_alloc(sizeof(*key));

    assert(bytes.n > 0);
    key->secret = gw_mem_alloc(bytes.n);
    key->secret_bytes = bytes.n;
    memcpy(key->secret, bytes.p, bytes.n);
    return finish(key, weak);
}

struct gw_jwt_key *
gw_jwt_key_secret(struct gw_str text, const char **why)
{
    if (text.n > 0 && text.p[text.n - 1] == '\n') {
        text.n--;
        text.n -= text.n > 0 && text.p[text.n - 1] == '\r';
    }
    if (text.n == 0) {
        *why = "is empty";
        return NULL;
    }
    /* A public key as a secret is known to all: whoever has it could make tokens. */
    if (gw_str_has_prefix(text, GW_STR("-----BEGIN "))) {
        *why = "holds a PEM key or certificate; use public_key_file";
        return NULL;
    }
    return gw_jwt_key_of_secret(text, true);
}

static EVP_PKEY *
read_certificate(BIO *bio)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *pkey = cert == NULL ? NULL : X509_get_pubkey(cert);

    X509_free(cert);
    return pkey;
}

struct gw_jwt_key *
gw_jwt_key_pem(struct gw_str pem, const char **why)
{
    if (pem.n == 0 || pem.n > INT_MAX) {
        *why = "is empty";
        return NULL;
    }
    if (memmem(pem.p, pem.n, "PRIVATE KEY-----", 16) != NULL) {
        *why = "holds a private key; the gateway only needs, and only takes, the public one";
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (pkey == NULL) {
        bio = BIO_new_mem_buf(pem.p, (int)pem.n);
        pkey = read_certificate(bio);
        BIO_free(bio);
    }
    ERR_clear_error();
    if (pkey == NULL) {
        *why = "holds no PEM public key and no certificate";
        return NULL;
    }
    return gw_jwt_key_of(pkey);
}

struct gw_jwt_key *
gw_jwt_key_ref(struct gw_jwt_key *key)
{
    gw_refs_take(&key->refs);
    return key;
}

void
gw_jwt_key_unref(struct gw_jwt_key *key)
{
    if (key == NULL || !gw_refs_drop(&key->refs)) {
        return;
    }
    EVP_PKEY_free(key->pkey); /* NULL is fine */
    if (key->secret != NULL) {
        OPENSSL_cleanse(key->secret, key->secret_bytes);
        free(key->secret);
    }
    free(key->id);
    free(key);
}

bool
gw_jwt_key_eq(const struct gw_jwt_key *a, const struct gw_jwt_key *b)
{
    if (a->algs != b->algs || a->usual != b->usual ||
        !gw_str_eq(gw_str_of(a->id), gw_str_of(b->id)) || (a->pkey == NULL) != (b->pkey == NULL)) {
        return false;
    }
    return a->pkey != NULL ? EVP_PKEY_eq(a->pkey, b->pkey) == 1
                           : a->secret_bytes == b->secret_bytes &&
                                 CRYPTO_memcmp(a->secret, b->secret, a->secret_bytes) == 0;
}

static bool
is_on_curve(const EVP_PKEY *pkey, const char *curve)
{
    char name[64];

    return EVP_PKEY_is_a(pkey, "EC") == 1 &&
           EVP_PKEY_get_group_name(pkey, name, sizeof(name), NULL) == 1 && strcmp(name, curve) == 0;
}

const char *
gw_jwt_key_misfit(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg)
{
    if (key->pkey == NULL) {
        return alg->family == GW_JWT_HMAC ? NULL : "needs a public key, not a secret";
    }
    switch (alg->family) {
    case GW_JWT_HMAC:
        return "needs a secret, not a public key";
    case GW_JWT_RSA:
    case GW_JWT_RSA_PSS:
        return EVP_PKEY_is_a(key->pkey, "RSA") == 1 ? NULL : "needs an RSA key";
    case GW_JWT_ECDSA:
        return is_on_curve(key->pkey, alg->curve) ? NULL : "needs a key on its own curve";
    case GW_JWT_EDDSA:
        return EVP_PKEY_is_a(key->pkey, "ED25519") == 1 ? NULL : "needs an Ed25519 key";
    }
    abort();
}

const char *
gw_jwt_key_weakness(const struct gw_jwt_key *key, const struct gw_jwt_alg *alg)
{
    if (key->pkey == NULL && key->secret_bytes < alg->digest_bytes) {
        return "the secret is shorter than the hash, and can be guessed";
    }
    if (key->pkey != NULL && EVP_PKEY_is_a(key->pkey, "RSA") == 1 &&
        EVP_PKEY_get_bits(key->pkey) < RSA_BITS_MIN) {
        return "an RSA key of fewer than 2048 bits can be broken";
    }
    return NULL;
}

const struct gw_jwt_alg *
gw_jwt_key_default(const struct gw_jwt_key *key)
{
    for (size_t i = 0; i < GW_JWT_ALGS; i++) {
        if (gw_jwt_key_misfit(key, &algs[i]) == NULL) {
            return &algs[i];
        }
    }
    return NULL;
}
