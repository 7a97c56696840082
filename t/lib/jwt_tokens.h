/*
 * jwt_tokens.h - tokens of every kind, made by OpenSSL, and issuers that take them.
 *
 * For programs of one test file each: the state is theirs.
 */
#ifndef GW_T_JWT_TOKENS_H
#define GW_T_JWT_TOKENS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/mem.h"
#include "modules/jwt_token.h"
#include "modules/jwt_verify.h"

#define NOW_MS      1700000000000ULL
#define SECRET      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WHO         "\"iss\":\"http://iss\",\"username\":\"admin\",\"token_type\":\"access_token\""
#define GOOD        "{" WHO ",\"exp\":1700000100,\"iat\":1700000000}"
#define HS256       "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define HEADER(alg) "{\"alg\":\"" alg "\"}"

/* Keys of a set; and what they are in it. */
#define KEY_A "key A, which has all the bytes that the longest hash does want.."
#define KEY_A_64 \
    "a2V5IEEsIHdoaWNoIGhhcyBhbGwgdGhlIGJ5dGVzIHRoYXQgdGhlIGxvbmdlc3QgaGFzaCBkb2VzIHdhbnQuLg"
#define KEY_B "key B, which has all the bytes that the longest hash does want.."
#define KEY_B_64 \
    "a2V5IEIsIHdoaWNoIGhhcyBhbGwgdGhlIGJ5dGVzIHRoYXQgdGhlIGxvbmdlc3QgaGFzaCBkb2VzIHdhbnQuLg"
#define KEY_C "key C, which has all the bytes that the longest hash does want.."
#define KEY_C_64 \
    "a2V5IEMsIHdoaWNoIGhhcyBhbGwgdGhlIGJ5dGVzIHRoYXQgdGhlIGxvbmdlc3QgaGFzaCBkb2VzIHdhbnQuLg"
#define KEY_D "key D, which has all the bytes that the longest hash does want.."
#define KEY_D_64 \
    "a2V5IEQsIHdoaWNoIGhhcyBhbGwgdGhlIGJ5dGVzIHRoYXQgdGhlIGxvbmdlc3QgaGFzaCBkb2VzIHdhbnQuLg"
#define JWK(kid, k, more) "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"k\":\"" k "\"" more "}"
#define SET                                                                                    \
    "{\"keys\":[" JWK("a", KEY_A_64, "") "," JWK("b", KEY_B_64, ",\"alg\":\"HS256\"") "," JWK( \
        "c", KEY_C_64, ",\"alg\":\"HS512\"") "," JWK("", KEY_D_64, "") "]}"

static char folder[] = "/tmp/ksgate-jwt-XXXXXX";
static EVP_PKEY *rsa, *rsa_small, *p256, *p384, *p521, *ed;
static char *rsa_pem; /* the public key, as an attacker knows it */
static struct gw_arena *arena;
static struct gw_diag diag;
static struct gw_jwt_settings settings;
static struct gw_jwt_verifiers *verifiers;

/* ---- Making tokens ---- */

static inline void
put_base64url(struct gw_buf *out, const void *bytes, size_t n)
{
    unsigned char *text = gw_mem_alloc(n / 3 * 4 + 8);
    int length = EVP_EncodeBlock(text, bytes, (int)n);

    for (int i = 0; i < length && text[i] != '='; i++) {
        unsigned char c = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        gw_buf_add(out, &c, 1);
    }
    free(text);
}

static inline const char *
file_of(const char *name, const char *text)
{
    const char *path = gw_arena_printf(arena, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline char *
pem_of(EVP_PKEY *key, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    assert_int_equal(private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                             : PEM_write_bio_PUBKEY(bio, key),
                     1);
    long n = BIO_get_mem_data(bio, &text);
    char *copy = gw_mem_strndup((struct gw_str){text, (size_t)n});
    BIO_free(bio);
    return copy;
}

/* DER to r and s of half bytes each. */
static inline size_t
raw_ecdsa(unsigned char *sig, size_t n, int half)
{
    const unsigned char *at = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);

    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + half, half), half);
    ECDSA_SIG_free(pair);
    return (size_t)half * 2;
}

static inline size_t
sign(const struct gw_jwt_alg *alg, EVP_PKEY *key, struct gw_str text, unsigned char *sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    size_t n = 1024;

    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey, alg->digest, NULL, NULL, key, NULL), 1);
    if (alg->family == GW_JWT_RSA_PSS) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    return alg->half_bytes == 0 ? n : raw_ecdsa(sig, n, (int)alg->half_bytes);
}

/* A token in the arena.  key NULL: signed by the secret. */
static inline struct gw_str
token_of(const char *header, const char *claims, const char *alg, EVP_PKEY *key, const char *secret)
{
    const struct gw_jwt_alg *a = gw_jwt_alg_find(gw_str_of(alg));
    struct gw_buf b = {0};
    unsigned char sig[1024];
    size_t n = 0;

    put_base64url(&b, header, strlen(header));
    gw_buf_puts(&b, ".");
    put_base64url(&b, claims, strlen(claims));
    if (key == NULL) {
        unsigned length = 0;

        secret = secret == NULL ? "" : secret;
        HMAC(EVP_get_digestbyname(a->digest), secret, (int)strlen(secret),
             (const unsigned char *)b.p, b.n, sig, &length);
        n = length;
    } else {
        n = sign(a, key, gw_buf_text(&b), sig);
    }
    gw_buf_puts(&b, ".");
    put_base64url(&b, sig, n);
    struct gw_str token = gw_arena_str(arena, gw_buf_text(&b));
    gw_buf_fini(&b);
    return token;
}

static inline struct gw_str
hs256(const char *header, const char *claims)
{
    return token_of(header, claims, "HS256", NULL, SECRET);
}

/* ---- The settings ---- */

static inline bool
load(const char *yaml)
{
    struct gw_yaml y = {0};
    struct gw_loader l = {.arena = arena, .source = &y, .diag = &diag};

    gw_diag_fini(&diag);
    settings = (struct gw_jwt_settings){0};
    bool good = gw_yaml_read(&y, "test.yaml", gw_str_of(yaml), &diag) &&
                gw_schema_load(&l, &settings, json_object_get(y.docs[0], "authentication"),
                               gw_jwt_rows, "authentication", NULL) &&
                gw_jwt_issuers_open(&settings, &l);
    gw_yaml_fini(&y);
    return good;
}

/* One issuer for each key, and one with other rules. */
static inline const char *
all_issuers(void)
{
    const struct {
        const char *name, *algs;
        EVP_PKEY *key;
    } keys[] = {
        {"rsa", "RS256, RS384, RS512, PS256, PS384, PS512", rsa},
        {"p256", "ES256", p256},
        {"p384", "ES384", p384},
        {"p521", "ES512", p521},
        {"ed", "EdDSA", ed},
    };
    const char *secret = file_of("secret", SECRET "\n");
    struct gw_buf b = {0};

    gw_buf_printf(&b,
                  "authentication:\n  issuers:\n  - {issuer: 'http://iss', secret_file: '%s', "
                  "algorithms: [HS256, HS384, HS512]}\n",
                  secret);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *pem = pem_of(keys[i].key, false);
        gw_buf_printf(&b, "  - {issuer: 'http://%s', algorithms: [%s], public_key_file: '%s'}\n",
                      keys[i].name, keys[i].algs, file_of(keys[i].name, pem));
        free(pem);
    }
    gw_buf_printf(
        &b,
        "  - {issuer: 'http://idp', secret_file: '%s', token_types: [], audiences: [a, b], "
        "leeway: 0, claims: {username: email, groups: teams}}\n",
        secret);
    const char *text = gw_arena_strndup(arena, b.p, b.n);
    gw_buf_fini(&b);
    return text;
}

static inline void
use_all_issuers(void)
{
    if (!load(all_issuers())) {
        fail_msg("%s", gw_diag_first(&diag));
    }
    verifiers = gw_jwt_verifiers_new(&settings, 0);
}

static inline void
drop_issuers(void)
{
    gw_jwt_verifiers_free(verifiers);
    verifiers = NULL;
    gw_jwt_issuers_close(&settings);
}

static inline void
expect(const char *what, struct gw_str token, enum gw_err expected)
{
    struct gw_jwt_claims claims;
    const char *why = NULL;
    enum gw_err err = gw_jwt_verify(verifiers, arena, token, NOW_MS, &claims, &why);

    if (err != expected) {
        fail_msg("%s: %s (%s), not %s", what, gw_err_name(err), why, gw_err_name(expected));
    }
    assert_non_null(why);
}

/* ---- Begin and end ---- */

static inline int
tokens_set_up(void **state)
{
    (void)state;
    arena = gw_arena_new();
    rsa = EVP_RSA_gen(2048);
    rsa_small = EVP_RSA_gen(1024);
    p256 = EVP_EC_gen("prime256v1");
    p384 = EVP_EC_gen("secp384r1");
    p521 = EVP_EC_gen("secp521r1");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    rsa_pem = rsa == NULL ? NULL : pem_of(rsa, false);
    return mkdtemp(folder) != NULL && rsa_pem != NULL && ed != NULL ? 0 : -1;
}

static inline int
tokens_tear_down(void **state)
{
    static const char *const names[] = {"secret",  "rsa",    "p256",  "p384",      "p521",
                                        "ed",      "golden", "short", "empty",     "small",
                                        "private", "other",  "set",   "short-set", "private-set"};
    EVP_PKEY *keys[] = {rsa, rsa_small, p256, p384, p521, ed};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(gw_arena_printf(arena, "%s/%s", folder, names[i]));
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        EVP_PKEY_free(keys[i]);
    }
    free(rsa_pem);
    gw_diag_fini(&diag);
    gw_arena_free(arena);
    gw_arena_trim();
    return rmdir(folder);
}

#endif
