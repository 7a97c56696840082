/* tries.c - what the tries of a request tell of endpoints, and how many second ones there may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "gateway/exchange.h"
#include "t/lib/own_clock.h"

#define MANY    3U
#define FOR     10000 /* the pause of who is left alone; a tenth more at most */
#define FREE    3     /* second tries that are always allowed */
#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_endpoint *all[MANY];
static struct gw_outlier_rules rules;
static struct gw_req req;
static struct gw_exchange exchange;
static struct gw_exchange *const x = &exchange;

static int
setup(void **state)
{
    (void)state;
    gw_log_level(GW_LOG_ERROR);
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    for (unsigned i = 0; i < MANY; i++) {
        const char *why;
        char url[32];

        (void)snprintf(url, sizeof(url), "http://10.0.0.%u:80", i);
        all[i] = gw_world_endpoint(world, gw_str_of(url), &why);
    }
    rules = (struct gw_outlier_rules){.errors = 1, .eject_ms = FOR, .max_ejected = 100};
    req = (struct gw_req){.arena = gw_arena_new(), .world = world};
    req.to = (struct gw_destination){
        .endpoints = all, .n_endpoints = 2, .outlier = &rules, .retry_percent = 20};
    exchange = (struct gw_exchange){.req = &req};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        all[i]->busy = all[i]->n_pending = 0;
        gw_world_endpoint_release(world, all[i]);
    }
    gw_arena_free(req.arena);
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

static bool
is_left_alone(unsigned i)
{
    return !gw_outlier_admits(all[i]);
}

static void
shut_off(unsigned i)
{
    while (!gw_endpoint_refuses(all[i])) {
        gw_outlier_failed(all[i], &req.to, true, 0, "no answer");
    }
}

/* -- the budget ----------------------------------------------------------------------------------
 */

static void
second_tries_are_a_share_of_what_is_under_way(void **state)
{
    static const struct {
        unsigned percent, busy, pending, retries;
        bool may;
    } cases[] = {
        {20, 0, 0, 0, true}, /* a request that is alone */
        {20, 0, 0, FREE - 1, true},
        {20, 0, 0, FREE, false},
        {20, 18, 0, 3, false}, /* a fifth of 19, with the one that asks */
        {20, 19, 0, 3, true},
        {20, 19, 0, 4, false},
        {20, 9, 10, 3, true}, /* who waits is under way */
        {20, 99, 0, 19, true},
        {20, 99, 0, 20, false},
        {1, 1000, 0, 9, true},
        {1, 1000, 0, 10, false},
        {1, 0, 0, 2, true},
        {100, 9, 0, 9, true},
        {100, 9, 0, 10, false},
        {0, 0, 0, 0, false}, /* none at all */
        {0, 1000, 1000, 0, false},
        {100, UINT_MAX, UINT_MAX, UINT_MAX, true},
        {50, UINT_MAX, 0, UINT_MAX, false},
    };
    unsigned long long refused = 0;

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        req.to.retry_percent = cases[i].percent;
        for (unsigned k = 0; k < 2; k++) { /* whichever of the endpoints it is at */
            all[k]->busy = cases[i].busy;
            all[k]->n_pending = cases[i].pending;
            all[k]->retries = cases[i].retries;
            assert_int_equal(gw_tries_afford(x), cases[i].may);
            assert_int_equal(x->again, cases[i].may);
            refused += !cases[i].may;
            all[k]->busy = all[k]->n_pending = all[k]->retries = 0;
        }
        assert_int_equal(gw_world_stats(world)->retries_refused, refused);
    }
}

static void
all_endpoints_of_the_destination_count_and_no_others(void **state)
{
    (void)state;
    all[0]->busy = 10;
    all[1]->busy = 9;
    all[0]->retries = 2;
    all[1]->retries = 1;
    all[2]->retries = 100; /* another's */
    assert_true(gw_tries_afford(x));
    all[1]->retries = 2;
    assert_false(gw_tries_afford(x));
    all[2]->busy = 1000;
    all[2]->retries = 0;
    assert_false(gw_tries_afford(x));
    req.to.n_endpoints = 3;
    assert_true(gw_tries_afford(x));
}

static void
a_second_try_is_one_until_it_ends(void **state)
{
    (void)state;
    gw_tries_begin(x, all[0]); /* the first is none */
    assert_int_equal(all[0]->retries, 0);
    gw_tries_end(x);
    assert_int_equal(all[0]->retries, 0);
    assert_true(gw_tries_afford(x));
    assert_int_equal(all[1]->retries, 0);
    gw_tries_begin(x, all[1]);
    assert_ptr_equal(x->endpoint, all[1]);
    assert_int_equal(all[1]->retries, 1);
    gw_tries_answer(x, 200); /* its answer may be long */
    assert_int_equal(all[1]->retries, 1);
    gw_tries_end(x);
    assert_int_equal(all[1]->retries, 0);
    gw_tries_end(x); /* twice is fine */
    assert_int_equal(all[1]->retries, 0);
}

static void
so_many_requests_may_be_tried_again_at_once(void **state)
{
    struct gw_exchange many[FREE + 2];

    (void)state;
    for (unsigned i = 0; i < N(many); i++) {
        many[i] = (struct gw_exchange){.req = &req};
        assert_int_equal(gw_tries_afford(&many[i]), i < FREE);
        if (i < FREE) {
            gw_tries_begin(&many[i], all[i % 2]);
        }
    }
    gw_tries_end(&many[1]);
    assert_true(gw_tries_afford(&many[FREE]));
    gw_tries_begin(&many[FREE], all[0]);
    assert_false(gw_tries_afford(&many[FREE + 1]));
    gw_tries_end(&many[0]);
    gw_tries_end(&many[2]);
    gw_tries_end(&many[FREE]);
    assert_int_equal(all[0]->retries + all[1]->retries, 0);
}

/* -- what an answer says -------------------------------------------------------------------------
 */

static void
bad_answers_are_those_that_say_nobody_is_there(void **state)
{
    (void)state;
    for (unsigned status = 200; status < 600; status++) {
        bool bad = status >= 502 && status <= 504;

        gw_tries_begin(x, all[0]);
        gw_tries_answer(x, status);
        gw_tries_end(x);
        if (is_left_alone(0) != bad) {
            fail_msg("%u is %s answer", status, bad ? "no bad" : "a bad");
        }
        if (bad) {
            char why[64];

            (void)snprintf(why, sizeof(why), "1 failures in a row, the last: it answered %u",
                           status);
            assert_string_equal(gw_outlier_why(all[0], req.arena, NULL), why);
            gw_outlier_ok(all[0]);
        }
    }
}

static void
an_answer_is_a_sign(void **state)
{
    (void)state;
    gw_tries_begin(x, all[0]);
    for (int i = 0; i < 100; i++) {
        gw_tries_answer(x, 503);
    }
    assert_true(is_left_alone(0));
    assert_false(gw_endpoint_refuses(all[0]));
    gw_tries_answer(x, 200);
    assert_null(all[0]->outlier);
    gw_tries_failed(x, false, "it closed the connection");
    gw_tries_failed(x, false, "it closed the connection");
    assert_false(gw_endpoint_refuses(all[0]));
    gw_tries_failed(x, true, "no answer within 60000 ms");
    gw_tries_failed(x, true, "no answer within 60000 ms");
    assert_true(gw_endpoint_refuses(all[0]));
    gw_tries_answer(x, 404);
    assert_false(is_left_alone(0));
}

/* -- trials --------------------------------------------------------------------------------------
 */

enum how {
    ANSWERS,
    ANSWERS_BADLY,
    FAILS,
    IS_GIVEN_UP
};

static void
a_trial_ends_however_it_does(void **state)
{
    for (int how = ANSWERS; how <= IS_GIVEN_UP; how++) {
        struct gw_exchange other = {.req = &req};

        gw_tries_begin(x, all[0]);
        gw_tries_failed(x, false, "it closed the connection");
        gw_tries_end(x);
        own_clock_pass(loop, gw_outlier_wait_ms(all[0]));
        gw_tries_begin(x, all[0]);
        assert_int_not_equal(x->trial, 0);
        gw_tries_begin(&other, all[0]); /* chosen for want of another: no trial */
        assert_int_equal(other.trial, 0);
        gw_tries_end(&other);
        assert_true(is_left_alone(0));
        if (how == ANSWERS || how == ANSWERS_BADLY) {
            gw_tries_answer(x, how == ANSWERS ? 200 : 502);
        } else if (how == FAILS) {
            gw_tries_failed(x, false, "it closed the connection");
        }
        assert_int_equal(x->trial != 0, how == IS_GIVEN_UP); /* nothing hangs on it any more */
        gw_tries_end(x);
        assert_int_equal(x->trial, 0);
        assert_int_equal(is_left_alone(0), how == ANSWERS_BADLY || how == FAILS);
        assert_int_equal(gw_outlier_wait_ms(all[0]) > 0, how == ANSWERS_BADLY || how == FAILS);
        assert_int_equal(all[0]->outlier == NULL, how == ANSWERS);
        gw_tries_begin(&other, all[0]); /* another, if nobody knows how it would have ended */
        assert_int_equal(other.trial != 0, how == IS_GIVEN_UP);
        gw_tries_end(&other);
        gw_outlier_ok(all[0]);
    }
    (void)state;
}

/* -- nobody can be asked -------------------------------------------------------------------------
 */

static void
who_is_refused_is_told_when_to_come_again(void **state)
{
    (void)state;
    assert_null(gw_tries_refused(x));
    shut_off(1);
    own_clock_pass(loop, 1500);
    shut_off(0); /* later back than the other */
    uint64_t wait = gw_outlier_wait_ms(all[1]);
    assert_true(wait < gw_outlier_wait_ms(all[0]));
    for (uint64_t left = wait; left > 0; left = left > 97 ? left - 97 : 0) {
        own_clock_pass(loop, gw_outlier_wait_ms(all[1]) - left);
        assert_string_equal(gw_tries_refused(x), "http://10.0.0.1:80: 2 failures in a row, the "
                                                 "last: no answer");
        assert_string_equal(req.decision.endpoint.p, all[1]->text);
        assert_true((uint64_t)req.retry_after_s * 1000 >= left); /* not in vain */
        assert_true((uint64_t)req.retry_after_s * 1000 <= left + 1000);
    }
}

static void
only_who_is_shut_off_refuses(void **state)
{
    (void)state;
    req.retry_after_s = 77;
    gw_outlier_failed(all[0], &req.to, false, 0, "it answered 502");
    assert_true(is_left_alone(0));
    assert_null(gw_tries_refused(x)); /* it is only ejected */
    shut_off(2);
    assert_null(gw_tries_refused(x)); /* that is another destination's */
    assert_int_equal(req.retry_after_s, 77);
    assert_int_equal(req.decision.endpoint.n, 0);
    shut_off(1);
    assert_non_null(gw_tries_refused(x));
    own_clock_pass(loop, gw_outlier_wait_ms(all[1]));
    assert_null(gw_tries_refused(x)); /* a request may find out */
    gw_tries_begin(x, all[1]);
    assert_non_null(gw_tries_refused(x)); /* and one does */
    assert_int_equal(req.retry_after_s, 1);
    gw_tries_end(x);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(second_tries_are_a_share_of_what_is_under_way),
        TEST(all_endpoints_of_the_destination_count_and_no_others),
        TEST(a_second_try_is_one_until_it_ends),
        TEST(so_many_requests_may_be_tried_again_at_once),
        TEST(bad_answers_are_those_that_say_nobody_is_there),
        TEST(an_answer_is_a_sign),
        TEST(a_trial_ends_however_it_does),
        TEST(who_is_refused_is_told_when_to_come_again),
        TEST(only_who_is_shut_off_refuses),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
