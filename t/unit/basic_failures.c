/* basic_failures.c - wrong passwords are counted for so long, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/basic_failures.h"

#define LIMIT  3
#define WINDOW 600000

static struct gw_basic_failures *f;

static int
begin(void **state)
{
    (void)state;
    f = gw_basic_failures_new();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    gw_basic_failures_free(f);
    gw_basic_failures_free(NULL);
    return 0;
}

static struct gw_basic_window
at(uint64_t now_ms)
{
    return (struct gw_basic_window){.now_ms = now_ms, .window_ms = WINDOW, .tracked = 1000};
}

static uint64_t
wait_of(uint64_t key, uint64_t now_ms)
{
    struct gw_basic_window w = at(now_ms);

    return gw_basic_failures_wait(f, key, LIMIT, &w);
}

static void
guess_wrong(uint64_t key, uint64_t now_ms)
{
    struct gw_basic_window w = at(now_ms);

    gw_basic_failures_begin(f, key, &w);
    gw_basic_failures_end(f, key);
    gw_basic_failures_add(f, key, &w);
}

static void
test_a_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(wait_of(1, 1000 + i), 0);
        guess_wrong(1, 1000 + i);
        assert_false(gw_basic_failures_none(f, 1));
    }
    assert_true(gw_basic_failures_none(f, 2));
    assert_int_equal(wait_of(1, 2000), WINDOW - 1000); /* from the first */
    assert_int_equal(wait_of(2, 2000), 0);             /* nobody else */
    assert_int_equal(wait_of(1, 1000 + WINDOW - 1), 1);
    assert_int_equal(wait_of(1, 1000 + WINDOW), 0);
    guess_wrong(1, 1000 + WINDOW); /* a new window */
    assert_int_equal(wait_of(1, 2000 + WINDOW), 0);
    struct gw_basic_window w = at(2000);
    assert_int_equal(gw_basic_failures_wait(f, 1, 0, &w), 0); /* no limit */
}

/* Guesses that are made at once are no more than those that are made one after the other. */
static void
test_under_way(void **state)
{
    struct gw_basic_window w = at(1000);

    (void)state;
    guess_wrong(1, 1000);
    gw_basic_failures_begin(f, 1, &w);
    assert_int_equal(wait_of(1, 1000), 0);
    gw_basic_failures_begin(f, 1, &w);
    assert_int_equal(wait_of(1, 1000), 1); /* a moment */
    gw_basic_failures_end(f, 1);           /* it was right */
    assert_int_equal(wait_of(1, 1000), 0);
    gw_basic_failures_end(f, 1);
    gw_basic_failures_end(f, 1); /* more than there were: no harm */
    assert_int_equal(wait_of(1, 1000), 0);
    gw_basic_failures_end(f, 99);
}

/* A check that ends in the next window leaves nothing behind. */
static void
test_under_way_when_it_is_over(void **state)
{
    struct gw_basic_window w = at(1000);
    struct gw_basic_window later = at(1000 + WINDOW);

    (void)state;
    gw_basic_failures_begin(f, 1, &w);
    gw_basic_failures_begin(f, 1, &later);
    gw_basic_failures_end(f, 1);
    gw_basic_failures_end(f, 1);
    assert_int_equal(gw_basic_failures_count(f), 0);
}

static void
test_who_was_right_leaves_nothing(void **state)
{
    struct gw_basic_window w = at(1000);

    (void)state;
    for (uint64_t key = 0; key < 100; key++) {
        gw_basic_failures_begin(f, key, &w);
        gw_basic_failures_end(f, key);
        assert_true(gw_basic_failures_none(f, key));
    }
    assert_int_equal(gw_basic_failures_count(f), 0);
}

static void
test_bounded(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 5000; key++) {
        guess_wrong(key * 4096, 1000 + key); /* all in one chain */
    }
    assert_int_equal(gw_basic_failures_count(f), 1000);
    for (unsigned i = 1; i < LIMIT; i++) {
        guess_wrong(4999ULL * 4096, 6000);
    }
    assert_int_not_equal(wait_of(4999ULL * 4096, 6000), 0);
    guess_wrong(7, 6000 + WINDOW); /* all others are over */
    assert_int_equal(gw_basic_failures_count(f), 1);
}

static void
test_keys(void **state)
{
    (void)state;
    assert_int_equal(gw_basic_failures_key(GW_BASIC_OF_USER, GW_STR("10.0.0.1")),
                     gw_basic_failures_key(GW_BASIC_OF_USER, GW_STR("10.0.0.1")));
    assert_int_not_equal(gw_basic_failures_key(GW_BASIC_OF_USER, GW_STR("10.0.0.1")),
                         gw_basic_failures_key(GW_BASIC_OF_ADDRESS, GW_STR("10.0.0.1")));
    assert_int_not_equal(gw_basic_failures_key(GW_BASIC_OF_USER, GW_STR("a")),
                         gw_basic_failures_key(GW_BASIC_OF_USER, GW_STR("b")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_under_way, begin, end),
        cmocka_unit_test_setup_teardown(test_under_way_when_it_is_over, begin, end),
        cmocka_unit_test_setup_teardown(test_who_was_right_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_keys, begin, end),
    };

    return cmocka_run_group_tests_name("basic_failures", tests, NULL, NULL);
}
