/* redis_reason.h - why a list is made: told once, counted each time, and waited for when it does
 * not help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "registry/redis_reason.h"

static unsigned long long
counted(const struct gw_redis_reason *r, const char *label)
{
    struct gw_store_status status = {0};

    gw_redis_reason_status(r, &status);
    for (size_t i = 0; i < status.n_lists; i++) {
        if (strcmp(status.lists[i].why, label) == 0) {
            return status.lists[i].n;
        }
    }
    fail_msg("no reason is called %s", label);
    return 0;
}

static void
test_tells(void **state)
{
    struct gw_redis_reason r = {0};

    (void)state;
    assert_null(gw_redis_reason_listed(&r, false));
    assert_int_equal(counted(&r, "first"), 1);
    gw_redis_reason_set(&r, GW_REDIS_FOREIGN, "7-1");
    const char *text = gw_redis_reason_listed(&r, false);
    assert_non_null(text);
    assert_non_null(strstr(text, gw_redis_why_text(GW_REDIS_FOREIGN)));
    assert_non_null(strstr(text, "(7-1)"));
    assert_int_equal(counted(&r, "foreign"), 1);
}

/* What the list shows is told and counted, not what it was asked for; unless that says it better.
 */
static void
test_parted(void **state)
{
    struct gw_redis_reason r = {0};

    (void)state;
    gw_redis_reason_set(&r, GW_REDIS_RECONNECTED, NULL);
    assert_string_equal(gw_redis_reason_listed(&r, true), gw_redis_why_text(GW_REDIS_FORKED));
    assert_int_equal(counted(&r, gw_redis_why_label(GW_REDIS_FORKED)), 1);
    assert_int_equal(counted(&r, gw_redis_why_label(GW_REDIS_RECONNECTED)), 0);
    gw_redis_reason_set(&r, GW_REDIS_OLDER, NULL);
    assert_string_equal(gw_redis_reason_listed(&r, true), gw_redis_why_text(GW_REDIS_OLDER));
    assert_int_equal(counted(&r, gw_redis_why_label(GW_REDIS_OLDER)), 1);
}

static void
test_again_and_again(void **state)
{
    struct gw_redis_reason r = {0};
    uint64_t now = 1000;
    uint64_t pause = 0;

    (void)state;
    gw_redis_reason_set(&r, GW_REDIS_MISSED, NULL);
    assert_int_equal(gw_redis_reason_pause(&r, now), 0);
    assert_non_null(gw_redis_reason_listed(&r, false));
    for (int i = 0; i < 10; i++) {
        uint64_t next = gw_redis_reason_pause(&r, now += 100);

        assert_true(next > pause || next == GW_REDIS_REASON_WAITS_MAX_MS);
        pause = next;
        assert_null(gw_redis_reason_listed(&r, false)); /* it was said with the pause */
    }
    assert_int_equal(pause, GW_REDIS_REASON_WAITS_MAX_MS);
    assert_int_equal(counted(&r, gw_redis_why_label(GW_REDIS_MISSED)), 11);
    gw_redis_reason_set(&r, GW_REDIS_WIPED, NULL); /* that is something else */
    assert_int_equal(gw_redis_reason_pause(&r, now + 100), 0);
    assert_non_null(gw_redis_reason_listed(&r, false));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells),
        cmocka_unit_test(test_parted),
        cmocka_unit_test(test_again_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
