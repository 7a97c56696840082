/* redis_count.h - when is a hash that was changed by others told? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "registry/redis_count.h"

static void
test_looks(void **state)
{
    static const struct {
        long long fields, known;
        uint64_t now_ms;
        enum gw_redis_counted counted;
    } looks[] = {
        {7, 6, 1000, GW_REDIS_COUNT_GOOD},  /* as it was listed: one more than is known */
        {8, 6, 1500, GW_REDIS_COUNT_GOOD},  /* somebody may be amid something */
        {8, 7, 2400, GW_REDIS_COUNT_GOOD},  /* and was */
        {8, 6, 3000, GW_REDIS_COUNT_GOOD},  /* once more */
        {-1, 6, 3500, GW_REDIS_COUNT_GOOD}, /* not known: begins anew */
        {9, 6, 4100, GW_REDIS_COUNT_GOOD},
        {8, 6, 5099, GW_REDIS_COUNT_GOOD},
        {8, 6, 5100, GW_REDIS_COUNT_OTHER},
        {0, 6, 5200, GW_REDIS_COUNT_EMPTY}, /* that is told at once */
    };
    struct gw_redis_count c = {0};

    (void)state;
    gw_redis_count_list(&c, 5, 4);
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        print_message("# look %zu\n", i);
        assert_int_equal(gw_redis_count_look(&c, looks[i].fields, looks[i].known, looks[i].now_ms),
                         looks[i].counted);
    }
    gw_redis_count_list(&c, -1, 4);
    assert_int_equal(gw_redis_count_look(&c, 0, 0, 9000), GW_REDIS_COUNT_GOOD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_looks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
