/* breaker.c - what failures in a row make of an endpoint, and when it gets its trial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/breaker.h"

#define FOR     UINT64_C(10000) /* the first ejection */
#define TRIAL   7U
#define N(list) (sizeof(list) / sizeof((list)[0]))

/* -- states --------------------------------------------------------------------------------------
 */

static const struct gw_outlier_rules two = {.errors = 2, .eject_ms = FOR, .max_ejected = 50};

/* What happens: x a request to which nothing came, e one that failed otherwise, X and E the same of
 * a trial, + a good one, . the pause passes and a request comes.  And what it is after each:
 * closed, ejected, open, or on trial. */
static const struct {
    const char *events, *states;
    bool may_eject;
} lives[] = {
    {"x+x+x+", "cccccc", true},        /* in a row */
    {"xx", "ce", true},                /* enough of them */
    {"ee", "ce", true},                /* of any kind */
    {"xe", "ce", true},                /* together */
    {"xx.+", "cetc", true},            /* a trial that goes well */
    {"xx.E.E.+", "cetetetc", true},    /* some that do not */
    {"xx.X.X.+", "cetetotc", true},    /* and when silence goes on */
    {"eeeeeeee", "ceeeeeee", true},    /* who gives a sign is never shut off */
    {"xxxx", "ceeo", true},            /* who is silent on and on is */
    {"xxxx", "ccco", false},           /* also where nobody can take over */
    {"eeeeeeee", "cccccccc", false},   /* but not who gives a sign */
    {"xxxexxx", "ccccccc", false},     /* a sign breaks the silence */
    {"xxxx.Xx.+", "cccotootc", false}, /* trials, and one that was late */
    {"xxxxx+", "cccooc", false},       /* a success is one, whoever's it is */
    {"xxxx.E", "cccotc", false},       /* it answers: let it be heard */
};

static void
note(struct gw_breaker *b, char event, bool may_eject, uint64_t now)
{
    struct gw_breaker_failure f = {.silent = event == 'x' || event == 'X',
                                   .trial = event == 'X' || event == 'E' ? TRIAL : 0,
                                   .may_eject = may_eject};

    (void)gw_breaker_failed(b, &two, &f, now, 12345);
}

static void
test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(lives); i++) {
        struct gw_breaker b = {0};
        uint64_t now = 1000;
        char states[32] = "";

        for (size_t k = 0; lives[i].events[k] != '\0'; k++) {
            char event = lives[i].events[k];

            now++;
            if (event == '+') {
                b = (struct gw_breaker){0};
            } else if (event == '.') {
                assert_false(gw_breaker_admits(&b, now));
                now = b.until_ms;
                assert_true(gw_breaker_admits(&b, now));
                assert_false(gw_breaker_refuses(&b, now));
                assert_true(gw_breaker_begin(&b, now, TRIAL));
                assert_false(gw_breaker_begin(&b, now, TRIAL + 1)); /* one at a time */
                assert_false(gw_breaker_admits(&b, now));
            } else {
                note(&b, event, lives[i].may_eject, now);
            }
            states[k] = "tceo"[b.trial != 0 ? 0 : 1 + b.state];
            assert_int_equal(gw_breaker_refuses(&b, now), b.state == GW_BREAKER_OPEN);
        }
        assert_string_equal(states, lives[i].states);
    }
}

static void
test_it_may_be_switched_off(void **state)
{
    const struct gw_outlier_rules never = {.eject_ms = FOR, .max_ejected = 100};
    struct gw_breaker b = {0};
    struct gw_breaker_failure f = {.silent = true, .may_eject = true};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_false(gw_breaker_failed(&b, &never, &f, 1000, 0));
    }
    assert_true(gw_breaker_admits(&b, 1000));
}

/* A trial may last for longer than what it was to end: another request succeeds, the endpoint fails
 * again, and has its next trial.  How the first one ends is then no longer of weight. */
static void
test_a_trial_of_before(void **state)
{
    const struct gw_breaker_failure failure = {.may_eject = true};
    const struct gw_breaker_failure of_before = {.trial = TRIAL, .may_eject = true};
    struct gw_breaker b = {0};

    (void)state;
    for (unsigned number = TRIAL; number <= TRIAL + 1; number++) {
        b = (struct gw_breaker){0}; /* a success */
        (void)gw_breaker_failed(&b, &two, &failure, 1000, 0);
        (void)gw_breaker_failed(&b, &two, &failure, 1000, 0);
        assert_true(gw_breaker_begin(&b, b.until_ms, number));
    }
    uint64_t until = b.until_ms;

    gw_breaker_cancel(&b, TRIAL);
    assert_false(gw_breaker_begin(&b, until, TRIAL + 2));
    assert_false(gw_breaker_failed(&b, &two, &of_before, until, 0));
    assert_int_equal(b.until_ms, until);
    assert_false(gw_breaker_begin(&b, until, TRIAL + 2));
    gw_breaker_cancel(&b, TRIAL + 1);
    assert_true(gw_breaker_begin(&b, until, TRIAL + 2));
}

/* -- pauses --------------------------------------------------------------------------------------
 */

/* One after the other, while no trial goes well: in ms, and a tenth more at most. */
static void
assert_pauses(bool silent, bool may_eject, const uint64_t *pauses, size_t n)
{
    for (uint64_t chance = 0; chance < 3; chance++) {
        struct gw_breaker b = {0};
        uint64_t now = 1000;
        size_t k = 0;

        for (int i = 0; k < n; i++) {
            unsigned trial = gw_breaker_begin(&b, now, TRIAL) ? TRIAL : 0;
            struct gw_breaker_failure f = {silent, trial, may_eject};

            if (gw_breaker_failed(&b, &two, &f, now, chance * 987654321)) {
                assert_in_range(b.until_ms - now, pauses[k], pauses[k] + pauses[k] / 10);
                now = b.until_ms;
                k++;
            }
            assert_in_range(i, 0, 100);
        }
    }
}

static void
test_pauses(void **state)
{
    static const uint64_t ejected[] = {FOR, 2 * FOR, 3 * FOR, 4 * FOR, 5 * FOR, 6 * FOR, 6 * FOR};
    static const uint64_t open[] = {1001, 2002, 4004, 8008, FOR, FOR};

    (void)state;
    assert_pauses(false, true, ejected, N(ejected));
    assert_pauses(true, false, open, N(open));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_trial_of_before),
        cmocka_unit_test(test_it_may_be_switched_off),
        cmocka_unit_test(test_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
