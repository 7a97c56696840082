/* jwt.c - tokens: which are taken, which are refused, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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

static void
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

static const char *
file_of(const char *name, const char *text)
{
    const char *path = gw_arena_printf(arena, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static char *
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
static size_t
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

static size_t
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
static struct gw_str
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

static struct gw_str
hs256(const char *header, const char *claims)
{
    return token_of(header, claims, "HS256", NULL, SECRET);
}

/* ---- The settings ---- */

static bool
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
static const char *
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

static void
use_all_issuers(void)
{
    if (!load(all_issuers())) {
        fail_msg("%s", gw_diag_first(&diag));
    }
    verifiers = gw_jwt_verifiers_new(&settings, 0);
}

static void
drop_issuers(void)
{
    gw_jwt_verifiers_free(verifiers);
    verifiers = NULL;
    gw_jwt_issuers_close(&settings);
}

static void
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

/* ---- The tests ---- */

static void
test_every_algorithm(void **state)
{
    EVP_PKEY *keys[] = {NULL, NULL, NULL, rsa, rsa, rsa, rsa, rsa, rsa, p256, p384, p521, ed};
    const char *issuers[] = {"iss", "iss", "iss",  "rsa",  "rsa",  "rsa", "rsa",
                             "rsa", "rsa", "p256", "p384", "p521", "ed"};

    (void)state;
    use_all_issuers();
    for (size_t i = 0; i < GW_JWT_ALGS; i++) {
        const char *alg = gw_jwt_alg_names()[i];
        const char *header = gw_arena_printf(arena, HEADER("%s"), alg);
        const char *claims = gw_arena_printf(
            arena,
            "{\"iss\":\"http://%s\",\"username\":\"u\",\"token_type\":\"access_token\","
            "\"exp\":1700000100}",
            issuers[i]);
        struct gw_str token = token_of(header, claims, alg, keys[i], SECRET);
        char *broken = gw_arena_strndup(arena, token.p, token.n);
        size_t middle = token.n - 30; /* in the signature */

        expect(alg, token, GW_ERR_OK);
        expect(alg, token, GW_ERR_OK); /* the kept contexts as well */
        broken[middle] = broken[middle] == 'A' ? 'B' : 'A';
        expect(alg, (struct gw_str){broken, token.n}, GW_ERR_TOKEN_SIGNATURE);
        expect(alg, token, GW_ERR_OK); /* and after a bad one */
    }
    drop_issuers();
}

static const struct {
    const char *what, *header, *claims;
    enum gw_err err;
} shapes[] = {
    /* clang-format off */
    {"good",                   HS256, GOOD, GW_ERR_OK},
    {"no typ",                 HEADER("HS256"), GOOD, GW_ERR_OK},
    {"typ at+JWT",             "{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}", GOOD, GW_ERR_OK},
    {"typ of another kind",    "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"typ a number",           "{\"alg\":\"HS256\",\"typ\":1}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"kid a number",           "{\"alg\":\"HS256\",\"kid\":1}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"crit",                   "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"crit null",              "{\"alg\":\"HS256\",\"crit\":null}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"b64",                    "{\"alg\":\"HS256\",\"b64\":false}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"no alg",                 "{\"typ\":\"JWT\"}", GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg a number",           "{\"alg\":256}", GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg empty",              HEADER(""), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg none",               HEADER("none"), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg None",               HEADER("None"), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg in lower case",      HEADER("hs256"), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg with a space",       HEADER("HS256 "), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg of another key",     HEADER("RS256"), GOOD, GW_ERR_TOKEN_ALGORITHM},
    {"alg of the same key",    HEADER("HS512"), GOOD, GW_ERR_TOKEN_SIGNATURE},
    {"two algs",               "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"header a list",          "[\"HS256\"]", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"header with a tail",     HS256 "{}", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"header no JSON",         "alg=HS256", GOOD, GW_ERR_TOKEN_MALFORMED},
    {"claims a text",          HS256, "\"admin\"", GW_ERR_TOKEN_MALFORMED},
    {"claims cut",             HS256, "{" WHO, GW_ERR_TOKEN_MALFORMED},
    {"two user names",         HS256, "{" WHO ",\"exp\":1700000100,\"username\":\"root\"}", GW_ERR_TOKEN_MALFORMED},
    {"a NUL in a name",        HS256, "{\"iss\":\"http://iss\",\"username\":\"a\\u0000b\",\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_MALFORMED},
    {"bad UTF-8",              HS256, "{" WHO ",\"exp\":1700000100,\"x\":\"\xff\"}", GW_ERR_TOKEN_MALFORMED},
    {"a number too large",     HS256, "{" WHO ",\"exp\":99999999999999999999}", GW_ERR_TOKEN_MALFORMED},
    {"eight levels",           HS256, "{" WHO ",\"exp\":1700000100,\"x\":[[[[[[[\"[[[\"]]]]]]]}", GW_ERR_OK},
    {"nine levels",            HS256, "{" WHO ",\"exp\":1700000100,\"x\":[[[[[[[[]]]]]]]]}", GW_ERR_TOKEN_MALFORMED},
    {"a quote does not hide",  HS256, "{" WHO ",\"exp\":1700000100,\"x\\\"\":[[[[[[[[]]]]]]]]}", GW_ERR_TOKEN_MALFORMED},
    {"no iss",                 HS256, "{\"username\":\"admin\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"iss a list",             HS256, "{\"iss\":[\"http://iss\"],\"username\":\"admin\"}", GW_ERR_TOKEN_CLAIM},
    {"iss unknown",            HS256, "{\"iss\":\"http://else\",\"username\":\"admin\"}", GW_ERR_TOKEN_ISSUER},
    {"iss with a slash more",  HS256, "{\"iss\":\"http://iss/\",\"username\":\"admin\"}", GW_ERR_TOKEN_ISSUER},
    {"iss of another key",     HS256, "{\"iss\":\"http://rsa\",\"username\":\"admin\"}", GW_ERR_TOKEN_ALGORITHM},
    /* times: now is 1700000000, leeway 10 */
    {"exp just in leeway",     HS256, "{" WHO ",\"exp\":1699999991}", GW_ERR_OK},
    {"exp at the leeway",      HS256, "{" WHO ",\"exp\":1699999990}", GW_ERR_TOKEN_EXPIRED},
    {"exp long ago",           HS256, "{" WHO ",\"exp\":1}", GW_ERR_TOKEN_EXPIRED},
    {"exp negative",           HS256, "{" WHO ",\"exp\":-1700000100}", GW_ERR_TOKEN_EXPIRED},
    {"exp with a fraction",    HS256, "{" WHO ",\"exp\":1700000000.5}", GW_ERR_OK},
    {"exp a text",             HS256, "{" WHO ",\"exp\":\"1700000100\"}", GW_ERR_TOKEN_CLAIM},
    {"exp null",               HS256, "{" WHO ",\"exp\":null}", GW_ERR_TOKEN_CLAIM},
    {"exp far too late",       HS256, "{" WHO ",\"exp\":1e300}", GW_ERR_TOKEN_CLAIM},
    {"exp at the edge",        HS256, "{" WHO ",\"exp\":9223372036854775807}", GW_ERR_TOKEN_CLAIM},
    {"no exp",                 HS256, "{" WHO "}", GW_ERR_TOKEN_CLAIM},
    {"no exp, static",         HS256, "{\"iss\":\"http://iss\",\"username\":\"admin\",\"token_type\":\"static_token\"}", GW_ERR_OK},
    {"nbf in the leeway",      HS256, "{" WHO ",\"exp\":1700000100,\"nbf\":1700000010}", GW_ERR_OK},
    {"nbf after the leeway",   HS256, "{" WHO ",\"exp\":1700000100,\"nbf\":1700000011}", GW_ERR_TOKEN_NOT_YET},
    {"nbf a text",             HS256, "{" WHO ",\"exp\":1700000100,\"nbf\":\"0\"}", GW_ERR_TOKEN_CLAIM},
    {"iat in the leeway",      HS256, "{" WHO ",\"exp\":1700000100,\"iat\":1700000010}", GW_ERR_OK},
    {"iat after the leeway",   HS256, "{" WHO ",\"exp\":1700000100,\"iat\":1700000011}", GW_ERR_TOKEN_NOT_YET},
    /* types and names */
    {"a refresh token",        HS256, "{\"iss\":\"http://iss\",\"username\":\"admin\",\"token_type\":\"refresh_token\",\"exp\":1700000100}", GW_ERR_TOKEN_TYPE},
    {"a code",                 HS256, "{\"iss\":\"http://iss\",\"username\":\"admin\",\"token_type\":\"code\",\"exp\":1700000100}", GW_ERR_TOKEN_TYPE},
    {"no type",                HS256, "{\"iss\":\"http://iss\",\"username\":\"admin\",\"exp\":1700000100}", GW_ERR_TOKEN_TYPE},
    {"type a list",            HS256, "{\"iss\":\"http://iss\",\"username\":\"admin\",\"token_type\":[\"access_token\"],\"exp\":1700000100}", GW_ERR_TOKEN_TYPE},
    {"no user name",           HS256, "{\"iss\":\"http://iss\",\"sub\":\"admin\",\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"user name empty",        HS256, "{\"iss\":\"http://iss\",\"username\":\"\",\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"user name a number",     HS256, "{\"iss\":\"http://iss\",\"username\":7,\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"user name with a line",  HS256, "{\"iss\":\"http://iss\",\"username\":\"a\\nb\",\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"user name anonymous",    HS256, "{\"iss\":\"http://iss\",\"username\":\"system:anonymous\",\"token_type\":\"access_token\",\"exp\":1700000100}", GW_ERR_TOKEN_CLAIM},
    {"extra a list",           HS256, "{" WHO ",\"exp\":1700000100,\"extra\":[]}", GW_ERR_TOKEN_CLAIM},
    {"extra not of lists",     HS256, "{" WHO ",\"exp\":1700000100,\"extra\":{\"a\":\"b\"}}", GW_ERR_TOKEN_CLAIM},
    {"extra null",             HS256, "{" WHO ",\"exp\":1700000100,\"extra\":null}", GW_ERR_OK},
    /* another issuer: audiences a and b, no leeway, claims of its own */
    {"audience",               HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":\"b\"}", GW_ERR_OK},
    {"audience in a list",     HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":[\"c\",\"a\"]}", GW_ERR_OK},
    {"audience of others",     HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":[\"c\"]}", GW_ERR_TOKEN_AUDIENCE},
    {"no audience",            HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100}", GW_ERR_TOKEN_AUDIENCE},
    {"audience a map",         HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":{}}", GW_ERR_TOKEN_AUDIENCE},
    {"no leeway: now",         HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000000,\"aud\":\"a\"}", GW_ERR_TOKEN_EXPIRED},
    {"groups a text",          HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":\"a\",\"teams\":\"x\"}", GW_ERR_TOKEN_CLAIM},
    {"groups with a number",   HS256, "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":\"a\",\"teams\":[1]}", GW_ERR_TOKEN_CLAIM},
    /* clang-format on */
};

static void
test_shapes(void **state)
{
    (void)state;
    use_all_issuers();
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        expect(shapes[i].what, hs256(shapes[i].header, shapes[i].claims), shapes[i].err);
    }
    drop_issuers();
}

static void
test_text_forms(void **state)
{
    const char *good = hs256(HS256, GOOD).p;
    struct gw_str parts = gw_str_of(good);
    struct gw_str header = gw_str_cut(&parts, '.');
    struct gw_str payload = gw_str_cut(&parts, '.');
    char *big = gw_arena_alloc(arena, 20000);
    /* the last digit of 32 bytes carries two unused bits: this one differs in those only */
    char *unused = gw_arena_strndup(arena, good, strlen(good));
    char *last = &unused[strlen(unused) - 1];

    (void)state;
    memset(big, 'A', 19999);
    memcpy(big, good, header.n + 1);
    *last = (char)((unsigned char)*last + 1U);
    const struct {
        const char *what, *text;
        enum gw_err err;
    } cases[] = {
        {"good", good, GW_ERR_OK},
        {"empty", "", GW_ERR_TOKEN_MALFORMED},
        {"dots only", "..", GW_ERR_TOKEN_MALFORMED},
        {"one part", "abc", GW_ERR_TOKEN_MALFORMED},
        {"unused bits set", unused, GW_ERR_TOKEN_MALFORMED},
        {"huge", big, GW_ERR_TOKEN_MALFORMED},
        {"no signature",
         gw_arena_printf(arena, "%.*s.%.*s.", GW_STR_ARG(header), GW_STR_ARG(payload)),
         GW_ERR_TOKEN_MALFORMED},
        {"two parts", gw_arena_printf(arena, "%.*s.%.*s", GW_STR_ARG(header), GW_STR_ARG(payload)),
         GW_ERR_TOKEN_MALFORMED},
        {"four parts", gw_arena_printf(arena, "%s.AAAA", good), GW_ERR_TOKEN_MALFORMED},
        {"five parts", gw_arena_printf(arena, "%s.AAAA.AAAA", good), GW_ERR_TOKEN_MALFORMED},
        {"a dot more", gw_arena_printf(arena, "%s.", good), GW_ERR_TOKEN_MALFORMED},
        {"a dot before", gw_arena_printf(arena, ".%s", good), GW_ERR_TOKEN_MALFORMED},
        {"padding", gw_arena_printf(arena, "%s=", good), GW_ERR_TOKEN_MALFORMED},
        {"a line end", gw_arena_printf(arena, "%s\n", good), GW_ERR_TOKEN_MALFORMED},
        {"base64, not base64url",
         gw_arena_printf(arena, "%.*s.%.*s.++++", GW_STR_ARG(header), GW_STR_ARG(payload)),
         GW_ERR_TOKEN_MALFORMED},
        {"signature of no length",
         gw_arena_printf(arena, "%.*s.%.*s.A", GW_STR_ARG(header), GW_STR_ARG(payload)),
         GW_ERR_TOKEN_MALFORMED},
        {"signature short",
         gw_arena_printf(arena, "%.*s.%.*s.AAAA", GW_STR_ARG(header), GW_STR_ARG(payload)),
         GW_ERR_TOKEN_SIGNATURE},
    };
    use_all_issuers();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].what, gw_str_of(cases[i].text), cases[i].err);
    }
    for (size_t n = 0; n < strlen(good); n++) { /* cut anywhere */
        struct gw_jwt_claims claims;
        const char *why = NULL;
        assert_int_not_equal(
            gw_jwt_verify(verifiers, arena, (struct gw_str){good, n}, NOW_MS, &claims, &why),
            GW_ERR_OK);
    }
    drop_issuers();
}

/* The token's maker chooses the algorithm, but not the key's use. */
static void
test_confusion(void **state)
{
    const char *claims = "{\"iss\":\"http://rsa\",\"username\":\"admin\","
                         "\"token_type\":\"access_token\",\"exp\":1700000100}";

    (void)state;
    use_all_issuers();
    expect("HS256 by the public key", token_of(HS256, claims, "HS256", NULL, rsa_pem),
           GW_ERR_TOKEN_ALGORITHM);
    expect("RS256 in the header, HMAC by the public key",
           token_of(HEADER("RS256"), claims, "HS256", NULL, rsa_pem), GW_ERR_TOKEN_SIGNATURE);
    expect("RS256 by another key", token_of(HEADER("RS256"), claims, "RS256", rsa_small, NULL),
           GW_ERR_TOKEN_SIGNATURE);
    expect("PS256 in the header, RS256 made", token_of(HEADER("PS256"), claims, "RS256", rsa, NULL),
           GW_ERR_TOKEN_SIGNATURE);
    expect("another secret", token_of(HS256, GOOD, "HS256", NULL, "another secret"),
           GW_ERR_TOKEN_SIGNATURE);
    expect("the secret with its line end", token_of(HS256, GOOD, "HS256", NULL, SECRET "\n"),
           GW_ERR_TOKEN_SIGNATURE);
    drop_issuers();
}

static void
test_identity(void **state)
{
    struct gw_jwt_claims c;
    const char *why = NULL;

    (void)state;
    use_all_issuers();
    struct gw_str t = hs256(HS256, "{" WHO ",\"exp\":1700000100,\"groups\":[\"system:masters\"],"
                                   "\"extra\":{\"k\":[\"v\",\"w\"]}}");
    assert_int_equal(gw_jwt_verify(verifiers, arena, t, NOW_MS, &c, &why), GW_ERR_OK);
    assert_true(gw_str_eq(c.subject.name, GW_STR("admin")));
    assert_int_equal(c.subject.n_groups, 1);
    assert_true(gw_str_eq(c.subject.groups[0], GW_STR("system:authenticated")));
    assert_int_equal(c.subject.n_extra, 2);
    assert_true(gw_str_eq(c.subject.extra[1].value, GW_STR("w")));
    assert_false(c.subject.anonymous);
    assert_true(c.expires_ms == 1700000110000ULL);

    t = hs256(HS256, "{\"iss\":\"http://iss\",\"username\":\"kubesphere:serviceaccount:ns:robot\","
                     "\"token_type\":\"static_token\"}");
    assert_int_equal(gw_jwt_verify(verifiers, arena, t, NOW_MS, &c, &why), GW_ERR_OK);
    assert_int_equal(c.subject.n_groups, 0);
    assert_true(c.expires_ms == UINT64_MAX);

    t = hs256("{\"alg\":\"HS256\",\"kid\":\"k1\"}",
              "{\"iss\":\"http://idp\",\"email\":\"u@x\",\"exp\":1700000100,\"aud\":\"a\","
              "\"teams\":[\"dev\",\"system:masters\"]}");
    assert_int_equal(gw_jwt_verify(verifiers, arena, t, NOW_MS, &c, &why), GW_ERR_OK);
    assert_int_equal(c.subject.n_groups, 2);
    assert_true(gw_str_eq(c.subject.groups[1], GW_STR("dev")));
    assert_true(gw_str_eq(c.key_id, GW_STR("k1")));
    drop_issuers();
}

/* KubeSphere's own fixed tokens. */
static void
test_golden(void **state)
{
    struct gw_jwt_claims c;
    const char *why = NULL;
    struct gw_str robot = GW_STR(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwOi8va3MtY29uc29sZS5rdWJlc3BoZXJlLXN5c"
        "3RlbS5zdmM6MzA4ODAiLCJzdWIiOiJrdWJlc3BoZXJlOnNlcnZpY2VhY2NvdW50OnByb2o6cm9ib3QiLCJpYXQiOjE"
        "3OTU0MDU5OTcsInRva2VuX3R5cGUiOiJzdGF0aWNfdG9rZW4iLCJ1c2VybmFtZSI6Imt1YmVzcGhlcmU6c2VydmljZ"
        "WFjY291bnQ6cHJvajpyb2JvdCJ9.DfNMal-Yd6YOpGbVM5wrM3WVC09rzbkshAFQIgQSNBA");

    (void)state;
    assert_true(load(gw_arena_printf(
        arena,
        "authentication: {issuers: [{issuer: 'http://ks-console.kubesphere-system.svc:30880', "
        "secret_file: '%s'}]}",
        file_of("golden", "gateway-test-secret-0123456789abcdef"))));
    verifiers = gw_jwt_verifiers_new(&settings, 0);
    assert_int_equal(gw_jwt_verify(verifiers, arena, robot, 1795405997000, &c, &why), GW_ERR_OK);
    assert_true(gw_str_eq(c.subject.name, GW_STR("kubesphere:serviceaccount:proj:robot")));
    assert_int_equal(gw_jwt_verify(verifiers, arena, robot, 1795405986000, &c, &why),
                     GW_ERR_TOKEN_NOT_YET);
    drop_issuers();
}

/* "@1" to "@5" are files. */
static const char *
fill_in(const char *row, const char *const *files)
{
    struct gw_buf b = {0};

    for (; *row != '\0'; row++) {
        if (*row == '@') {
            gw_buf_puts(&b, files[*++row - '1']);
        } else {
            gw_buf_add(&b, row, 1);
        }
    }
    const char *text = gw_arena_strndup(arena, b.p, b.n);
    gw_buf_fini(&b);
    return text;
}

static void
test_settings(void **state)
{
    char *private = pem_of(rsa, true);
    char *small = pem_of(rsa_small, false);
    const char *files[] = {
        file_of("rsa", rsa_pem),
        file_of("short", "0123456789abcdef0123456789abcdef\n"),
        file_of("empty", "\n"),
        file_of("small", small),
        file_of("private", private),
        file_of("set", SET),
        file_of("short-set", "{\"kty\":\"oct\",\"k\":\"AQAB\"}"),
        file_of("private-set", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AQAB\"}"),
    };
    const struct {
        const char *row, *error; /* NULL: taken */
    } cases[] = {
        {"secret_file: '@2'", NULL},
        {"public_key_file: '@1'", NULL},
        {"secret_file: '@2', algorithms: [HS384]", "the secret is shorter than the hash"},
        {"secret_file: '@2', algorithms: [HS384], allow_weak_secret: true", NULL},
        {"secret_file: '@2', algorithms: [RS256]", "RS256 needs a public key"},
        {"secret_file: '@2', algorithms: [HS257]", "did you mean \"HS256\"?"},
        {"secret_file: '@2', algorithms: [none]", "unknown algorithm \"none\""},
        {"secret_file: '@2', public_key_file: '@1'", "exactly one of"},
        {"algorithms: [HS256]", "exactly one of"},
        {"secret_file: '@3'", "is empty"},
        {"secret_file: '/nowhere/secret'", "can't be read: No such file"},
        {"secret_file: '@1'", "holds a PEM key"},
        {"public_key_file: '@1', algorithms: [HS256]", "HS256 needs a secret"},
        {"public_key_file: '@1', algorithms: [ES256]", "ES256 needs a key on its own curve"},
        {"public_key_file: '@2'", "holds no PEM public key"},
        {"public_key_file: '@4'", "fewer than 2048 bits"},
        {"public_key_file: '@5'", "holds a private key"},
        {"jwks_file: '@6'", NULL},
        {"jwks_file: '@6', algorithms: [HS512]", NULL},
        {"jwks_file: '@6', algorithms: [HS256, ES256]", NULL},
        {"jwks_file: '@6', algorithms: [ES256, EdDSA]", "none of the keys in"},
        {"jwks_file: '@6', secret_file: '@2'", "exactly one of"},
        {"jwks_file: '@7'", "has no key that tokens could be verified by"},
        {"jwks_file: '@7', allow_weak_secret: true", NULL},
        {"jwks_file: '@8'", "key 1 holds \"d\""},
        {"jwks_file: '@1'", "is no JSON"},
        {"jwks_file: '/nowhere/set'", "can't be read: No such file"},
        {"secret_file: '@2', secretfile: x", "unknown setting \"secretfile\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *row = fill_in(cases[i].row, files);
        bool good =
            load(gw_arena_printf(arena, "authentication: {issuers: [{issuer: i, %s}]}", row));
        if (good != (cases[i].error == NULL) ||
            (!good && strstr(gw_diag_first(&diag), cases[i].error) == NULL)) {
            fail_msg("%s: %s", row, good ? "was taken" : gw_diag_first(&diag));
        }
        if (!good && diag.findings[0].place.line != 1) {
            fail_msg("%s: no place", row);
        }
        if (good) {
            gw_jwt_issuers_close(&settings);
        }
    }
    free(private);
    free(small);
}

/* While a key is changed, two rows have the same issuer. */
static void
test_two_keys(void **state)
{
    (void)state;
    assert_true(load(gw_arena_printf(
        arena,
        "authentication: {issuers: [{issuer: 'http://iss', secret_file: '%s'}, "
        "{issuer: 'http://iss', secret_file: '%s'}]}",
        file_of("other", "another secret of 32 bytes or more"), file_of("secret", SECRET))));
    verifiers = gw_jwt_verifiers_new(&settings, 0);
    expect("the second key", hs256(HS256, GOOD), GW_ERR_OK);
    expect("the first key",
           token_of(HS256, GOOD, "HS256", NULL, "another secret of 32 bytes or more"), GW_ERR_OK);
    expect("neither", token_of(HS256, GOOD, "HS256", NULL, "a third one"), GW_ERR_TOKEN_SIGNATURE);
    drop_issuers();
}

/* A set of keys, of which a token chooses one by its kid. */
static void
test_kid(void **state)
{
    static const struct {
        const char *what, *header, *secret;
        enum gw_err err;
    } cases[] = {
        {"the named key", "{\"alg\":\"HS256\",\"kid\":\"a\"}", KEY_A, GW_ERR_OK},
        {"another named key", "{\"alg\":\"HS256\",\"kid\":\"b\"}", KEY_B, GW_ERR_OK},
        {"a key by another's name", "{\"alg\":\"HS256\",\"kid\":\"b\"}", KEY_A,
         GW_ERR_TOKEN_SIGNATURE},
        {"no name, the first", HEADER("HS256"), KEY_A, GW_ERR_OK},
        {"no name, the last", HEADER("HS256"), KEY_D, GW_ERR_OK},
        {"an empty name", "{\"alg\":\"HS256\",\"kid\":\"\"}", KEY_B, GW_ERR_OK},
        {"a key without a name, by any", "{\"alg\":\"HS256\",\"kid\":\"x\"}", KEY_D, GW_ERR_OK},
        {"nobody's", HEADER("HS256"), SECRET, GW_ERR_TOKEN_SIGNATURE},
        {"a key for another alg", "{\"alg\":\"HS256\",\"kid\":\"c\"}", KEY_C,
         GW_ERR_TOKEN_SIGNATURE},
        {"the usual alg only", "{\"alg\":\"HS384\",\"kid\":\"a\"}", KEY_A, GW_ERR_TOKEN_ALGORITHM},
    };

    (void)state;
    assert_true(load(gw_arena_printf(
        arena, "authentication: {issuers: [{issuer: 'http://iss', jwks_file: '%s'}]}",
        file_of("set", SET))));
    verifiers = gw_jwt_verifiers_new(&settings, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *alg = strstr(cases[i].header, "HS384") != NULL ? "HS384" : "HS256";

        expect(cases[i].what, token_of(cases[i].header, GOOD, alg, NULL, cases[i].secret),
               cases[i].err);
    }
    expect("by its own alg",
           token_of("{\"alg\":\"HS512\",\"kid\":\"c\"}", GOOD, "HS512", NULL, KEY_C), GW_ERR_OK);
    drop_issuers();
}

/* All keys have names: a token that names another is told so. */
static void
test_unknown_kid(void **state)
{
    struct gw_jwt_claims claims;
    const char *why = NULL;

    (void)state;
    assert_true(load(gw_arena_printf(
        arena, "authentication: {issuers: [{issuer: 'http://iss', jwks_file: '%s'}]}",
        file_of("set", "{\"keys\":[" JWK("a", KEY_A_64, "") "]}"))));
    verifiers = gw_jwt_verifiers_new(&settings, 0);
    expect("an unknown name",
           token_of("{\"alg\":\"HS256\",\"kid\":\"x\"}", GOOD, "HS256", NULL, KEY_A),
           GW_ERR_TOKEN_KEY);
    assert_int_equal(gw_jwt_verify(verifiers, arena, token_of(HS256, GOOD, "HS256", NULL, KEY_A),
                                   NOW_MS, &claims, &why),
                     GW_ERR_OK);
    assert_ptr_equal(
        claims.key, settings.issuers.n == 1 ? gw_jwt_issuer_at(&settings, 0)->keys->keys[0] : NULL);
    drop_issuers();
}

/* A token that names no key is not tried with all of a hundred. */
static void
test_tries_are_bounded(void **state)
{
    struct gw_buf b = {0};

    (void)state;
    gw_buf_puts(&b, "{\"keys\":[");
    for (int i = 0; i < GW_JWT_TRIES_MAX; i++) {
        char secret[33];

        (void)snprintf(secret, sizeof(secret), "secret number %018d", i);
        gw_buf_puts(&b, "{\"kty\":\"oct\",\"kid\":\"");
        gw_buf_printf(&b, "%d\",\"k\":\"", i);
        put_base64url(&b, secret, 32);
        gw_buf_puts(&b, "\"},");
    }
    gw_buf_puts(&b, JWK("a", KEY_A_64, "") "]}");
    assert_true(load(gw_arena_printf(
        arena, "authentication: {issuers: [{issuer: 'http://iss', jwks_file: '%s'}]}",
        file_of("set", b.p))));
    gw_buf_fini(&b);
    verifiers = gw_jwt_verifiers_new(&settings, 0);
    expect("without a name, behind too many", token_of(HS256, GOOD, "HS256", NULL, KEY_A),
           GW_ERR_TOKEN_SIGNATURE);
    expect("by name", token_of("{\"alg\":\"HS256\",\"kid\":\"a\"}", GOOD, "HS256", NULL, KEY_A),
           GW_ERR_OK);
    drop_issuers();
}

static int
set_up(void **state)
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

static int
tear_down(void **state)
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_algorithm),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_text_forms),
        cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_kid),
        cmocka_unit_test(test_unknown_kid),
        cmocka_unit_test(test_tries_are_bounded),
    };

    return cmocka_run_group_tests_name("jwt", tests, set_up, tear_down);
}
