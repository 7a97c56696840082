/* outlier.c - an endpoint whose requests fail: when it is left alone, for how long, how many may
 * be. How the states go is breaker.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "gateway/balance.h"
#include "gateway/upstream.h"
#include "t/lib/own_clock.h"

#define MANY    10U
#define FOR     10000 /* the first pause, and a tenth more at most */
#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_endpoint *all[MANY];
static struct gw_outlier_rules rules;
static struct gw_destination to;
static const struct gw_world_stats *stats;

static int
setup(void **state)
{
    (void)state;
    gw_log_level(GW_LOG_ERROR);
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    stats = gw_world_stats(world);
    for (unsigned i = 0; i < MANY; i++) {
        const char *why;
        char url[32];

        (void)snprintf(url, sizeof(url), "http://10.0.0.%u:80", i);
        all[i] = gw_world_endpoint(world, gw_str_of(url), &why);
        gw_endpoint_want(all[i]);
    }
    rules = (struct gw_outlier_rules){.errors = 2, .eject_ms = FOR, .max_ejected = 50};
    to = (struct gw_destination){.endpoints = all, .n_endpoints = 2, .outlier = &rules};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        gw_world_endpoint_release(world, all[i]);
    }
    assert_int_equal(stats->ejected, 0); /* who goes takes its state along */
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

static void
fail_at(unsigned i, unsigned times)
{
    while (times-- > 0) {
        gw_outlier_failed(all[i], &to, false, 0, "it answered 502");
    }
}

static void
be_silent_at(unsigned i, unsigned times)
{
    while (times-- > 0) {
        gw_outlier_failed(all[i], &to, true, 0, "no answer");
    }
}

static bool
is_ejected(unsigned i)
{
    return !gw_outlier_admits(all[i]) && !gw_outlier_refuses(all[i]);
}

static bool
is_open(unsigned i)
{
    return !gw_outlier_admits(all[i]) && gw_outlier_refuses(all[i]);
}

static void
until_trial(unsigned i)
{
    own_clock_pass(loop, gw_outlier_wait_ms(all[i]));
}

/* -- when ----------------------------------------------------------------------------------------
 */

static void
so_many_failures_in_a_row(void **state)
{
    static const unsigned limits[] = {1, 2, 5, 1000};

    (void)state;
    for (size_t i = 0; i < N(limits); i++) {
        rules.errors = limits[i];
        fail_at(0, limits[i] - 1);
        assert_true(gw_outlier_admits(all[0]) && !gw_outlier_refuses(all[0]));
        gw_outlier_ok(all[0]);
        fail_at(0, limits[i] - 1); /* they begin anew */
        assert_true(gw_outlier_admits(all[0]));
        fail_at(0, 1);
        assert_true(is_ejected(0));
        assert_true(gw_outlier_admits(all[1]));
        gw_outlier_ok(all[0]);
        assert_true(gw_outlier_admits(all[0]));
    }
    rules.errors = 0; /* never */
    fail_at(0, 3000);
    be_silent_at(0, 3000);
    assert_true(gw_outlier_admits(all[0]));
}

static void
twice_as_many_without_a_sign_and_it_gets_nothing(void **state)
{
    (void)state;
    to.n_endpoints = 1;
    fail_at(0, 100); /* there is no other, and it speaks */
    assert_true(gw_outlier_admits(all[0]));
    be_silent_at(0, 3);
    assert_true(gw_outlier_admits(all[0]));
    be_silent_at(0, 1);
    assert_true(is_open(0));
    to.n_endpoints = 2; /* where another is, it goes both ways */
    be_silent_at(1, 3);
    assert_true(gw_outlier_admits(all[1])); /* one of two is left alone already */
    be_silent_at(1, 1);
    assert_true(is_open(1));
}

static void
the_rules_are_those_of_whose_request_fails(void **state)
{
    const struct gw_outlier_rules strict = {.errors = 2, .eject_ms = FOR, .max_ejected = 50};
    struct gw_destination others = to;

    (void)state;
    rules.errors = 5;
    others.outlier = NULL; /* never */
    for (int i = 0; i < 100; i++) {
        gw_outlier_failed(all[0], &others, true, 0, "no answer");
    }
    assert_null(all[0]->outlier);
    fail_at(0, 3);
    assert_true(gw_outlier_admits(all[0]));
    others.outlier = &strict;
    gw_outlier_failed(all[0], &others, false, 0, "it answered 502"); /* and knows of the others */
    assert_true(is_ejected(0));
}

/* -- how many ------------------------------------------------------------------------------------
 */

/* Of n endpoints that all fail: how many are left alone? */
static void
no_more_than_the_share(void **state)
{
    static const struct {
        unsigned n;
        int percent;
        unsigned ejected;
    } cases[] = {
        {1, 100, 0}, /* nobody could take over */
        {2, 0, 0},   {2, 49, 0},  {2, 50, 1},  {2, 99, 1},  {2, 100, 2},
        {3, 33, 0},  {3, 34, 1},  {3, 66, 1},  {3, 67, 2},  {4, 50, 2},
        {10, 9, 0},  {10, 10, 1}, {10, 19, 1}, {10, 90, 9}, {10, 100, 10},
    };

    for (size_t k = 0; k < N(cases); k++) {
        unsigned ejected = 0;

        setup(state);
        to.n_endpoints = cases[k].n;
        rules.max_ejected = cases[k].percent;
        for (unsigned i = 0; i < cases[k].n; i++) {
            fail_at(i, 10);
        }
        for (unsigned i = 0; i < cases[k].n; i++) {
            ejected += is_ejected(i);
        }
        assert_int_equal(ejected, cases[k].ejected);
        assert_int_equal(stats->ejected, cases[k].ejected);
        teardown(state);
    }
}

static void
who_is_back_makes_room_for_another(void **state)
{
    (void)state;
    fail_at(0, 2);
    fail_at(1, 20);
    assert_true(gw_outlier_admits(all[1]));
    gw_outlier_ok(all[0]);
    fail_at(1, 1);
    assert_true(is_ejected(1));
    fail_at(0, 20);
    assert_true(gw_outlier_admits(all[0]));
}

/* It has as many others as before. */
static void
who_fails_again_does_not_count_twice(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        unsigned trial;

        fail_at(0, 2);
        assert_true(is_ejected(0));
        until_trial(0);
        trial = gw_outlier_begin(all[0]);
        gw_outlier_failed(all[0], &to, false, trial, "it answered 502");
        assert_true(is_ejected(0));
    }
}

static void
ejection_is_overlooked_in_need_but_silence_is_not(void **state)
{
    struct gw_balancer balancer = {.policy = GW_POLICY_LEAST_CONN, .panic_percent = 34};
    unsigned got[3];

    (void)state;
    to.n_endpoints = 3;
    to.balancer = &balancer;
    rules.max_ejected = 100;
    be_silent_at(0, 4);
    fail_at(1, 2);
    for (int k = 0; k < 2; k++) {
        memset(got, 0, sizeof(got));
        for (int i = 0; i < 100; i++) {
            unsigned chosen = gw_balance_choose(&to, 0, 0, gw_world_now_ms(world));

            assert_in_range(chosen, 0, 2);
            got[chosen]++;
        }
        assert_int_equal(got[0], 0);
        assert_int_equal(got[1] > 0, k == 0);
        assert_int_not_equal(got[2], 0);
        balancer.panic_percent = 33; /* one of three is enough */
    }
    be_silent_at(1, 4);
    be_silent_at(2, 4);
    assert_int_equal(gw_balance_choose(&to, 0, 0, gw_world_now_ms(world)), 3);
}

/* -- for how long --------------------------------------------------------------------------------
 */

static void
a_pause_is_waited_for(void **state)
{
    uint64_t wait;

    (void)state;
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    fail_at(0, 1);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    fail_at(0, 1);
    wait = gw_outlier_wait_ms(all[0]);
    assert_in_range(wait, FOR, FOR + FOR / 10);
    own_clock_pass(loop, wait - 1);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 1);
    assert_true(is_ejected(0));
    assert_int_equal(gw_outlier_begin(all[0]), 0);
    own_clock_pass(loop, 1);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    assert_true(gw_outlier_admits(all[0]));
    assert_int_not_equal(gw_outlier_begin(all[0]), 0);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    assert_true(is_ejected(0)); /* one at a time */
    own_clock_pass(loop, 3600000);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    assert_true(is_ejected(0));
}

static void
who_is_said_to_be_well_has_its_trial_at_once(void **state)
{
    (void)state;
    gw_outlier_retry_now(all[0]); /* nothing is known against it */
    be_silent_at(0, 4);
    assert_true(is_open(0));
    gw_outlier_retry_now(all[0]);
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    assert_true(gw_outlier_admits(all[0]) && !gw_outlier_refuses(all[0]));
    assert_int_not_equal(gw_outlier_begin(all[0]), 0);
    assert_true(is_open(0));
}

static void
it_grows_anew_when_it_is_back(void **state)
{
    uint64_t before = all[0]->up_since_ms;

    (void)state;
    own_clock_pass(loop, 5000);
    fail_at(0, 1);
    gw_outlier_ok(all[0]);
    assert_int_equal(all[0]->up_since_ms, before); /* it was never away */
    assert_null(all[0]->outlier);
    fail_at(0, 2);
    until_trial(0);
    (void)gw_outlier_begin(all[0]);
    gw_outlier_ok(all[0]);
    assert_int_equal(all[0]->up_since_ms, gw_world_now_ms(world));
    assert_null(all[0]->outlier);
    gw_outlier_ok(all[0]); /* which is fine at any time */
}

/* -- trials --------------------------------------------------------------------------------------
 */

static void
numbers_come_once(void **state)
{
    static const unsigned numbers[] = {65534, 65535, 1, 2};

    (void)state;
    assert_int_equal(gw_outlier_begin(all[0]), 0); /* no trial, and no number for it */
    fail_at(0, 2);
    assert_int_equal(gw_outlier_begin(all[0]), 0);
    assert_int_equal(all[0]->trials, 0);
    all[0]->trials = 65533;
    until_trial(0);
    for (size_t i = 0; i < N(numbers); i++) {
        assert_int_equal(gw_outlier_begin(all[0]), numbers[i]);
        assert_int_equal(gw_outlier_begin(all[0]), 0);
        gw_outlier_cancel(all[0], numbers[i]); /* nobody knows how it would have ended */
        assert_true(gw_outlier_admits(all[0]));
    }
}

/* The record goes with a success, a trial may outlive it. */
static void
a_trial_of_before_is_none_of_now(void **state)
{
    unsigned before;
    unsigned now;

    (void)state;
    fail_at(0, 2);
    until_trial(0);
    before = gw_outlier_begin(all[0]);
    gw_outlier_ok(all[0]);
    gw_outlier_cancel(all[0], before); /* there is no record at all */
    fail_at(0, 2);
    until_trial(0);
    now = gw_outlier_begin(all[0]);
    assert_int_not_equal(now, 0);
    assert_int_not_equal(now, before);
    gw_outlier_cancel(all[0], before);
    assert_true(is_ejected(0));
    gw_outlier_failed(all[0], &to, false, before, "it answered 502");
    assert_int_equal(gw_outlier_wait_ms(all[0]), 0);
    assert_true(is_ejected(0));
    gw_outlier_failed(all[0], &to, false, now, "it answered 502");
    assert_in_range(gw_outlier_wait_ms(all[0]), 2 * FOR, 2 * FOR + FOR / 5);
}

/* -- what is said --------------------------------------------------------------------------------
 */

static void
assert_why(const struct gw_endpoint *e, const char *why, const char *word)
{
    struct gw_arena *arena = gw_arena_new();
    const char *said = "nothing";

    assert_string_equal(gw_outlier_why(e, arena, &said), why);
    assert_string_equal(said, word);
    assert_string_equal(gw_outlier_why(e, arena, NULL), why);
    gw_arena_free(arena);
}

static void
it_is_said_why(void **state)
{
    char why[200] = "a reason";
    const char *said = "nothing";

    (void)state;
    fail_at(0, 1);
    assert_null(gw_outlier_why(all[0], NULL, &said)); /* it is not left alone */
    assert_string_equal(said, "nothing");
    gw_outlier_failed(all[0], &to, true, 0, why);
    memset(why, 'x', sizeof(why) - 1);
    assert_why(all[0], "2 failures in a row, the last: a reason", "ejected");
    be_silent_at(0, 3);
    assert_why(all[0], "5 failures in a row, the last: no answer", "open");
    gw_outlier_failed(all[0], &to, true, 0, why); /* longer than there is room for */
    why[79] = '\0';
    char all_of_it[256];
    (void)snprintf(all_of_it, sizeof(all_of_it), "6 failures in a row, the last: %s", why);
    assert_why(all[0], all_of_it, "open");
}

static void
assert_counts(long long ejected, unsigned long long ejections, unsigned long long opens)
{
    assert_int_equal(stats->ejected, ejected);
    assert_int_equal(stats->ejections, ejections);
    assert_int_equal(stats->breaker_opens, opens);
}

static void
who_is_left_alone_is_counted(void **state)
{
    (void)state;
    be_silent_at(0, 1);
    assert_counts(0, 0, 0);
    be_silent_at(0, 1);
    assert_counts(1, 1, 0);
    until_trial(0);
    gw_outlier_failed(all[0], &to, true, gw_outlier_begin(all[0]), "no answer");
    assert_counts(1, 2, 0); /* once more */
    be_silent_at(0, 1);
    assert_counts(1, 2, 1); /* more strictly */
    be_silent_at(0, 10);
    assert_counts(1, 2, 1);
    be_silent_at(1, 4);
    assert_counts(2, 2, 2);
    gw_outlier_ok(all[0]);
    assert_counts(1, 2, 2);
    gw_outlier_ok(all[0]);
    assert_counts(1, 2, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(so_many_failures_in_a_row),
        TEST(twice_as_many_without_a_sign_and_it_gets_nothing),
        TEST(the_rules_are_those_of_whose_request_fails),
        cmocka_unit_test(no_more_than_the_share),
        TEST(who_is_back_makes_room_for_another),
        TEST(who_fails_again_does_not_count_twice),
        TEST(ejection_is_overlooked_in_need_but_silence_is_not),
        TEST(a_pause_is_waited_for),
        TEST(who_is_said_to_be_well_has_its_trial_at_once),
        TEST(it_grows_anew_when_it_is_back),
        TEST(numbers_come_once),
        TEST(a_trial_of_before_is_none_of_now),
        TEST(it_is_said_why),
        TEST(who_is_left_alone_is_counted),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
