/* Any bytes as a set of keys.  What is taken is a key that OpenSSL can use, for at least one
 * algorithm that it fits, and reading its own JWK again gives no other. */
#include <assert.h>
#include <stdlib.h>

#include "modules/jwt_jwk.h"
#include "modules/jwt_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_key(struct gw_jwt_key *key, const json_t *jwk, struct gw_jwks_rules rules)
{
    const struct gw_jwt_alg *alg;
    struct gw_jwt_key *again = NULL;
    char why[200];
    unsigned at = 0;

    assert(key->algs != 0 && key->usual != 0 && (key->usual & ~key->algs) == 0);
    assert(!rules.published || key->pkey != NULL);
    while ((alg = gw_jwt_alg_next(key->algs, &at)) != NULL) {
        struct gw_jwt_verifier *v = gw_jwt_verifier_new(key, alg);

        assert(v != NULL);
        assert(!gw_jwt_verifier_check(v, GW_STR("text"), NULL, GW_STR("no signature of it")));
        gw_jwt_verifier_free(v);
    }
    /* Whether a number is a modulus, OpenSSL finds out by chance: it may say otherwise of one that
     * is none. */
    enum gw_jwk_result result = gw_jwk_read(jwk, rules, &again, why);
    assert(result == GW_JWK_KEY || (key->pkey != NULL && EVP_PKEY_is_a(key->pkey, "RSA") == 1));
    assert(again == NULL || gw_jwt_key_eq(key, again));
    gw_jwt_key_unref(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct gw_diag diag = {0};
    struct gw_jwks set;
    struct gw_jwks_rules rules = {.published = n > 0 && data[n - 1] == '\n'};
    bool good = gw_jwks_read(&set, (struct gw_str){(const char *)data, n}, rules, &diag,
                             (struct gw_place){0}, "set");

    assert(good == (diag.errors == 0));
    assert(!good || set.n > 0);
    for (size_t i = 0; i < set.n; i++) {
        check_key(set.keys[i], set.json[i], rules);
    }
    gw_jwks_fini(&set);
    gw_diag_fini(&diag);
    return 0;
}
