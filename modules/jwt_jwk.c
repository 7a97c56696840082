#include "modules/jwt_jwk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/mem.h"
#include "config/json.h"
#include "modules/jwt_token.h"

#define ID_MAX       256  /* bytes of a kid */
#define RSA_BITS_MAX 8192 /* a larger one takes milliseconds for each token */
#define EXPONENT_MAX 8    /* bytes; so does a long exponent */
#define COORDINATE   66   /* bytes, of P-521 */
#define ED25519      32

struct reader {
    struct gw_arena *arena;
    const json_t *jwk;
    struct gw_jwks_rules rules;
    char *why;
};

static enum gw_jwk_result bad(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static enum gw_jwk_result
bad(struct reader *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(r->why, 200, fmt, ap);
    va_end(ap);
    return GW_JWK_BAD;
}

/* ---- members ------------------------------------------------------------------------------- */

/* NULL: it is not there, or no text. */
static const char *
text(const struct reader *r, const char *name)
{
    return json_string_value(json_object_get(r->jwk, name));
}

/* It is there, and no text. */
static bool
is_odd(const struct reader *r, const char *name)
{
    const json_t *value = json_object_get(r->jwk, name);

    return value != NULL && !json_is_string(value);
}

/* The bytes of a member that has to be there. */
static bool
bytes(struct reader *r, const char *name, struct gw_str *out)
{
    const json_t *value = json_object_get(r->jwk, name);
    struct gw_str encoded = gw_json_text(value);

    if (value == NULL) {
        (void)bad(r, "has no member \"%s\"", name);
        return false;
    }
    if (encoded.n == 0 || !gw_jwt_base64url(r->arena, encoded, out)) {
        (void)bad(r, "its \"%s\" is not base64url without padding", name);
        return false;
    }
    return true;
}

/* "use" (RFC 7517, 4.2) and "key_ops" (4.3): is it for signatures, as far as it says? */
static enum gw_jwk_result
check_purpose(struct reader *r)
{
    const json_t *ops = json_object_get(r->jwk, "key_ops");
    const char *use = text(r, "use");
    bool verify = ops == NULL;
    const json_t *op;
    size_t i;

    if (is_odd(r, "use") || (ops != NULL && !json_is_array(ops))) {
        return bad(r, "its \"use\" is no text, or its \"key_ops\" no list");
    }
    json_array_foreach(ops, i, op)
    {
        verify = verify || strcmp(json_is_string(op) ? json_string_value(op) : "", "verify") == 0;
        for (size_t k = 0; k < i; k++) {
            if (json_equal(json_array_get(ops, k), op)) {
                return bad(r, "names an operation twice in \"key_ops\"");
            }
        }
    }
    return verify && (use == NULL || strcmp(use, "sig") == 0) ? GW_JWK_KEY : GW_JWK_OTHER;
}

/* RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2. */
static const char *
private_member(const struct reader *r)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(r->jwk, names[i]) != NULL) {
            return names[i];
        }
    }
    return NULL;
}

/* ---- the three kinds of public keys --------------------------------------------------------- */

/* OpenSSL takes what is given as it is: only its check says whether it is a key. */
static bool
is_sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* NULL: they are no key's. */
static EVP_PKEY *
make_pkey(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1 || !is_sound(pkey)) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

static const unsigned char *
octets(struct gw_str s)
{
    return (const unsigned char *)s.p;
}

static EVP_PKEY *
read_rsa(struct reader *r)
{
    struct gw_str n;
    struct gw_str e;
    EVP_PKEY *pkey = NULL;

    if (!bytes(r, "n", &n) || !bytes(r, "e", &e)) {
        return NULL;
    }
    if (n.n > RSA_BITS_MAX / 8 + 1 || e.n > EXPONENT_MAX) {
        (void)bad(r, "has more than %d bits, or an exponent of more than %d bytes", RSA_BITS_MAX,
                  EXPONENT_MAX);
        return NULL;
    }
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(octets(n), (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn(octets(e), (int)e.n, NULL);
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        pkey = make_pkey("RSA", build);
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    if (pkey == NULL) {
        (void)bad(r, "its \"n\" and \"e\" are no RSA key");
    }
    return pkey;
}

static EVP_PKEY *
read_ec(struct reader *r)
{
    static const struct {
        const char *crv, *group;
        size_t coordinate;
    } curves[] = {
        {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
    const char *crv = text(r, "crv");
    unsigned char point[1 + 2 * COORDINATE] = {POINT_CONVERSION_UNCOMPRESSED};
    struct gw_str x;
    struct gw_str y;
    size_t i = 0;
    EVP_PKEY *pkey = NULL;

    while (i < 3 && (crv == NULL || strcmp(crv, curves[i].crv) != 0)) {
        i++;
    }
    if (i == 3) {
        (void)bad(r, "is on none of the curves P-256, P-384 and P-521");
        return NULL;
    }
    if (!bytes(r, "x", &x) || !bytes(r, "y", &y)) {
        return NULL;
    }
    size_t n = curves[i].coordinate;
    if (x.n != n || y.n != n) {
        (void)bad(r, "its \"x\" and \"y\" are not of %zu bytes, as on %s", n, crv);
        return NULL;
    }
    memcpy(point + 1, x.p, n);
    memcpy(point + 1 + n, y.p, n);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n) == 1) {
        pkey = make_pkey("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    if (pkey == NULL) {
        (void)bad(r, "its \"x\" and \"y\" are no point of %s", crv);
    }
    return pkey;
}

/* With one of these as the key, everybody can sign anything: their multiples are few.  The list
 * (without the sign bit) is libsodium's. */
static bool
is_of_small_order(const unsigned char key[ED25519])
{
    static const unsigned char eights[2][ED25519] = {
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    };
    unsigned char y[ED25519];
    unsigned same = 1; /* are all bytes between the first and the last... */

    memcpy(y, key, ED25519);
    y[ED25519 - 1] &= 0x7f;
    if (memcmp(y, eights[0], ED25519) == 0 || memcmp(y, eights[1], ED25519) == 0) {
        return true;
    }
    for (size_t i = 2; i < ED25519 - 1; i++) {
        same = same && y[i] == y[1];
    }
    return same && ((y[1] == 0 && y[ED25519 - 1] == 0 && y[0] <= 1) ||
                    (y[1] == 0xff && y[ED25519 - 1] == 0x7f && y[0] >= 0xec));
}

static EVP_PKEY *
read_okp(struct reader *r)
{
    const char *crv = text(r, "crv");
    struct gw_str x;

    if (crv == NULL || strcmp(crv, "Ed25519") != 0) {
        (void)bad(r, "is on another curve than Ed25519");
        return NULL;
    }
    if (!bytes(r, "x", &x)) {
        return NULL;
    }
    if (x.n != ED25519 || is_of_small_order(octets(x))) {
        (void)bad(r, x.n != ED25519 ? "its \"x\" is not of 32 bytes"
                                    : "is a point of small order: anybody could sign for it");
        return NULL;
    }
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, octets(x), x.n);
    ERR_clear_error();
    if (pkey == NULL) {
        (void)bad(r, "its \"x\" is no Ed25519 key");
    }
    return pkey;
}

/* ---- a key ---------------------------------------------------------------------------------- */

static struct gw_jwt_key *
read_public(struct reader *r, const char *kty)
{
    EVP_PKEY *pkey = strcmp(kty, "RSA") == 0  ? read_rsa(r)
                     : strcmp(kty, "EC") == 0 ? read_ec(r)
                                              : read_okp(r);

    return pkey == NULL ? NULL : gw_jwt_key_of(pkey);
}

static struct gw_jwt_key *
read_secret(struct reader *r)
{
    struct gw_str k;

    if (r->rules.published) {
        (void)bad(r, "is a secret, and everybody can read it here");
        return NULL;
    }
    return bytes(r, "k", &k) ? gw_jwt_key_of_secret(k, r->rules.allow_weak_secret) : NULL;
}

/* What "alg" (RFC 7517, 4.4) leaves of what the key could do. */
static enum gw_jwk_result
narrow(struct reader *r, struct gw_jwt_key *key)
{
    const char *name = text(r, "alg");
    const struct gw_jwt_alg *alg =
        name == NULL ? gw_jwt_key_default(key) : gw_jwt_alg_find(gw_str_of(name));

    if (alg == NULL || is_odd(r, "alg")) {
        return bad(r, "its \"alg\" is none of those for tokens");
    }
    const char *misfit = gw_jwt_key_misfit(key, alg);
    if (misfit != NULL) {
        return bad(r, "its \"alg\" %s %s", alg->name, misfit);
    }
    if (key->algs == 0 || (name != NULL && (key->algs & gw_jwt_alg_bit(alg)) == 0)) {
        return bad(r, "is too weak for %s: %s", alg->name, gw_jwt_key_weakness(key, alg));
    }
    if (name != NULL) {
        key->algs = key->usual = gw_jwt_alg_bit(alg);
    }
    return GW_JWK_KEY;
}

static enum gw_jwk_result
read_id(struct reader *r, struct gw_jwt_key *key)
{
    const char *kid = text(r, "kid");

    if (is_odd(r, "kid") || (kid != NULL && strlen(kid) > ID_MAX)) {
        return bad(r, "its \"kid\" is no text, or longer than %d bytes", ID_MAX);
    }
    key->id = kid == NULL || kid[0] == '\0' ? NULL : gw_mem_strdup(kid);
    return GW_JWK_KEY;
}

static enum gw_jwk_result
read_key(struct reader *r, struct gw_jwt_key **key)
{
    const char *kty = text(r, "kty");
    bool secret = kty != NULL && strcmp(kty, "oct") == 0;

    if (kty == NULL ||
        (!secret && strcmp(kty, "RSA") != 0 && strcmp(kty, "EC") != 0 && strcmp(kty, "OKP") != 0)) {
        return bad(r, "its \"kty\" is none of RSA, EC, OKP and oct");
    }
    if (!secret && private_member(r) != NULL) {
        (void)bad(r,
                  "holds \"%s\", a part of the private key: the gateway needs only the public one",
                  private_member(r));
        return GW_JWK_PRIVATE;
    }
    enum gw_jwk_result result = check_purpose(r);
    if (result != GW_JWK_KEY) {
        return result;
    }
    *key = secret ? read_secret(r) : read_public(r, kty);
    if (*key == NULL) {
        return GW_JWK_BAD;
    }
    result = narrow(r, *key);
    return result == GW_JWK_KEY ? read_id(r, *key) : result;
}

enum gw_jwk_result
gw_jwk_read(const json_t *jwk, struct gw_jwks_rules rules, struct gw_jwt_key **key, char why[200])
{
    struct reader r = {.arena = gw_arena_new(), .jwk = jwk, .rules = rules, .why = why};

    *key = NULL;
    why[0] = '\0';
    enum gw_jwk_result result =
        json_is_object(jwk) ? read_key(&r, key) : bad(&r, "is no JSON object");
    if (result != GW_JWK_KEY) {
        gw_jwt_key_unref(*key);
        *key = NULL;
    }
    gw_arena_free(r.arena);
    return result;
}
