#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/wheel.h"

#define TIMERS 200

static struct gw_wheel wheel;
static uint64_t now;

/* A timer, and beside it what a slow but simple reader knows about it. */
struct alarm_clock {
    struct gw_timer timer;
    uint64_t due, set_at;
    unsigned fired;
    bool set;
};

static struct alarm_clock clocks[TIMERS];

static struct alarm_clock *
random_clock(void)
{
    return &clocks[(size_t)random() % TIMERS];
}

static void
set(struct alarm_clock *c, uint64_t due)
{
    c->set = true;
    c->due = due;
    c->set_at = now;
    gw_wheel_set(&wheel, &c->timer, due);
}

static uint64_t
random_due(void)
{
    uint64_t turn = (uint64_t)GW_WHEEL_TICK_MS * GW_WHEEL_SLOTS;

    switch (random() % 4) {
    case 0:
        return now - (uint64_t)random() % 1000; /* too late already */
    case 1:
        return now + (uint64_t)random() % 200;
    case 2:
        return now + (uint64_t)random() % turn;
    default:
        return now + (uint64_t)random() % (turn * 4);
    }
}

/* Sometimes sets itself again, and sets or cancels others that may be about to fire. */
static void
on_fire(struct gw_timer *t)
{
    struct alarm_clock *c = (struct alarm_clock *)t;
    struct alarm_clock *other = random_clock();

    assert_true(c->set);
    assert_false(gw_wheel_is_set(t));
    assert_true(c->due <= now); /* never before */
    c->set = false;
    c->fired++;
    if (random() % 3 == 0) {
        set(c, random_due());
    }
    if (random() % 4 == 0) {
        gw_wheel_cancel(&other->timer);
        other->set = false;
    } else if (random() % 4 == 0) {
        set(other, random_due());
    }
}

static void
check_all(void)
{
    for (size_t i = 0; i < TIMERS; i++) {
        const struct alarm_clock *c = &clocks[i];
        uint64_t from = c->due > c->set_at ? c->due : c->set_at;

        assert_int_equal(gw_wheel_is_set(&c->timer), c->set);
        /* two ticks after its deadline at the latest, if it was set in time */
        assert_false(c->set && from + (uint64_t)2 * GW_WHEEL_TICK_MS <= now);
    }
}

static void
test_beside_a_slow_reference(void **state)
{
    unsigned fired = 0;

    (void)state;
    srandom(11);
    now = 123456789;
    gw_wheel_init(&wheel, now);
    for (size_t i = 0; i < TIMERS; i++) {
        clocks[i] = (struct alarm_clock){.timer.fire = on_fire};
    }
    for (int step = 0; step < 40000; step++) {
        struct alarm_clock *c = random_clock();

        switch (random() % 4) {
        case 0:
            set(c, random_due());
            break;
        case 1:
            gw_wheel_cancel(&c->timer);
            c->set = false;
            break;
        default:
            now += (uint64_t)random() % (random() % 500 == 0 ? 150000 : 60);
            gw_wheel_run(&wheel, now);
            check_all();
        }
    }
    for (size_t i = 0; i < TIMERS; i++) {
        fired += clocks[i].fired;
    }
    assert_true(fired > 1000);
}

static unsigned count;

static void
on_count(struct gw_timer *t)
{
    (void)t;
    count++;
}

static void
test_never_early_and_soon_after(void **state)
{
    struct gw_timer t = {.fire = on_count};
    uint64_t start = 1000;

    (void)state;
    for (uint64_t due = start; due < start + 130; due += 7) {
        uint64_t at = start;

        count = 0;
        gw_wheel_init(&wheel, start);
        gw_wheel_set(&wheel, &t, due);
        assert_true(gw_wheel_is_set(&t));
        while (count == 0) {
            gw_wheel_run(&wheel, ++at);
        }
        assert_true(at >= due && at <= due + GW_WHEEL_TICK_MS);
        gw_wheel_run(&wheel, at + 100000);
        assert_int_equal(count, 1);
    }
}

static void
test_time_that_stands_still_or_goes_back(void **state)
{
    struct gw_timer t = {.fire = on_count};

    (void)state;
    count = 0;
    gw_wheel_init(&wheel, 5000);
    gw_wheel_set(&wheel, &t, 0);
    gw_wheel_run(&wheel, 5000);
    gw_wheel_run(&wheel, 10);
    assert_int_equal(count, 0);
    gw_wheel_run(&wheel, 5050);
    assert_int_equal(count, 1);
    gw_wheel_cancel(&t);
    gw_wheel_cancel(&t);
    assert_false(gw_wheel_is_set(&t));
}

static void
test_setting_anew_moves_it(void **state)
{
    struct gw_timer t = {.fire = on_count};

    (void)state;
    count = 0;
    gw_wheel_init(&wheel, 0);
    gw_wheel_set(&wheel, &t, 100);
    gw_wheel_set(&wheel, &t, 400000); /* several turns away */
    gw_wheel_run(&wheel, 399999);
    assert_int_equal(count, 0);
    gw_wheel_run(&wheel, 400000);
    assert_int_equal(count, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside_a_slow_reference),
        cmocka_unit_test(test_never_early_and_soon_after),
        cmocka_unit_test(test_time_that_stands_still_or_goes_back),
        cmocka_unit_test(test_setting_anew_moves_it),
    };

    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
