/* jwt.c - tokens: which are taken, which are refused, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/jwt_tokens.h"

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
    t = hs256(HS256, "{\"iss\":\"http://iss\",\"username\":\"tom\",\"sub\":"
                     "\"kubesphere:serviceaccount:ns:robot\",\"token_type\":\"static_token\"}");
    assert_int_equal(gw_jwt_verify(verifiers, arena, t, NOW_MS, &c, &why), GW_ERR_OK);
    assert_true(gw_str_eq(c.subject.name, GW_STR("tom")));
    assert_int_equal(c.subject.n_groups, 0);

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_algorithm), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_text_forms),      cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_identity),        cmocka_unit_test(test_golden),
    };

    return cmocka_run_group_tests_name("jwt", tests, tokens_set_up, tokens_tear_down);
}
