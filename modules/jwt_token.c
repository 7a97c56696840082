#include "modules/jwt_token.h"

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

bool
gw_jwt_base64url(struct gw_arena *a, struct gw_str text, struct gw_str *bytes)
{
    char *out = gw_arena_raw(a, text.n / 4 * 3 + 3);
    unsigned bits = 0; /* not yet written, the lowest n_bits of it */
    unsigned n_bits = 0;
    size_t n = 0;

    if (text.n % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        unsigned d = digits[(unsigned char)text.p[i]];

        if (d == 64) {
            return false;
        }
        bits = (bits << 6 | d) & 0xfff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (char)(unsigned char)(bits >> n_bits & 0xff);
        }
    }
    *bytes = (struct gw_str){out, n};
    return (bits & ((1u << n_bits) - 1)) == 0; /* else another text has the same bytes */
}

/* jansson's own limit is 2048 levels, each a C stack frame and an allocation. */
static bool
is_shallow(struct gw_str json)
{
    unsigned depth = 0;
    bool in_text = false;

    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];

        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > GW_JWT_DEPTH_MAX) {
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
    }
    return true;
}

static void
on_json_left(void *value)
{
    json_decref(value);
}

/* An object, owned by the arena; NULL when the text is anything else. */
static json_t *
read_object(struct gw_arena *a, struct gw_str text)
{
    struct gw_str json;

    if (!gw_jwt_base64url(a, text, &json) || !is_shallow(json)) {
        return NULL;
    }
    json_t *value = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL) {
        return NULL;
    }
    gw_arena_defer(a, on_json_left, value);
    return json_is_object(value) ? value : NULL;
}

bool
gw_jwt_text(const json_t *object, const char *name, struct gw_str *out)
{
    const json_t *value = json_object_get(object, name);

    *out = GW_STR_NONE;
    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return false;
    }
    *out = (struct gw_str){json_string_value(value), json_string_length(value)};
    return true;
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

    if (json_object_get(t->header, "crit") != NULL || json_object_get(t->header, "b64") != NULL) {
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
    t->header = read_object(a, header);
    if (t->header == NULL) {
        *why = "the header is not base64url of a JSON object without duplicate members";
        return GW_ERR_TOKEN_MALFORMED;
    }
    t->claims = read_object(a, payload);
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
