#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/vitals.h"

/* -- what is believed ----------------------------------------------------------------------------
 */

static const struct gw_health_check check = {.healthy = 2, .unhealthy = 3};

/* Answers, + or -, and what is believed after each: u or d, in capitals where that is news. */
static const struct {
    const char *answers, *believed;
} lives[] = {
    {"++++", "uuuu"},             /* what is well is no news */
    {"-", "D"},                   /* never been well: one answer decides */
    {"-+", "DU"},                 /* also for the better */
    {"--+--", "DdUuu"},           /* and from then on the thresholds hold */
    {"+---", "uuuD"},             /* three in a row, and not one less */
    {"+--+--+---", "uuuuuuuuuD"}, /* in a row */
    {"+---++", "uuuDdU"},         /* two good ones in a row */
    {"+---+-++", "uuuDdddU"},     /* in a row */
    {"+----------", "uuuDddddddd"},
    {"+---++---++", "uuuDdUuuDdU"},
};

static void
test_thresholds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        struct gw_vitals v = {0};
        char believed[32] = "";

        for (size_t k = 0; lives[i].answers[k] != '\0'; k++) {
            bool news = gw_vitals_note(&v, &check, lives[i].answers[k] == '+');
            believed[k] = "udUD"[(v.down ? 1 : 0) + (news ? 2 : 0)];
        }
        assert_string_equal(believed, lives[i].believed);
        assert_true(v.asked);
    }
}

static void
test_one_may_be_enough(void **state)
{
    const struct gw_health_check hasty = {.healthy = 1, .unhealthy = 1};
    struct gw_vitals v = {0};

    (void)state;
    assert_false(gw_vitals_note(&v, &hasty, true));
    assert_true(gw_vitals_note(&v, &hasty, false));
    assert_true(gw_vitals_note(&v, &hasty, true));
}

/* -- when ----------------------------------------------------------------------------------------
 */

#define EVERY 5000

/* Ten thousand, all of which were asked for the first time in the same moment, and are late as
 * chance wants it: each is asked once in each interval, and no tenth of one gets more than its
 * share. */
static void
test_a_fleet_is_spread(void **state)
{
    enum {
        N = 10000,
        ROUNDS = 4,
        PARTS = 10
    };
    static uint64_t due[N];
    static uint64_t phase[N];
    unsigned per_part[ROUNDS * PARTS + 2 * PARTS] = {0};
    const uint64_t start = 123456789;

    (void)state;
    srandom(1);
    for (size_t i = 0; i < N; i++) {
        phase[i] = (uint64_t)random();
        due[i] = start;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < N; i++) {
            uint64_t began = due[i] + (uint64_t)random() % 100;
            uint64_t ended = began + (uint64_t)random() % 1000;

            due[i] = gw_vitals_due(EVERY, phase[i], began, ended, (uint64_t)random());
            assert_true(due[i] > ended);
            assert_true(due[i] - began >= EVERY / 2);
            assert_true(due[i] - began <= EVERY / 2 + EVERY + EVERY / 10);
            per_part[(due[i] - start) / (EVERY / PARTS)]++;
        }
    }
    /* past the first interval and a half, before the last ones run out */
    for (size_t part = PARTS * 16 / 10; part < (size_t)(ROUNDS - 1) * PARTS; part++) {
        assert_in_range(per_part[part], N / PARTS * 85 / 100, N / PARTS * 115 / 100);
    }
}

static const struct {
    uint64_t began, now, phase, chance, due;
} whens[] = {
    {10000, 10100, 0, 0, 15000},   /* every five seconds */
    {10000, 10100, 0, 500, 15500}, /* chance: a tenth of it at most */
    {10000, 10100, 0, 501, 15000},
    {10000, 10100, 700, 0, 15700},  /* in its phase */
    {10000, 10100, 5700, 0, 15700}, /* whatever it is */
    {12600, 12700, 0, 0, 20000},    /* a late one makes the next no sooner than in half of it */
    {12400, 12500, 0, 0, 15000},
    {10000, 19999, 0, 0, 20000}, /* one that took longer than the interval */
    {10000, 20000, 0, 0, 25000},
};

static void
test_when_the_next_is_due(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(whens) / sizeof(whens[0]); i++) {
        assert_int_equal(
            gw_vitals_due(EVERY, whens[i].phase, whens[i].began, whens[i].now, whens[i].chance),
            whens[i].due);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_one_may_be_enough),
        cmocka_unit_test(test_a_fleet_is_spread),
        cmocka_unit_test(test_when_the_next_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
