#include "modules/login_id.h"

#include "modules/jwt_token.h"
#include "modules/login_random.h"

#define LEEWAY_MS 60000 /* between the provider's clock and ours */

static bool
is(const struct gw_jwt_json *claims, const char *name, struct gw_str text)
{
    const struct gw_jwt_json *v = gw_jwt_json_get(claims, name);

    return gw_jwt_json_is(v, GW_JWT_JSON_TEXT) && gw_str_eq(v->text, text);
}

/* For us, and for nobody else unless it says that we are the one who has asked for it (azp). */
static const char *
fault_of_audience(const struct gw_jwt_json *claims, struct gw_str client)
{
    const struct gw_jwt_json *aud = gw_jwt_json_get(claims, "aud");
    const struct gw_jwt_json *one;
    bool ours = is(claims, "aud", client);
    unsigned n = ours ? 1 : 0;

    if (gw_jwt_json_is(aud, GW_JWT_JSON_ARRAY)) {
        for (one = gw_jwt_json_first(aud); one != NULL; one = gw_jwt_json_next(aud, one)) {
            ours = ours || (gw_jwt_json_is(one, GW_JWT_JSON_TEXT) && gw_str_eq(one->text, client));
            n++;
        }
    }
    bool has_azp = gw_jwt_json_get(claims, "azp") != NULL;
    if (!ours) {
        return "the ID token's aud is not login.client_id";
    }
    return (has_azp || n > 1) && !is(claims, "azp", client)
               ? "the ID token's azp is not login.client_id"
               : NULL;
}

static bool
is_over(const struct gw_jwt_json *claims, uint64_t now_ms)
{
    const struct gw_jwt_json *exp = gw_jwt_json_get(claims, "exp");

    return !gw_jwt_json_is(exp, GW_JWT_JSON_INTEGER) || exp->number.integer <= 0 ||
           exp->number.integer > INT64_MAX / 2000 ||
           (uint64_t)exp->number.integer * 1000 + LEEWAY_MS <= now_ms;
}

const char *
gw_login_id_fault(struct gw_arena *a, struct gw_str token, const struct gw_login_expected *e,
                  struct gw_str *subject)
{
    struct gw_jwt_token t;
    struct gw_str nonce;
    const char *why;

    *subject = GW_STR_NONE;
    if (gw_jwt_token_split(&t, a, token, &why) != GW_ERR_OK ||
        !gw_jwt_text(t.claims, "sub", subject) || subject->n == 0) {
        return "the ID token is no JSON Web Token with a sub";
    }
    if (gw_str_eq_nocase(t.alg, GW_STR("none"))) {
        return "the ID token is not signed";
    }
    if (!gw_str_eq(t.issuer, e->issuer)) {
        return "the ID token's iss is not login.issuer";
    }
    why = fault_of_audience(t.claims, e->client_id);
    if (why != NULL) {
        return why;
    }
    if (is_over(t.claims, e->now_ms)) {
        return "the ID token has no exp, or has expired";
    }
    if (e->nonce.n > 0 &&
        (!gw_jwt_text(t.claims, "nonce", &nonce) || !gw_login_same(nonce, e->nonce))) {
        return "the ID token's nonce is not that of this login";
    }
    return e->subject.n > 0 && !gw_str_eq(*subject, e->subject)
               ? "the ID token is another user's than before"
               : NULL;
}
