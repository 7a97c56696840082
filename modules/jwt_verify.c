#include "modules/jwt_verify.h"

#include <stdlib.h>

#include "base/mem.h"
#include "modules/jwt_claims.h"
#include "modules/jwt_signature.h"
#include "modules/jwt_token.h"

struct gw_jwt_verifiers {
    const struct gw_jwt_settings *settings;
    size_t n;
    struct gw_jwt_verifier *list[]; /* [issuer * GW_JWT_ALGS + its algorithm]; made when needed */
};

static size_t
count(const struct gw_jwt_settings *s)
{
    return s->issuers.n * GW_JWT_ALGS;
}

struct gw_jwt_verifiers *
gw_jwt_verifiers_new(const struct gw_jwt_settings *settings)
{
    struct gw_jwt_verifiers *v =
        gw_mem_alloc(sizeof(*v) + count(settings) * sizeof(struct gw_jwt_verifier *));

    v->settings = settings;
    v->n = count(settings);
    return v;
}

void
gw_jwt_verifiers_free(struct gw_jwt_verifiers *v)
{
    for (size_t i = 0; v != NULL && i < v->n; i++) {
        gw_jwt_verifier_free(v->list[i]);
    }
    free(v);
}

static bool
check_with(struct gw_jwt_verifiers *v, size_t issuer, size_t alg, const struct gw_jwt_token *t)
{
    const struct gw_jwt_issuer *s = gw_jwt_issuer_at(v->settings, issuer);
    struct gw_jwt_verifier **slot = &v->list[issuer * GW_JWT_ALGS + alg];

    if (*slot == NULL) {
        *slot = gw_jwt_verifier_new(&s->key, s->algs[alg]);
    }
    return *slot != NULL && gw_jwt_verifier_check(*slot, t->signed_text, t->signature);
}

/* By one row of the issuers: the one whose key made the signature.  err keeps what came nearest:
 * issuer, then algorithm, then signature. */
static bool
check_by_row(struct gw_jwt_verifiers *v, size_t i, const struct gw_jwt_token *t, enum gw_err *err)
{
    const struct gw_jwt_issuer *s = gw_jwt_issuer_at(v->settings, i);

    if (!gw_str_eq(t->issuer, gw_str_of(s->issuer))) {
        return false;
    }
    if (*err == GW_ERR_TOKEN_ISSUER) {
        *err = GW_ERR_TOKEN_ALGORITHM;
    }
    for (size_t k = 0; k < s->n_algs; k++) {
        if (gw_str_eq(t->alg, gw_str_of(s->algs[k]->name))) {
            *err = GW_ERR_TOKEN_SIGNATURE;
            return check_with(v, i, k, t);
        }
    }
    return false;
}

enum gw_err
gw_jwt_verify(struct gw_jwt_verifiers *v, struct gw_arena *a, struct gw_str token, uint64_t now_ms,
              struct gw_jwt_claims *out, const char **why)
{
    struct gw_jwt_token t;
    enum gw_err err = gw_jwt_token_split(&t, a, token, why);

    *out = (struct gw_jwt_claims){0};
    if (err != GW_ERR_OK) {
        return err;
    }
    err = GW_ERR_TOKEN_ISSUER;
    for (size_t i = 0; i < v->settings->issuers.n; i++) {
        if (check_by_row(v, i, &t, &err)) {
            out->issuer = gw_jwt_issuer_at(v->settings, i);
            out->key_id = t.kid;
            return gw_jwt_claims_read(out, a, t.claims, now_ms, why);
        }
    }
    *why = err == GW_ERR_TOKEN_ISSUER      ? "no such issuer in authentication.issuers"
           : err == GW_ERR_TOKEN_ALGORITHM ? "the alg is not among the issuer's algorithms"
                                           : "no key of the issuer made this signature";
    return err;
}
