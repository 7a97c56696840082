/* redis_row.c - the same trouble again is waited for longer; another one, or after a while, is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/redis_row.h"

static void
test_waits(void **state)
{
    static const struct gw_redis_waits lists = {.first = 0, .second = 500, .most = 1500};
    static const struct gw_redis_waits complaints = {.first = 1000, .second = 2000, .most = 4000};
    static const struct {
        int what;
        uint64_t after_ms, list, complaint;
    } steps[] = {
        {1, 0, 0, 1000},
        {1, 0, 500, 2000},
        {1, GW_REDIS_ROW_CALM_MS - 1, 1000, 4000},
        {1, 5, 1500, 4000},
        {1, 5, 1500, 4000},
        {2, 5, 0, 1000}, /* another one */
        {1, 5, 0, 1000},
        {1, 5, 500, 2000},
        {1, GW_REDIS_ROW_CALM_MS, 0, 1000}, /* it was calm for long enough */
    };
    struct gw_redis_row list = {0};
    struct gw_redis_row complaint = {0};
    uint64_t now = 10; /* a machine that has just started */

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        now += steps[i].after_ms;
        assert_int_equal(gw_redis_row_add(&list, steps[i].what, now, &lists), steps[i].list);
        assert_int_equal(gw_redis_row_add(&complaint, steps[i].what, now, &complaints),
                         steps[i].complaint);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_waits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
