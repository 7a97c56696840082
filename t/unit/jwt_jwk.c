/* jwt_jwk.c - keys as JSON: which are taken, which are not, and what is said of those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/jwt_jwk.h"
#include "modules/jwt_signature.h"
#include "modules/jwt_token.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* clang-format off */
#define HMAC_K "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RSA_N "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA(more) "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"" more "}"
#define P256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define P256(more) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"" more "}"
#define P521 "{\"kty\":\"EC\",\"crv\":\"P-521\"," \
    "\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\"," \
    "\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED(more) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"" more "}"
#define OCT(more) "{\"kty\":\"oct\",\"k\":\"" HMAC_K "\"" more "}"
#define JOE ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define SMALL_N "uAyZfaB_WZleCOFf5qGmflBoCPR_6wuLRSfYVILtUOXfiZkfOAsZNsYRASsCn54t1xvoB05_3v9z2bDvSGmnHQrW0dvppIiYlp5WByjGS-FjVL9r_oHMEzwtzDSpjQxOhjBbfFwdSQTJqggsjAlngUF1-UzJ3eEv4ROp5YQ6vSE"
#define ZERO "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* The examples of the RFCs, each with a text that it has signed. */
static const struct {
    const char *what, *jwk, *alg, *text, *signature;
} vectors[] = {
    {"RFC 7515, A.1", OCT(""), "HS256", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" JOE,
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"RFC 7515, A.2", RSA(""), "RS256", "eyJhbGciOiJSUzI1NiJ9" JOE,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"RFC 7515, A.3", P256(""), "ES256", "eyJhbGciOiJFUzI1NiJ9" JOE,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"RFC 7515, A.4", P521, "ES512", "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
     "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"},
    {"RFC 8037, A.4", ED(""), "EdDSA", "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    {"a modulus with a zero in front", "{\"kty\":\"RSA\",\"n\":\"AKH4Fgri48m0Zc6NLWViYzYrkn2-KeHwJHf8FiXMkKE244vZNJfFtupj3XcR5nx0KflWsPuKjwia3EtpiTzBMz9T7dAZuHeEJS_skU_khXdpWUvqQoDTLA9Vv2KUTxMDlrxum99uvdK9o2eO7KDGaPcBs42_-zjINCzi_m0n-t5KWkh0l53Uuc-a3sTHWwWFLCwPXvilwXUDkvlE6O1kwRDGtkdgmqR4OuucbJrXVTEwUGOLg2Zcb296gqOWcCofZBuC0-vyOSIZSR-2hocsVxb1Cvg1jZqLnRfDQHKPf4fYmhjY_KtnrYRZDC7PdZM5NjwHA01vYG-eIeBUVsrl6aE\",\"e\":\"AQAB\"}", "RS256", "eyJhbGciOiJSUzI1NiJ9" JOE,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
};

static const struct {
    const char *what, *jwk;
    enum gw_jwk_result result;
    const char *says; /* of a key: its algorithms, the usual one first */
} cases[] = {
    {"a secret", OCT(""), GW_JWK_KEY, "HS256 HS384 HS512"},
    {"an RSA key", RSA(""), GW_JWK_KEY, "RS256 RS384 RS512 PS256 PS384 PS512"},
    {"P-256", P256(""), GW_JWK_KEY, "ES256"},
    {"P-521", P521, GW_JWK_KEY, "ES512"},
    {"Ed25519", ED(""), GW_JWK_KEY, "EdDSA"},
    {"alg narrows", RSA(",\"alg\":\"PS384\""), GW_JWK_KEY, "PS384"},
    {"use sig", RSA(",\"use\":\"sig\""), GW_JWK_KEY, "RS256 RS384 RS512 PS256 PS384 PS512"},
    {"key_ops with verify", ED(",\"key_ops\":[\"sign\",\"verify\"]"), GW_JWK_KEY, "EdDSA"},
    {"members that nobody knows", ED(",\"x5t\":\"a\",\"iat\":1"), GW_JWK_KEY, "EdDSA"},
    {"an empty kid", ED(",\"kid\":\"\""), GW_JWK_KEY, "EdDSA"},

    {"use enc", RSA(",\"use\":\"enc\",\"alg\":\"RSA-OAEP\""), GW_JWK_OTHER, ""},
    {"key_ops without verify", RSA(",\"key_ops\":[\"sign\"]"), GW_JWK_OTHER, ""},
    {"no key_ops at all", RSA(",\"key_ops\":[]"), GW_JWK_OTHER, ""},

    {"an RSA key with d", RSA(",\"d\":\"AQAB\""), GW_JWK_PRIVATE, "holds \"d\""},
    {"an EC key with d", P256(",\"d\":\"AQAB\""), GW_JWK_PRIVATE, "holds \"d\""},
    {"an Ed25519 key with d", ED(",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\""), GW_JWK_PRIVATE, "holds \"d\""},
    {"a prime, for encryption", RSA(",\"use\":\"enc\",\"p\":\"AQAB\""), GW_JWK_PRIVATE, "holds \"p\""},
    {"more primes", RSA(",\"oth\":[]"), GW_JWK_PRIVATE, "holds \"oth\""},

    {"a list", "[]", GW_JWK_BAD, "is no JSON object"},
    {"no kty", "{\"n\":\"AQAB\",\"e\":\"AQAB\"}", GW_JWK_BAD, "\"kty\" is none of"},
    {"kty a number", "{\"kty\":1}", GW_JWK_BAD, "\"kty\" is none of"},
    {"kty in lower case", "{\"kty\":\"rsa\"}", GW_JWK_BAD, "\"kty\" is none of"},
    {"use a number", RSA(",\"use\":1"), GW_JWK_BAD, "\"use\" is no text"},
    {"key_ops a text", RSA(",\"key_ops\":\"verify\""), GW_JWK_BAD, "\"key_ops\" no list"},
    {"an operation twice", RSA(",\"key_ops\":[\"verify\",\"verify\"]"), GW_JWK_BAD, "twice"},
    {"kid a number", RSA(",\"kid\":1"), GW_JWK_BAD, "\"kid\" is no text"},
    {"alg a number", RSA(",\"alg\":256"), GW_JWK_BAD, "\"alg\" is none of those"},
    {"alg none", RSA(",\"alg\":\"none\""), GW_JWK_BAD, "\"alg\" is none of those"},
    {"alg for encryption", RSA(",\"alg\":\"RSA-OAEP\""), GW_JWK_BAD, "\"alg\" is none of those"},
    {"alg of another kind", RSA(",\"alg\":\"HS256\""), GW_JWK_BAD, "HS256 needs a secret"},
    {"alg of another curve", P256(",\"alg\":\"ES384\""), GW_JWK_BAD, "ES384 needs a key on its own curve"},
    {"alg of a public key for a secret", OCT(",\"alg\":\"RS256\""), GW_JWK_BAD, "RS256 needs a public key"},

    {"no modulus", "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", GW_JWK_BAD, "has no member \"n\""},
    {"no exponent", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}", GW_JWK_BAD, "has no member \"e\""},
    {"padding", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "==\",\"e\":\"AQAB\"}", GW_JWK_BAD, "\"n\" is not base64url"},
    {"base64 of the other kind", "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T\"}", GW_JWK_BAD, "\"k\" is not base64url"},
    {"bits that are not used", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AR\"}", GW_JWK_BAD, "\"e\" is not base64url"},
    {"1024 bits", "{\"kty\":\"RSA\",\"n\":\"" SMALL_N "\",\"e\":\"AQAB\"}", GW_JWK_BAD, "is too weak for RS256: an RSA key of fewer than 2048 bits"},
    {"an exponent of 1", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}", GW_JWK_BAD, "are no RSA key"},
    {"an even exponent", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAC\"}", GW_JWK_BAD, "are no RSA key"},
    {"an exponent of zero", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AA\"}", GW_JWK_BAD, "are no RSA key"},
    {"a long exponent", "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAAAAAAAAAB\"}", GW_JWK_BAD, "an exponent of more than"},
    {"an even modulus", "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoA\",\"e\":\"AQAB\"}", GW_JWK_BAD, "are no RSA key"},

    {"no curve", "{\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", GW_JWK_BAD, "is on none of the curves"},
    {"a curve that is not ours", "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", GW_JWK_BAD, "is on none of the curves"},
    {"no y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", GW_JWK_BAD, "has no member \"y\""},
    {"not on the curve", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_X "\"}", GW_JWK_BAD, "are no point of P-256"},
    {"nowhere", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZERO "\",\"y\":\"" ZERO "\"}", GW_JWK_BAD, "are no point of P-256"},
    {"coordinates of another curve", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", GW_JWK_BAD, "are not of 48 bytes"},
    {"a coordinate with a zero in front", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\",\"y\":\"" P256_Y "\"}", GW_JWK_BAD, "are not of 32 bytes"},

    {"X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}", GW_JWK_BAD, "another curve than Ed25519"},
    {"Ed448", "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED_X "\"}", GW_JWK_BAD, "another curve than Ed25519"},
    {"no x", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", GW_JWK_BAD, "has no member \"x\""},
    {"a short x", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}", GW_JWK_BAD, "not of 32 bytes"},
    {"the point 0", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ZERO "\"}", GW_JWK_BAD, "small order"},
    {"the point 1", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", GW_JWK_BAD, "small order"},
    {"the point p - 1, with its sign", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P________________________________________8\"}", GW_JWK_BAD, "small order"},
    {"the point p - 1", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"7P_______________________________________38\"}", GW_JWK_BAD, "small order"},
    {"a point of order 8", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU\"}", GW_JWK_BAD, "small order"},

    {"no secret", "{\"kty\":\"oct\"}", GW_JWK_BAD, "has no member \"k\""},
    {"an empty secret", "{\"kty\":\"oct\",\"k\":\"\"}", GW_JWK_BAD, "\"k\" is not base64url"},
    {"a short secret", "{\"kty\":\"oct\",\"k\":\"AQAB\"}", GW_JWK_BAD, "is too weak for HS256"},
    {"a secret short for its alg", "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"" ED_X "\"}", GW_JWK_BAD, "is too weak for HS512"},
    {"a secret for its hash alone", "{\"kty\":\"oct\",\"k\":\"" ED_X "\"}", GW_JWK_KEY, "HS256"},
};
/* clang-format on */

static json_t *
parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        fail_msg("%s: %s", text, error.text);
    }
    return json;
}

static void
test_examples_of_the_standards(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(vectors); i++) {
        struct gw_arena *a = gw_arena_new();
        const struct gw_jwt_alg *alg = gw_jwt_alg_find(gw_str_of(vectors[i].alg));
        json_t *json = parse(vectors[i].jwk);
        struct gw_jwt_key *key = NULL;
        struct gw_str signature;
        char why[200];

        if (gw_jwk_read(json, (struct gw_jwks_rules){0}, &key, why) != GW_JWK_KEY) {
            fail_msg("%s: %s", vectors[i].what, why);
        }
        struct gw_jwt_verifier *v = gw_jwt_verifier_new(key, alg);
        assert_true(gw_jwt_base64url(a, gw_str_of(vectors[i].signature), &signature));
        if (!gw_jwt_verifier_check(v, gw_str_of(vectors[i].text), NULL, signature)) {
            fail_msg("%s: the signature is not the key's", vectors[i].what);
        }
        assert_false(gw_jwt_verifier_check(v, gw_str_of("another text"), NULL, signature));
        gw_jwt_verifier_free(v);
        gw_jwt_key_unref(key);
        json_decref(json);
        gw_arena_free(a);
    }
}

/* "RS256 PS256", the usual one first. */
static const char *
algorithms(const struct gw_jwt_key *key, char text[200])
{
    unsigned at = 0;
    const struct gw_jwt_alg *alg = gw_jwt_alg_next(key->usual, &at);

    assert_non_null(alg);
    (void)snprintf(text, 200, "%s", alg->name);
    at = 0;
    while ((alg = gw_jwt_alg_next(key->algs & ~key->usual, &at)) != NULL) {
        (void)snprintf(text + strlen(text), 200 - strlen(text), " %s", alg->name);
    }
    return text;
}

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        json_t *json = parse(cases[i].jwk);
        struct gw_jwt_key *key = NULL;
        char why[200];
        char text[200];
        enum gw_jwk_result result = gw_jwk_read(json, (struct gw_jwks_rules){0}, &key, why);

        if (result != cases[i].result || (result == GW_JWK_KEY) != (key != NULL)) {
            fail_msg("%s: %d, \"%s\"", cases[i].what, result, why);
        }
        const char *says = key == NULL ? why : algorithms(key, text);
        if (key == NULL ? strstr(says, cases[i].says) == NULL : strcmp(says, cases[i].says) != 0) {
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].what, says, cases[i].says);
        }
        gw_jwt_key_unref(key);
        json_decref(json);
    }
}

/* So many that are none, or the same key by so many names; then one key more. */
static void
expect_of_many(size_t n, const char *members, size_t n_keys, const char *says)
{
    struct gw_buf text = {0};
    struct gw_diag diag = {0};
    struct gw_jwks set;

    gw_buf_puts(&text, "{\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        gw_buf_printf(&text, "{%s,\"kid\":\"%zu\"},", members, i);
    }
    gw_buf_puts(&text, ED(",\"kid\":\"last\"") "]}");
    assert_int_equal(gw_jwks_read(&set, gw_buf_text(&text),
                                  (struct gw_jwks_rules){.published = true}, &diag,
                                  (struct gw_place){0}, "set"),
                     n_keys > 0);
    assert_int_equal(set.n, n_keys);
    assert_true(diag.n > 0 && diag.n <= 258);
    assert_non_null(strstr(diag.findings[says[0] == 'w' ? diag.n - 1 : 0].text, says));
    gw_jwks_fini(&set);
    gw_diag_fini(&diag);
    gw_buf_fini(&text);
}

/* Of a set that is made to keep us busy, only the beginning is looked at. */
static void
test_sets_without_end(void **state)
{
    (void)state;
    expect_of_many(255, "\"kty\":\"RSA\"", 1, "key 1 (\"0\") is left out");
    expect_of_many(256, "\"kty\":\"RSA\"", 0, "key 1 (\"0\") is left out");
    expect_of_many(3000, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"", GW_JWT_KEYS_MAX,
                   "what follows key 64 is left out: 64 keys of 256 are enough");
}

/* A table of cases again: what a set holds, how many of its keys are taken, and what is said. */
static const struct {
    const char *what, *text;
    bool published, good;
    size_t n;
    const char *says; /* the first finding; NULL: nothing is */
} sets[] = {
    {"one key alone", ED(""), false, true, 1, NULL},
    {"a set", "{\"keys\":[" ED("") "," RSA("") "]}", false, true, 2, NULL},
    {"an encryption key beside", "{\"keys\":[" RSA(",\"use\":\"enc\"") "," ED("") "]}", false, true,
     1, NULL},
    {"a bad one beside", "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"old\"}," ED("") "]}", false, true,
     1, "set: key 1 (\"old\") is left out: it has no member \"n\""},
    {"a name that is not to be shown",
     "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\\nb\"}," ED("") "]}", false, true, 1,
     "set: key 1 is left out"},
    {"the same key twice", "{\"keys\":[" ED("") "," ED("") "]}", false, true, 1,
     "set: key 2 stands there twice"},
    {"the same key by two names", "{\"keys\":[" ED(",\"kid\":\"a\"") "," ED(",\"kid\":\"b\"") "]}",
     false, true, 2, NULL},
    {"two keys by one name, for different algorithms",
     "{\"keys\":[" ED(",\"kid\":\"a\"") "," RSA(",\"kid\":\"a\"") "]}", false, true, 2, NULL},
    {"two keys by one name",
     "{\"keys\":[" RSA(",\"kid\":\"a\",\"alg\":\"RS256\"") "," RSA(",\"kid\":\"a\"") "]}", false,
     true, 2, "set: key 2 (\"a\") has the kid of another key: both are tried"},
    {"a private key in a file", "{\"keys\":[" ED("") "," RSA(",\"d\":\"AQAB\"") "]}", false, false,
     1, "set: key 2 holds \"d\""},
    {"a private key that is published", "{\"keys\":[" ED("") "," RSA(",\"d\":\"AQAB\"") "]}", true,
     true, 1, "set: key 2 is left out: it holds \"d\""},
    {"a secret that is published", OCT(""), true, false, 0,
     "set: key 1 is left out: it is a secret, and everybody can read it here"},
    {"an empty set", "{\"keys\":[]}", false, false, 0, "set has no key that tokens"},
    {"no set", "{\"issuer\":\"http://iss\"}", false, false, 0, "set is no JWK"},
    {"a key and a set", "{\"kty\":\"OKP\",\"keys\":[]}", false, false, 0, "set is no JWK"},
    {"keys not in a list", "{\"keys\":{}}", false, false, 0, "set is no JWK"},
    {"a list", "[" ED("") "]", false, false, 0, "set is no JWK"},
    {"no JSON", "<html>", false, false, 0, "set is no JSON"},
    {"nothing", "", false, false, 0, "set is no JSON"},
    {"a member twice", "{\"keys\":[" ED(",\"kty\":\"OKP\"") "]}", false, false, 0,
     "set is no JSON without duplicate members: line 1"},
};

static void
test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(sets); i++) {
        struct gw_diag diag = {0};
        struct gw_jwks set;
        struct gw_jwks_rules rules = {.published = sets[i].published};
        bool good = gw_jwks_read(&set, gw_str_of(sets[i].text), rules, &diag,
                                 (struct gw_place){.file = "a.yaml", .line = 7}, "set");
        const char *says = diag.n == 0 ? NULL : diag.findings[0].text;

        if (good != sets[i].good || set.n != sets[i].n || (diag.errors == 0) != good ||
            (says == NULL) != (sets[i].says == NULL) ||
            (says != NULL && strstr(says, sets[i].says) != says)) {
            fail_msg("%s: %s, %zu keys, \"%s\"", sets[i].what, good ? "taken" : "refused", set.n,
                     says == NULL ? "" : says);
        }
        assert_true(says == NULL || diag.findings[0].place.line == 7);
        gw_jwks_fini(&set);
        gw_diag_fini(&diag);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_standards),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_sets_without_end),
    };

    return cmocka_run_group_tests_name("jwt_jwk", tests, NULL, NULL);
}
