/* identity_assertion.c - what an assertion says, that it is signed, and when it is sent again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/pem.h>

#include "gateway/worlds.h"
#include "modules/identity_assertion.h"
#include "modules/identity_cache.h"
#include "modules/jwt_token.h"
#include "t/lib/identity_key.h"

extern const struct gw_module gw_mod_identity;

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define NOW_MS  UINT64_C(1800000000999)

static struct gw_arena *arena;
static struct gw_identity_settings *settings;
static struct gw_identity_signer *signer;

static struct gw_identity_settings *
load(const char *json_text)
{
    struct gw_diag diag = {0};
    struct gw_loader l = {.arena = arena, .diag = &diag};
    struct gw_identity_settings *s = gw_arena_alloc(arena, sizeof(*s));
    json_t *json = json_loads(json_text, 0, NULL);
    const char *why = "";

    assert_true(gw_schema_load(&l, s, json, gw_identity_rows, "identity", NULL));
    assert_true(gw_identity_settings_open(s, &l));
    assert_true(gw_identity_keys_sign(&s->keys, GW_STR(RFC_KEY), &why));
    json_decref(json);
    gw_diag_fini(&diag);
    return s;
}

static int
begin(void **state)
{
    (void)state;
    arena = gw_arena_new();
    settings = load("{}");
    signer = gw_identity_signer_new(settings);
    return signer == NULL;
}

static int
end(void **state)
{
    (void)state;
    gw_identity_signer_free(signer);
    gw_identity_settings_close(settings);
    gw_arena_free(arena);
    return 0;
}

/* ---- the token ---------------------------------------------------------------------------- */

static json_t *
part(struct gw_str encoded)
{
    struct gw_str text;

    assert_true(gw_jwt_base64url(arena, encoded, &text));
    json_t *json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

/* r and s as OpenSSL wants them; the length. */
static int
der_of(unsigned char **der, struct gw_str signature)
{
    const unsigned char *raw = (const unsigned char *)signature.p;
    ECDSA_SIG *pair = ECDSA_SIG_new();

    assert_int_equal(signature.n, 64);
    assert_int_equal(ECDSA_SIG_set0(pair, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)),
                     1);
    *der = NULL;
    int n = i2d_ECDSA_SIG(pair, der);
    ECDSA_SIG_free(pair);
    return n;
}

/* Is the signature that of the public key? */
static bool
is_signed(struct gw_str token)
{
    BIO *bio = BIO_new_mem_buf(RFC_PUBLIC, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct gw_str rest = token;
    struct gw_str signature;
    unsigned char *der;

    (void)gw_str_cut(&rest, '.');
    (void)gw_str_cut(&rest, '.');
    assert_true(gw_jwt_base64url(arena, rest, &signature));
    int n = der_of(&der, signature);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    bool good = EVP_DigestVerify(ctx, der, (size_t)n, (const unsigned char *)token.p,
                                 token.n - rest.n - 1) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

/* Signs, checks header and signature, and returns the claims. */
static json_t *
claims_of(const struct gw_subject *s, const char *audience)
{
    struct gw_buf out = {0};

    assert_true(gw_identity_sign(signer, s, gw_str_of(audience), NOW_MS, &out));
    struct gw_str rest = gw_arena_str(arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    assert_true(is_signed(rest));
    json_t *header = part(gw_str_cut(&rest, '.'));
    json_t *expected = json_pack("{s:s, s:s, s:s}", "alg", "ES256", "typ", "JWT", "kid", RFC_KID);
    assert_true(json_equal(header, expected));
    json_decref(header);
    json_decref(expected);
    return part(gw_str_cut(&rest, '.'));
}

static void
test_all_claims(void **state)
{
    static const struct gw_str groups[] = {{"system:authenticated", 20}, {"dev \"team\"\n", 11}};
    static const struct gw_subject_extra extra[] = {
        {{"k", 1}, {"1", 1}}, {{"Scopes/A b", 10}, {"x", 1}}, {{"k", 1}, {"", 0}}};
    const struct gw_subject s = {.name = GW_STR("zo\xc3\xab"),
                                 .uid = GW_STR("42"),
                                 .groups = groups,
                                 .n_groups = N(groups),
                                 .extra = extra,
                                 .n_extra = N(extra)};
    json_t *claims = claims_of(&s, "devops");
    json_t *jti = json_incref(json_object_get(claims, "jti"));
    json_t *expected = json_pack(
        "{s:s, s:s, s:s, s:s, s:[s,s], s:s, s:{s:[s,s], s:[s]}, s:s, s:I, s:I, s:I}", "iss",
        "ksgate", "aud", "devops", "sub", "zo\xc3\xab", "username", "zo\xc3\xab", "groups",
        "system:authenticated", "dev \"team\"\n", "uid", "42", "extra", "k", "1", "", "Scopes/A b",
        "x", "token_type", "assertion", "iat", (json_int_t)1800000000, "nbf",
        (json_int_t)1799999995, "exp", (json_int_t)1800000060);

    (void)state;
    assert_non_null(expected);
    assert_int_equal(json_string_length(jti), 22);
    (void)json_object_del(claims, "jti");
    assert_true(json_equal(claims, expected));
    json_decref(claims);
    json_decref(expected);

    claims = claims_of(&s, "devops");
    assert_false(json_equal(json_object_get(claims, "jti"), jti)); /* of its own */
    json_decref(jti);
    json_decref(claims);
}

static void
test_few_claims(void **state)
{
    const struct gw_subject s = {.name = GW_STR("kubesphere:serviceaccount:ns:sa")};
    json_t *claims = claims_of(&s, "a");

    (void)state;
    assert_int_equal(json_array_size(json_object_get(claims, "groups")), 0);
    assert_null(json_object_get(claims, "uid"));
    assert_null(json_object_get(claims, "extra"));
    json_decref(claims);
}

/* Whatever a name holds, it is one value; what can't be said is not said in other words. */
static void
test_odd_names(void **state)
{
    static const char *const good[] = {
        "a\"b",     "a\\b",         "\",\"sub\":\"admin", "a\r\nX-Remote-User: root",
        "\x01\x7f", "\xe2\x80\xa8", "\xf0\x9f\x90\xb1",   "%41",
        " a "};
    static const char *const bad[] = {"\xff", "\xc3", "a\xe2\x82", "\xed\xa0\x80", "\xc0\x80"};

    (void)state;
    for (size_t i = 0; i < N(good); i++) {
        const struct gw_subject s = {.name = gw_str_of(good[i])};
        json_t *claims = claims_of(&s, "a");

        assert_string_equal(json_string_value(json_object_get(claims, "sub")), good[i]);
        json_decref(claims);
    }
    for (size_t i = 0; i < N(bad); i++) {
        const struct gw_str name = gw_str_of(bad[i]);
        const struct gw_subject_extra extra = {name, GW_STR("x")};
        const struct gw_subject cases[] = {
            {.name = name},
            {.name = GW_STR("a"), .uid = name},
            {.name = GW_STR("a"), .groups = &name, .n_groups = 1},
            {.name = GW_STR("a"), .extra = &extra, .n_extra = 1},
        };
        for (size_t k = 0; k < N(cases); k++) {
            struct gw_buf out = {0};

            assert_false(gw_identity_sign(signer, &cases[k], GW_STR("a"), NOW_MS, &out));
            assert_int_equal(out.n, 0);
            gw_buf_fini(&out);
        }
    }
}

/* r and s are as long as the curve also when they are small numbers. */
static void
test_every_signature_is_as_long(void **state)
{
    const struct gw_subject s = {.name = GW_STR("a")};

    (void)state;
    for (int i = 0; i < 600; i++) { /* one in 128 has a zero in front */
        struct gw_buf out = {0};

        assert_true(gw_identity_sign(signer, &s, GW_STR("a"), NOW_MS, &out));
        const char *dot = strrchr(out.p, '.');
        assert_int_equal(strlen(dot + 1), 86);
        assert_true(is_signed(gw_buf_text(&out)));
        gw_buf_fini(&out);
    }
}

/* ---- the cache ---------------------------------------------------------------------------- */

static struct gw_assertion *
put(struct gw_identity_cache *c, const struct gw_subject *s, const char *audience, const char *text,
    uint64_t now_ms)
{
    struct gw_assertion *a = gw_assertion_new(s, gw_str_of(audience), gw_str_of(text), now_ms);

    gw_identity_cache_put(c, a);
    gw_assertion_unref(a);
    return a;
}

static void
test_found_by_all_it_says(void **state)
{
    static const struct gw_str ab[] = {{"a", 1}, {"b", 1}};
    static const struct gw_str ba[] = {{"b", 1}, {"a", 1}};
    static const struct gw_str joined[] = {{"ab", 2}};
    static const struct gw_subject_extra x[] = {{{"k", 1}, {"v", 1}}};
    static const struct gw_subject_extra y[] = {{{"k", 1}, {"w", 1}}};
    static const struct gw_subject all[] = {
        {.name = {"u", 1}},
        {.name = {"v", 1}},
        {.name = {"u", 1}, .uid = {"1", 1}},
        {.name = {"u", 1}, .groups = ab, .n_groups = 1},
        {.name = {"u", 1}, .groups = ab, .n_groups = 2},
        {.name = {"u", 1}, .groups = ba, .n_groups = 2},
        {.name = {"u", 1}, .groups = joined, .n_groups = 1},
        {.name = {"u", 1}, .extra = x, .n_extra = 1},
        {.name = {"u", 1}, .extra = y, .n_extra = 1},
        {.name = {"", 0}, .uid = {"u", 1}},
    };
    static const char *const audiences[] = {"devops", "metrics"};
    struct gw_identity_cache *c = gw_identity_cache_new(1 << 20, 30000);

    (void)state;
    for (size_t i = 0; i < N(all) * 2; i++) {
        char text[24];
        struct gw_str audience = gw_str_of(audiences[i % 2]);

        (void)snprintf(text, sizeof(text), "%zu", i);
        assert_null(gw_identity_cache_get(c, &all[i / 2], audience, NOW_MS));
        (void)put(c, &all[i / 2], audience.p, text, NOW_MS);
    }
    for (size_t i = 0; i < N(all) * 2; i++) {
        char text[24];
        const struct gw_assertion *a =
            gw_identity_cache_get(c, &all[i / 2], gw_str_of(audiences[i % 2]), NOW_MS);

        (void)snprintf(text, sizeof(text), "%zu", i);
        assert_non_null(a);
        assert_true(gw_str_eq(a->text, gw_str_of(text)));
    }
    gw_identity_cache_free(c);
    gw_identity_cache_free(NULL);
}

static void
test_fresh_for_so_long(void **state)
{
    const struct gw_subject s = {.name = GW_STR("u")};
    const struct gw_str aud = GW_STR("e");
    struct gw_identity_cache *c = gw_identity_cache_new(1 << 20, 30000);

    (void)state;
    (void)put(c, &s, "e", "old", NOW_MS);
    assert_non_null(gw_identity_cache_get(c, &s, aud, NOW_MS + 29999));
    assert_null(gw_identity_cache_get(c, &s, aud, NOW_MS + 30000));
    assert_null(gw_identity_cache_get(c, &s, aud, NOW_MS - 1)); /* the clock has come back */
    (void)put(c, &s, "e", "new", NOW_MS + 20000);
    assert_int_equal(gw_identity_cache_count(c), 2);
    assert_true(gw_str_eq(gw_identity_cache_get(c, &s, aud, NOW_MS + 40000)->text, GW_STR("new")));
    (void)put(c, &s, "f", "third", NOW_MS + 49999);
    assert_int_equal(gw_identity_cache_count(c), 2); /* what was stale is gone */
    gw_identity_cache_free(c);
}

static void
test_memory_is_bounded(void **state)
{
    const struct gw_str aud = GW_STR("e");
    struct gw_identity_cache *c = gw_identity_cache_new(100000, 30000);
    struct gw_assertion *kept = NULL;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "user-%u", i);
        const struct gw_subject s = {.name = gw_str_of(name)};

        (void)put(c, &s, "e", "text", NOW_MS);
        assert_true(gw_identity_cache_bytes(c) <= 100000);
        struct gw_assertion *a = gw_identity_cache_get(c, &s, aud, NOW_MS);
        assert_non_null(a);
        if (i == 0) { /* a request still has it when it has gone from here */
            a->refs++;
            kept = a;
        }
    }
    size_t n = gw_identity_cache_count(c);
    assert_true(n > 256 && n < 5000); /* the table has grown */
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof(name), "user-%u", i);
        const struct gw_subject s = {.name = gw_str_of(name)};

        assert_int_equal(gw_identity_cache_get(c, &s, aud, NOW_MS) != NULL, i >= 5000 - n);
    }
    assert_true(gw_str_eq(kept->subject.name, GW_STR("user-0")));
    gw_assertion_unref(kept);
    gw_identity_cache_free(c);

    c = gw_identity_cache_new(10, 30000);
    (void)put(c, &(struct gw_subject){.name = GW_STR("u")}, "e", "too big", NOW_MS);
    assert_int_equal(gw_identity_cache_count(c), 0);
    gw_identity_cache_free(c);
}

/* ---- the step ----------------------------------------------------------------------------- */

static struct gw_req *
request_of(struct gw_world *world, const char *user, const char *extension, uint64_t now_ms)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));

    req->arena = a;
    req->world = world;
    req->head = gw_arena_alloc(a, sizeof(*req->head));
    req->decision.route = GW_ROUTE_EXTENSIONS;
    req->decision.extension = gw_str_of(extension);
    req->decision.wall_ms = now_ms;
    req->identity = GW_IDENTITY_ASSERTION;
    req->subject.name = gw_str_of(user);
    return req;
}

/* What the backend gets; to be freed. */
static char *
sent(struct gw_world *world, const void *conf, const char *user, const char *extension,
     uint64_t now_ms)
{
    struct gw_req *req = request_of(world, user, extension, now_ms);

    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, conf), GW_NEXT);
    assert_int_equal(req->up.n_add, 1); /* and nothing else */
    assert_true(gw_str_eq(req->up.add[0].name, GW_STR("X-Ksgate-Assertion")));
    assert_true(gw_header_is_identity(req->up.add[0].name)); /* so no client can send it */
    assert_true(is_signed(req->up.add[0].value));
    char *copy = strndup(req->up.add[0].value.p, req->up.add[0].value.n);
    gw_arena_free(req->arena);
    return copy;
}

static void
expect(struct gw_world *world, const struct gw_identity_settings *s, const char *user,
       const char *extension, uint64_t now_ms, const char *before, bool same)
{
    char *now = sent(world, s, user, extension, now_ms);

    assert_int_equal(strcmp(now, before) == 0, same);
    free(now);
}

static void
test_the_step(void **state)
{
    struct gw_world *world = gw_world_new(0, NULL, NULL, 0);
    struct gw_identity_settings *uncached = load("{\"cache\":0}");
    struct gw_buf metrics = {0};
    char *first = sent(world, settings, "alice", "devops", NOW_MS);

    (void)state;
    expect(world, settings, "alice", "devops", NOW_MS + 29999, first, true);
    expect(world, settings, "bob", "devops", NOW_MS, first, false);
    expect(world, settings, "alice", "metrics", NOW_MS, first, false);
    expect(world, settings, "alice", "devops", NOW_MS, first, true);
    expect(world, settings, "alice", "devops", NOW_MS + 30000, first, false);
    expect(world, uncached, "alice", "devops", NOW_MS, first, false);
    expect(world, settings, "alice", "devops", NOW_MS, first, false); /* as after a reload */
    gw_mod_identity.metrics(&metrics, &world, 1);
    assert_non_null(strstr(metrics.p, "ksgate_assertions_total{result=\"cached\"} 2\n"));
    assert_non_null(strstr(metrics.p, "ksgate_assertions_total{result=\"signed\"} 6\n"));
    assert_non_null(strstr(metrics.p, "ksgate_assertion_cache_entries 1\n"));
    gw_buf_fini(&metrics);
    free(first);
    gw_world_free(world);
    gw_identity_settings_close(uncached);
}

/* A backend that is to be told is never asked without: it would take that for a direct call. */
static void
test_without_a_key(void **state)
{
    struct gw_world *world = gw_world_new(0, NULL, NULL, 0);
    struct gw_identity_settings none = {.no_key = "why", .served = true, .own_file = "x"};
    struct gw_req *req = request_of(world, "alice", "devops", NOW_MS);

    (void)state;
    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, &none), GW_FAIL);
    assert_int_equal(req->err, GW_ERR_NO_SIGNING_KEY);
    assert_string_equal(req->detail, "why");
    none.served = false; /* offline: the gateway that serves will have made one */
    req->dry = true;
    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, &none), GW_NEXT);
    none.own_file = NULL;
    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, &none), GW_FAIL);
    assert_int_equal(req->up.n_add, 0);
    gw_arena_free(req->arena);
    req = request_of(world, "\xff", "devops", NOW_MS);
    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, settings), GW_FAIL);
    assert_int_equal(req->err, GW_ERR_INTERNAL);
    assert_int_equal(req->up.n_add, 0);
    gw_arena_free(req->arena);
    gw_world_free(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_claims),
        cmocka_unit_test(test_few_claims),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_every_signature_is_as_long),
        cmocka_unit_test(test_found_by_all_it_says),
        cmocka_unit_test(test_fresh_for_so_long),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_the_step),
        cmocka_unit_test(test_without_a_key),
    };
    int failed = cmocka_run_group_tests_name("identity_assertion", tests, begin, end);

    gw_arena_trim();
    return failed;
}
