/* metrics.c - which extensions have counts of their own, and what others read of them meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "modules/metrics_counts.h"
#include "t/lib/objects.h"
#include "t/lib/own_clock.h"

#define SWEPT_MS 5100 /* the sweep's period, and two ticks of the wheel */

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_metrics_counts *counts;

static int
setup(void **state)
{
    (void)state;
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    counts = gw_metrics_counts(world);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_wheel_cancel(&counts->sweep); /* as the module's stop() does */
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

static void
pass_sweep(void)
{
    own_clock_pass(loop, SWEPT_MS);
    gw_wheel_run(&loop->wheel, gw_loop_now_ms(loop));
}

static void
count(const char *name, unsigned class)
{
    gw_counter_add(&gw_metrics_extension(counts, gw_str_of(name))->counts[class], 1);
}

/* Of this name, as another thread reads them; -1: there is none. */
static long long
read_counts(const char *name, unsigned class)
{
    for (unsigned i = 0; i < counts->n_extensions; i++) {
        unsigned long long its_counts[GW_METRICS_OF_EXTENSION];
        char its[GW_METRICS_NAME];

        if (gw_metrics_extension_read(&counts->extensions[i], its, its_counts) &&
            strcmp(its, name) == 0) {
            return (long long)its_counts[class];
        }
    }
    return -1;
}

static unsigned long long
others(unsigned class)
{
    return counts->extensions[GW_METRICS_EXTENSIONS].counts[class];
}

static void
each_has_its_own(void **state)
{
    (void)state;
    apply(world, "ExtensionService", "a", "{}");
    apply(world, "ExtensionService", "b", "{}");
    count("a", 2);
    count("b", 2);
    count("a", 2);
    count("a", 5);
    assert_int_equal(read_counts("a", 2), 2);
    assert_int_equal(read_counts("a", 5), 1);
    assert_int_equal(read_counts("b", 2), 1);
    assert_int_equal(others(2), 0);
}

static void
who_is_not_registered_is_one_of_the_others(void **state)
{
    (void)state;
    count("nobody", 4);
    assert_int_equal(read_counts("nobody", 4), -1);
    assert_int_equal(others(4), 1);
}

static void
who_has_gone_leaves_no_series(void **state)
{
    (void)state;
    apply(world, "ExtensionService", "a", "{}");
    apply(world, "ExtensionService", "b", "{}");
    count("a", 2);
    count("b", 2);
    apply(world, "ExtensionService", "a", NULL);
    count("a", 2); /* a request that was under way */
    pass_sweep();
    assert_int_equal(read_counts("a", 2), -1);
    assert_int_equal(read_counts("b", 2), 1);
    count("a", 2); /* one more: it does not come back by that */
    assert_int_equal(read_counts("a", 2), -1);
    assert_int_equal(others(2), 1);
    apply(world, "ExtensionService", "a", "{}");
    count("a", 2);
    assert_int_equal(read_counts("a", 2), 1); /* from the beginning */
}

static void
who_is_replaced_at_once_goes_on(void **state)
{
    (void)state;
    apply(world, "ExtensionService", "a", "{}");
    count("a", 2);
    apply(world, "ExtensionService", "a", NULL);
    apply(world, "ExtensionService", "a", "{}");
    pass_sweep();
    count("a", 2);
    assert_int_equal(read_counts("a", 2), 2);
}

static const char *
nth(unsigned n)
{
    static char name[32];

    (void)snprintf(name, sizeof(name), "ext-%u", n);
    return name;
}

static void
places_are_bounded_and_used_again(void **state)
{
    const unsigned more = 5;

    (void)state;
    for (unsigned i = 0; i < GW_METRICS_EXTENSIONS + more; i++) {
        apply(world, "ExtensionService", nth(i), "{}");
        count(nth(i), 2);
    }
    assert_int_equal(others(2), more);
    for (unsigned i = 0; i < GW_METRICS_EXTENSIONS; i++) {
        assert_int_equal(read_counts(nth(i), 2), 1);
    }
    for (unsigned i = 0; i < GW_METRICS_EXTENSIONS; i += 2) {
        apply(world, "ExtensionService", nth(i), NULL);
    }
    pass_sweep();
    for (unsigned i = 0; i < GW_METRICS_EXTENSIONS; i++) { /* those that stay are still found */
        if (i % 2 == 1) {
            count(nth(i), 2);
        }
        assert_int_equal(read_counts(nth(i), 2), i % 2 == 1 ? 2 : -1);
    }
    for (unsigned i = GW_METRICS_EXTENSIONS; i < GW_METRICS_EXTENSIONS + more; i++) {
        count(nth(i), 2);
        assert_int_equal(read_counts(nth(i), 2), 1);
    }
    assert_int_equal(counts->n_extensions, GW_METRICS_EXTENSIONS);
}

static void
long_names_fit_or_are_others(void **state)
{
    char name[GW_METRICS_NAME + 1] = "";

    (void)state;
    memset(name, 'x', 253); /* the longest that the registry takes */
    apply(world, "ExtensionService", name, "{}");
    count(name, 2);
    assert_int_equal(read_counts(name, 2), 1);
    memset(name, 'x', GW_METRICS_NAME);
    count(name, 2);
    assert_int_equal(others(2), 1);
}

/* -- while another thread reads -----------------------------------------------------------------
 */

static atomic_bool over;
static atomic_ulong wrong;

/* Each extension counts in the class of its last digit alone: a mixture of two would show. */
static void *
read_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        for (unsigned i = 0; i < counts->n_extensions; i++) {
            unsigned long long its_counts[GW_METRICS_OF_EXTENSION];
            char name[GW_METRICS_NAME];

            if (!gw_metrics_extension_read(&counts->extensions[i], name, its_counts)) {
                continue;
            }
            for (unsigned k = 0; k < GW_METRICS_CLASSES; k++) {
                wrong += its_counts[k] > 0 && (unsigned)(name[strlen(name) - 1] - '0') != k;
            }
        }
    }
    return NULL;
}

static void
what_changes_hands_is_not_read(void **state)
{
    pthread_t reader;

    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, NULL), 0);
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned class = 0; class < GW_METRICS_CLASSES; class ++) {
            const char *name = nth(round % 7 * 10 + class);

            apply(world, "ExtensionService", name, "{}");
            count(name, class);
        }
        for (unsigned class = 0; class < GW_METRICS_CLASSES; class ++) {
            apply(world, "ExtensionService", nth(round % 7 * 10 + class), NULL);
        }
        pass_sweep();
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(counts->n_extensions <= GW_METRICS_CLASSES); /* each place has had many owners */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_has_its_own),
        TEST(who_is_not_registered_is_one_of_the_others),
        TEST(who_has_gone_leaves_no_series),
        TEST(who_is_replaced_at_once_goes_on),
        TEST(places_are_bounded_and_used_again),
        TEST(long_names_fit_or_are_others),
        TEST(what_changes_hands_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
