/* jwt_cache.c - tokens that were verified once: found again, bounded, and gone in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/jwt_cache.h"

static struct gw_arena *arena;

static const struct gw_jwt_issuer cache_issuer = {.issuer = "http://iss"};

static struct gw_jwt_pass *
pass_of(unsigned i, uint64_t expires_ms)
{
    struct gw_jwt_claims c = {.issuer = &cache_issuer, .expires_ms = expires_ms};

    c.subject.name = gw_str_of(gw_arena_printf(arena, "user-%u", i));
    return gw_jwt_pass_new(gw_str_of(gw_arena_printf(arena, "token-%08u", i)), &c);
}

static struct gw_jwt_pass *
find(struct gw_jwt_cache *cache, unsigned i, uint64_t now_ms)
{
    return gw_jwt_cache_get(cache, gw_str_of(gw_arena_printf(arena, "token-%08u", i)), now_ms);
}

static void
put(struct gw_jwt_cache *cache, unsigned i, uint64_t expires_ms)
{
    struct gw_jwt_pass *p = pass_of(i, expires_ms);

    gw_jwt_cache_put(cache, p);
    gw_jwt_pass_unref(p);
}

static void
test_cache(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(65536);

    (void)state;
    put(cache, 1, 1000);
    assert_non_null(find(cache, 1, 999));
    assert_null(find(cache, 2, 999));
    assert_null(find(cache, 1, 1000)); /* it has expired, and is out */
    assert_int_equal(gw_jwt_cache_count(cache), 0);
    assert_int_equal(gw_jwt_cache_bytes(cache), 0);

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
    assert_true(gw_str_eq(held->subject.name, GW_STR("user-1")));
    gw_jwt_cache_free(cache);
    assert_true(gw_str_eq(held->subject.name, GW_STR("user-1")));
    gw_jwt_pass_unref(held);
}

/* What is used stays, whatever comes and goes beside it. */
static void
test_cache_keeps_the_used(void **state)
{
    struct gw_jwt_cache *cache = gw_jwt_cache_new(16384);

    (void)state;
    put(cache, 0, UINT64_MAX);
    for (unsigned i = 1; i < 2000; i++) {
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

    (void)state;
    gw_jwt_cache_forget_key(cache, &keys[0]); /* an empty one */
    for (unsigned i = 0; i < 1000; i++) {
        struct gw_jwt_pass *p = pass_of(i, UINT64_MAX);

        p->key = &keys[i % 3 == 0];
        gw_jwt_cache_put(cache, p);
        gw_jwt_pass_unref(p);
    }
    gw_jwt_cache_forget_key(cache, &keys[1]);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(find(cache, i, 0) == NULL, i % 3 == 0);
    }
    gw_jwt_cache_forget_key(cache, &keys[0]);
    assert_int_equal(gw_jwt_cache_count(cache), 0);
    assert_int_equal(gw_jwt_cache_bytes(cache), 0);
    gw_jwt_cache_free(cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_keeps_the_used),
        cmocka_unit_test(test_forget_key),
    };

    return cmocka_run_group_tests_name("jwt_cache", tests, set_up, tear_down);
}
