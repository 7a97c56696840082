#include "modules/jwt_token.h"

#include <endian.h>

/* The value of a base64url digit; 64: it is none. */
/* clang-format off */
static const unsigned char digits[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};
/* clang-format on */

/* One to three digits at the end; false: one is none, or they are not as a writer leaves them. */
static bool
end_of_base64url(const unsigned char *p, size_t n, unsigned char **out)
{
    unsigned unused = n == 2 ? 4 : 2; /* bits; if one is set, another text has the same bytes */
    unsigned value = 0;
    unsigned bad = 0;

    for (size_t i = 0; i < n; i++) {
        bad |= digits[p[i]];
        value = value << 6 | digits[p[i]];
    }
    if (n == 1 || (bad & 64) != 0 || (value & ((1U << unused) - 1)) != 0) {
        return false;
    }
    value >>= unused;
    if (n == 3) {
        *(*out)++ = (unsigned char)(value >> 8);
    }
    *(*out)++ = (unsigned char)(value & 0xffU);
    return true;
}

bool
gw_jwt_base64url(struct gw_arena *a, struct gw_str text, struct gw_str *bytes)
{
    unsigned char *first = gw_arena_raw(a, text.n / 4 * 3 + 4);
    unsigned char *out = first;
    const unsigned char *p = (const unsigned char *)text.p;
    size_t n = text.n;
    unsigned bad = 0;

    for (; n >= 4; n -= 4, p += 4, out += 3) {
        unsigned a0 = digits[p[0]];
        unsigned a1 = digits[p[1]];
        unsigned a2 = digits[p[2]];
        unsigned a3 = digits[p[3]];
        uint32_t three = htobe32(a0 << 26 | a1 << 20 | a2 << 14 | a3 << 8);

        bad |= a0 | a1 | a2 | a3;
        memcpy(out, &three, sizeof(three)); /* the fourth byte is the next one's, or room */
    }
    if (n > 0 && !end_of_base64url(p, n, &out)) {
        return false;
    }
    *bytes = (struct gw_str){(const char *)first, (size_t)(out - first)};
    return (bad & 64) == 0;
}

/* An object, and its text; NULL when it is anything else. */
static const struct gw_jwt_json *
read_object(struct gw_arena *a, struct gw_str encoded, struct gw_str *text)
{
    return gw_jwt_base64url(a, encoded, text) ? gw_jwt_json_read(a, *text, GW_JWT_DEPTH_MAX) : NULL;
}

bool
gw_jwt_text(const struct gw_jwt_json *object, const char *name, struct gw_str *out)
{
    const struct gw_jwt_json *value = gw_jwt_json_get(object, name);

    *out = value == NULL ? GW_STR_NONE : value->text;
    return value == NULL || value->type == GW_JWT_JSON_TEXT;
}

/* Tokens of another kind (logout, proof of possession ...) say so here: RFC 8725, 3.11. */
static bool
is_plain_type(struct gw_str typ)
{
    return typ.p == NULL || gw_str_eq_nocase(typ, GW_STR("JWT")) ||
           gw_str_eq_nocase(typ, GW_STR("at+jwt")) ||
           gw_str_eq_nocase(typ, GW_STR("application/at+jwt"));
}

static enum gw_err
read_header(struct gw_jwt_token *t, const char **why)
{
    struct gw_str typ;

    if (gw_jwt_json_get(t->header, "crit") != NULL || gw_jwt_json_get(t->header, "b64") != NULL) {
        *why = "the header asks for extensions (crit, b64) that are not understood";
        return GW_ERR_TOKEN_MALFORMED;
    }
    if (!gw_jwt_text(t->header, "typ", &typ) || !is_plain_type(typ)) {
        *why = "the header's typ is not JWT";
        return GW_ERR_TOKEN_MALFORMED;
    }
    if (!gw_jwt_text(t->header, "kid", &t->kid)) {
        *why = "the header's kid is not text";
        return GW_ERR_TOKEN_MALFORMED;
    }
    if (!gw_jwt_text(t->header, "alg", &t->alg) || t->alg.n == 0) {
        *why = "the header has no alg";
        return GW_ERR_TOKEN_ALGORITHM;
    }
    return GW_ERR_OK;
}

enum gw_err
gw_jwt_token_split(struct gw_jwt_token *t, struct gw_arena *a, struct gw_str text, const char **why)
{
    struct gw_str rest = text;

    *t = (struct gw_jwt_token){.text = text};
    *why = "";
    if (text.n > GW_JWT_TOKEN_MAX) {
        *why = "the token is longer than 16 KiB";
        return GW_ERR_TOKEN_MALFORMED;
    }
    struct gw_str header = gw_str_cut(&rest, '.');
    struct gw_str payload = gw_str_cut(&rest, '.');
    if (header.n == 0 || payload.n == 0 || rest.n == 0 || gw_str_find(rest, '.') < rest.n) {
        *why = "a token has three parts with two dots between them";
        return GW_ERR_TOKEN_MALFORMED;
    }
    t->signed_text = (struct gw_str){text.p, header.n + 1 + payload.n};
    t->header = read_object(a, header, &t->header_text);
    if (t->header == NULL) {
        *why = "the header is not base64url of a JSON object without duplicate members";
        return GW_ERR_TOKEN_MALFORMED;
    }
    t->claims = read_object(a, payload, &t->claims_text);
    if (t->claims == NULL) {
        *why = "the payload is not base64url of a JSON object without duplicate members";
        return GW_ERR_TOKEN_MALFORMED;
    }
    if (!gw_jwt_base64url(a, rest, &t->signature)) {
        *why = "the signature is not canonical base64url";
        return GW_ERR_TOKEN_MALFORMED;
    }
    enum gw_err err = read_header(t, why);
    if (err == GW_ERR_OK && (!gw_jwt_text(t->claims, "iss", &t->issuer) || t->issuer.n == 0)) {
        *why = "the claim iss is missing or not text";
        return GW_ERR_TOKEN_CLAIM;
    }
    return err;
}
