#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/health.h"
#include "gateway/targets.h"
#include "gateway/upstream.h"
#include "gateway/worlds.h"

#define URL GW_STR("http://10.0.0.7:8080")

static const struct gw_health_check check = {.type = GW_HEALTH_HTTP,
                                             .path = "/healthz",
                                             .status = {200, 399},
                                             .interval_ms = 5000,
                                             .timeout_ms = 1000,
                                             .healthy = 2,
                                             .unhealthy = 3};

static struct gw_loop *loop;
static struct gw_world *worlds[2]; /* as of two workers */
static unsigned born, gone;
static struct gw_target *last; /* born */

static void
on_born(struct gw_target *t)
{
    born++;
    last = t;
}

static void
on_gone(struct gw_target *t)
{
    gone++;
    gw_target_free(t);
}

static int
setup(void **state)
{
    (void)state;
    born = gone = 0;
    last = NULL;
    gw_targets_watch((struct gw_targets_watcher){on_born, on_gone});
    loop = gw_loop_new();
    for (unsigned i = 0; i < 2; i++) {
        worlds[i] = gw_world_new(i, loop, worlds, 2);
    }
    return 0;
}

static int
teardown(void **state)
{
    struct gw_health_status status;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        gw_world_free(worlds[i]);
    }
    gw_loop_free(loop);
    assert_int_equal(born, gone);
    assert_false(gw_targets_status(URL, &status)); /* nothing is left of it */
    return 0;
}

static struct gw_endpoint *
join(unsigned world, const struct gw_health_check *c)
{
    const char *why;
    struct gw_endpoint *e = gw_world_endpoint(worlds[world], URL, &why);

    gw_health_join(e, c);
    return e;
}

static void
leave(struct gw_endpoint *e, const struct gw_health_check *c)
{
    gw_health_leave(e, c);
    gw_world_endpoint_release(e->world, e);
}

/* What control does with a check's result. */
static void
note(struct gw_target *t, bool good)
{
    if (gw_target_note(t, good, good ? "fine" : "ill")) {
        for (unsigned i = 0; i < 2; i++) {
            gw_world_checked(worlds[i], gw_str_of(t->url));
        }
    }
}

static void
test_one_for_all(void **state)
{
    struct gw_endpoint *users[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        users[i] = join(i % 2, &check);
    }
    assert_int_equal(born, 1);
    assert_ptr_equal(users[0], users[2]);
    note(last, false);
    assert_true(users[0]->down && users[1]->down);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(gone, 0);
        leave(users[i], &check);
    }
    assert_int_equal(gone, 1);
}

static void
test_who_comes_later_knows(void **state)
{
    struct gw_health_status status;
    struct gw_endpoint *first = join(0, &check);

    (void)state;
    assert_true(gw_targets_status(URL, &status) && status.healthy);
    assert_string_equal(status.reason, "not checked yet");
    note(last, false);
    struct gw_endpoint *second = join(1, &check);
    assert_true(second->down);
    note(last, true);
    assert_false(first->down || second->down);
    assert_true(gw_targets_status(URL, &status) && status.healthy);
    assert_string_equal(status.reason, "fine");
    leave(first, &check);
    leave(second, &check);
}

/* As at a change: the new one comes before the old one goes. */
static void
test_another_way_of_asking_forgets_nothing(void **state)
{
    struct gw_health_check other = check;
    struct gw_endpoint *e = join(0, &check);

    (void)state;
    note(last, true); /* and from here on the thresholds hold */
    for (int i = 0; i < 3; i++) {
        assert_false(e->down);
        note(last, false);
    }
    other.path = "/readyz";
    assert_ptr_equal(join(0, &other), e);
    leave(e, &check);
    assert_int_equal(born, 2);
    assert_int_equal(gone, 1);
    assert_true(e->down);
    note(last, true);
    assert_true(e->down);
    note(last, true);
    assert_false(e->down);
    leave(e, &other);
}

static void
test_two_ways_at_a_time(void **state)
{
    struct gw_health_check other = check;
    struct gw_health_status status;
    struct gw_endpoint *e = join(0, &check);
    struct gw_target *one = last;

    (void)state;
    other.type = GW_HEALTH_TCP;
    (void)join(0, &other);
    struct gw_target *two = last;
    assert_ptr_not_equal(one, two);
    note(one, true);
    note(two, false);
    assert_true(e->down); /* either is enough */
    assert_true(gw_targets_status(URL, &status) && !status.healthy);
    assert_string_equal(status.reason, "ill");
    leave(e, &other);
    assert_false(e->down); /* who has said so is not asked any more */
    leave(e, &check);
}

/* A good answer of one that is down does not yet make it well, and is not why it is down. */
static void
test_the_reason_is_that_of_the_state(void **state)
{
    struct gw_health_status status;
    struct gw_endpoint *e = join(0, &check);

    (void)state;
    note(last, true);
    note(last, false);
    assert_true(gw_targets_status(URL, &status) && status.healthy);
    assert_string_equal(status.reason, "fine");
    note(last, false);
    note(last, false);
    note(last, true);
    assert_true(gw_targets_status(URL, &status) && !status.healthy);
    assert_string_equal(status.reason, "ill");
    leave(e, &check);
}

static void
test_nothing_wanted(void **state)
{
    const struct gw_health_check none = {.type = GW_HEALTH_NONE};
    struct gw_endpoint *e = join(0, NULL);

    (void)state;
    assert_ptr_equal(join(0, &none), e);
    assert_int_equal(born, 0);
    leave(e, &none);
    leave(e, NULL);
}

/* A worker that stops takes along what its requests still hold. */
static void
test_a_world_ends(void **state)
{
    (void)state;
    (void)join(0, &check);
    (void)join(1, &check);
    assert_int_equal(born, 1); /* teardown sees to the rest */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_for_all),
        TEST(test_who_comes_later_knows),
        TEST(test_another_way_of_asking_forgets_nothing),
        TEST(test_two_ways_at_a_time),
        TEST(test_the_reason_is_that_of_the_state),
        TEST(test_nothing_wanted),
        TEST(test_a_world_ends),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
