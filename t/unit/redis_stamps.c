/* redis_stamps.c - when changes were made: remembered for the last ones, and two lines compared by
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/redis_stamps.h"

/* Revisions from `first` on, a stamp each. */
static void
take(struct gw_redis_stamps *s, uint64_t first, const long long *stamps, size_t n)
{
    redisReply numbers[32] = {0};
    redisReply *elements[32];
    redisReply pairs = {.type = REDIS_REPLY_ARRAY, .elements = n * 2, .element = elements};

    assert_true(n * 2 <= 32);
    for (size_t i = 0; i < n; i++) {
        numbers[2 * i] =
            (redisReply){.type = REDIS_REPLY_INTEGER, .integer = (long long)first + (long long)i};
        numbers[2 * i + 1] = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = stamps[i]};
        elements[2 * i] = &numbers[2 * i];
        elements[2 * i + 1] = &numbers[2 * i + 1];
    }
    gw_redis_stamps_take(s, &pairs);
}

static void
test_remembers(void **state)
{
    static struct gw_redis_stamps s;
    const long long stamps[] = {10, 20, 30};

    (void)state;
    take(&s, 7, stamps, 3);
    assert_int_equal(gw_redis_stamps_of(&s, 8), 20);
    assert_int_equal(gw_redis_stamps_of(&s, 10), 0);
    take(&s, 8 + GW_REDIS_STAMPS, stamps, 1);
    assert_int_equal(gw_redis_stamps_of(&s, 8), 0);
    assert_int_equal(gw_redis_stamps_of(&s, 7), 10);
    gw_redis_stamps_forget(&s);
    assert_int_equal(gw_redis_stamps_of(&s, 7), 0);
}

static void
test_parts(void **state)
{
    static const struct {
        const char *what;
        long long now[5]; /* of revisions 3 to 7, before: 1 2 3 4 5 */
        uint64_t parted;
    } cases[] = {
        {"the same", {1, 2, 3, 4, 5}, 0},
        {"another last one", {1, 2, 3, 4, 50}, 7},
        {"others from the middle on", {1, 2, 30, 40, 50}, 5},
        {"others altogether", {10, 20, 30, 40, 50}, 3},
        {"one is not known any more", {1, 2, 0, 40, 50}, 6},
        {"none is known any more", {0, 0, 0, 0, 0}, 0},
    };
    const long long was[] = {1, 2, 3, 4, 5};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct gw_redis_stamps before;
        static struct gw_redis_stamps now;

        gw_redis_stamps_forget(&before);
        gw_redis_stamps_forget(&now);
        take(&before, 3, was, 5);
        take(&now, 3, cases[i].now, 5);
        if (gw_redis_stamps_parted(&now, &before) != cases[i].parted) {
            fail_msg("%s", cases[i].what);
        }
        take(&now, 8, was, 2); /* what goes on beyond says nothing */
        assert_int_equal(gw_redis_stamps_parted(&now, &before), cases[i].parted);
    }
}

/* Two of other revisions altogether have nothing to compare. */
static void
test_far_apart(void **state)
{
    static struct gw_redis_stamps before;
    static struct gw_redis_stamps now;
    const long long was[] = {1, 2, 3};
    const long long is[] = {4, 5, 6};

    (void)state;
    take(&before, 3, was, 3);
    take(&now, 3 + GW_REDIS_STAMPS, is, 3);
    assert_int_equal(gw_redis_stamps_parted(&now, &before), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_far_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
