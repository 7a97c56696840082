/* jwt_cache.c - tokens that were verified once: found again, bounded, and gone in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/jwt_cache.h"
#include "modules/jwt_token.h"

static struct gw_arena *arena;

static const struct gw_jwt_issuer cache_issuer = {.issuer = "http://iss"};

static struct gw_str
token_of(unsigned i)
{
    return gw_str_of(gw_arena_printf(arena, "token-%08u", i));
}

static void
put_of_key(struct gw_jwt_cache *cache, struct gw_str token, unsigned i, uint64_t expires_ms,
           const struct gw_jwt_key *key)
{
    struct gw_jwt_claims c = {.issuer = &cache_issuer, .expires_ms = expires_ms, .key = key};

    c.subject.name = gw_str_of(gw_arena_printf(arena, "user-%u", i));
    struct gw_jwt_pass *p = gw_jwt_pass_new(cache, &c);
    gw_jwt_cache_put(cache, token, p);
    gw_jwt_pass_unref(p);
}

static struct gw_jwt_pass *
find(struct gw_jwt_cache *cache, unsigned i, uint64_t now_ms)
{
    return gw_jwt_cache_get(cache, token_of(i), now_ms);
}

static void
put(struct gw_jwt_cache *cache, unsigned i, uint64_t expires_ms)
{
    put_of_key(cache, token_of(i), i, expires_ms, NULL);
}

static void
test_cache(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(65536);

    size_t empty = gw_jwt_cache_bytes(cache);

    (void)state;
    put(cache, 1, 1000);
    assert_non_null(find(cache, 1, 999));
    assert_null(find(cache, 2, 999));
    assert_null(find(cache, 1, 1000)); /* it has expired, and is out */
    assert_int_equal(gw_jwt_cache_count(cache), 0);
    assert_int_equal(gw_jwt_cache_bytes(cache), empty);

    put(cache, 1, UINT64_MAX);
    struct gw_jwt_pass *held = find(cache, 1, 0);
    held->refs++; /* as a request does */
    for (unsigned i = 2; i < 5000; i++) {
        put(cache, i, UINT64_MAX);
        assert_true(gw_jwt_cache_bytes(cache) <= 65536);
        if (i % 7 == 0) {
            assert_non_null(find(cache, i, 0));
        }
    }
    assert_null(find(cache, 2, 0));
    assert_non_null(find(cache, 4999, 0));
    assert_true(gw_str_eq(gw_jwt_pass_name(held), GW_STR("user-1")));
    gw_jwt_cache_free(cache);
    assert_true(gw_str_eq(gw_jwt_pass_name(held), GW_STR("user-1")));
    gw_jwt_pass_unref(held);
}

/* What is used stays, whatever comes and goes beside it. */
static void
test_cache_keeps_the_used(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(65536);

    (void)state;
    put(cache, 0, UINT64_MAX);
    for (unsigned i = 1; i < 5000; i++) {
        put(cache, i, UINT64_MAX);
        assert_non_null(find(cache, 0, 0));
    }
    gw_jwt_cache_free(cache);
    cache = gw_jwt_cache_new(64); /* too small for any */
    put(cache, 0, UINT64_MAX);
    assert_int_equal(gw_jwt_cache_count(cache), 0);
    gw_jwt_cache_free(cache);
}

static int
set_up(void **state)
{
    (void)state;
    arena = gw_arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_arena_free(arena);
    gw_arena_trim();
    return 0;
}

/* A key is no longer its issuer's: what it has signed is forgotten, and nothing else. */
static void
test_forget_key(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(1 << 20);
    const struct gw_jwt_key keys[2] = {{.algs = 1}, {.algs = 2}};
    size_t empty = gw_jwt_cache_bytes(cache);

    (void)state;
    gw_jwt_cache_forget_key(cache, &keys[0]); /* an empty one */
    for (unsigned i = 0; i < 1000; i++) {
        put_of_key(cache, token_of(i), i, UINT64_MAX, &keys[i % 3 == 0]);
    }
    gw_jwt_cache_forget_key(cache, &keys[1]);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(find(cache, i, 0) == NULL, i % 3 == 0);
    }
    gw_jwt_cache_forget_key(cache, &keys[0]);
    assert_int_equal(gw_jwt_cache_count(cache), 0);
    assert_in_range(gw_jwt_cache_bytes(cache), empty, empty + 1024 * sizeof(void *));
    gw_jwt_cache_free(cache);
}

/* What is no more than alike is another token. */
static void
test_alike(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(1 << 20);
    char text[128] = {0};

    (void)state;
    for (size_t i = 0; i < 90;
         i++) { /* 90 bytes: with NULs behind them, the last block is the same */
        text[i] = (char)('a' + i % 26);
    }
    struct gw_str token = {text, 90};
    put_of_key(cache, token, 1, UINT64_MAX, NULL);
    for (size_t bit = 0; bit < 8 * token.n; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        assert_null(gw_jwt_cache_get(cache, token, 0));
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n <= sizeof(text); n++) { /* a beginning of it; more than it */
        assert_true((gw_jwt_cache_get(cache, (struct gw_str){text, n}, 0) != NULL) == (n == 90));
    }
    for (size_t at = 16; at < 80; at += 16) { /* the same blocks in another order */
        char other[90];

        memcpy(other, text + at, 80 - at);
        memcpy(other + 80 - at, text, at);
        memcpy(other + 80, text + 80, 10);
        assert_null(gw_jwt_cache_get(cache, (struct gw_str){other, 90}, 0));
    }
    assert_non_null(gw_jwt_cache_get(cache, token, 0));
    gw_jwt_cache_free(cache);
}

/* No token is longer than that; what comes as one is not looked for. */
static void
test_too_long(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(1 << 20);
    char *text = gw_arena_alloc(arena, GW_JWT_TOKEN_MAX + 1);

    (void)state;
    memset(text, 'x', GW_JWT_TOKEN_MAX + 1);
    struct gw_str token = {text, GW_JWT_TOKEN_MAX};
    put_of_key(cache, token, 1, UINT64_MAX, NULL);
    assert_non_null(gw_jwt_cache_get(cache, token, 0));
    token.n++;
    assert_null(gw_jwt_cache_get(cache, token, 0));
    gw_jwt_cache_free(cache);
}

/* Another cache has another key: nothing that was learnt of one is of use with the other. */
static void
test_keys_differ(void **state)
{
    struct gw_jwt_cache *caches[2] = {gw_jwt_cache_new(1 << 20), gw_jwt_cache_new(1 << 20)};

    (void)state;
    put(caches[0], 1, UINT64_MAX);
    put(caches[1], 1, UINT64_MAX);
    const struct gw_jwt_pass *p[2] = {find(caches[0], 1, 0), find(caches[1], 1, 0)};
    assert_false(gw_digest_eq(&p[0]->digest, &p[1]->digest));
    gw_jwt_cache_free(caches[0]);
    gw_jwt_cache_free(caches[1]);
}

/* What is said alike is kept once; the same bytes, said otherwise, are not alike. */
static void
test_common(void **state)
{
    static const struct gw_jwt_issuer other_issuer = {.issuer = "http://iss"};
    static const struct gw_str groups[][2] = {
        {{"ab", 2}, {"c", 1}}, {{"a", 1}, {"bc", 2}}, {{"abc", 3}, {"", 0}}};
    static const struct gw_subject_extra extra = {{"ab", 2}, {"c", 1}};
    const struct gw_jwt_claims claims[] = {
        {.issuer = &cache_issuer},
        {.issuer = &other_issuer},
        {.issuer = &cache_issuer, .key_id = GW_STR("k")},
        {.issuer = &cache_issuer, .subject = {.uid = GW_STR("k")}},
        {.issuer = &cache_issuer, .subject = {.groups = groups[0], .n_groups = 2}},
        {.issuer = &cache_issuer, .subject = {.groups = groups[1], .n_groups = 2}},
        {.issuer = &cache_issuer, .subject = {.groups = groups[2], .n_groups = 2}},
        {.issuer = &cache_issuer, .subject = {.groups = groups[2], .n_groups = 1}},
        {.issuer = &cache_issuer, .subject = {.extra = &extra, .n_extra = 1}},
    };
    const size_t n = sizeof(claims) / sizeof(claims[0]);
    struct gw_jwt_commons *all = gw_jwt_commons_new();
    struct gw_jwt_common *made[sizeof(claims) / sizeof(claims[0])];
    size_t empty = gw_jwt_commons_bytes(all);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        made[i] = gw_jwt_common_get(all, &claims[i]);
        for (size_t k = 0; k < i; k++) {
            assert_ptr_not_equal(made[i], made[k]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct gw_jwt_claims c = claims[i];

        c.subject.name = GW_STR("somebody else");
        assert_ptr_equal(gw_jwt_common_get(all, &c), made[i]);
        gw_jwt_common_unref(made[i]);
    }
    for (size_t i = 1; i < n; i++) {
        gw_jwt_common_unref(made[i]);
    }
    assert_in_range(gw_jwt_commons_bytes(all), empty + 1, empty + 512); /* the first is left */
    gw_jwt_commons_free(all);
    assert_true(gw_str_eq(made[0]->issuer, GW_STR("http://iss"))); /* it outlives them */
    gw_jwt_common_unref(made[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),      cmocka_unit_test(test_cache_keeps_the_used),
        cmocka_unit_test(test_forget_key), cmocka_unit_test(test_alike),
        cmocka_unit_test(test_too_long),   cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_common),
    };

    return cmocka_run_group_tests_name("jwt_cache", tests, set_up, tear_down);
}
