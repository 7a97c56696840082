/* jwt_kid.c - an issuer has several keys: by which of them is a token verified? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/jwt_tokens.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_kid),
        cmocka_unit_test(test_unknown_kid),
        cmocka_unit_test(test_tries_are_bounded),
    };

    return cmocka_run_group_tests_name("jwt_kid", tests, tokens_set_up, tokens_tear_down);
}
