/* ebb.c - when a crowd has left, and when it has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ebb.h"

/* How many of n looks at so many connections were an ebb. */
static unsigned
look(struct gw_ebb *e, long long connections, unsigned n)
{
    unsigned ebbs = 0;

    while (n-- > 0) {
        ebbs += gw_ebb(e, connections);
    }
    return ebbs;
}

static void
test_a_crowd_that_leaves(void **state)
{
    struct gw_ebb e = {0};

    (void)state;
    assert_int_equal(look(&e, 5000, 100), 0);
    assert_int_equal(look(&e, 10, 9), 0); /* not yet */
    assert_int_equal(look(&e, 10, 100), 1);
    assert_int_equal(look(&e, 5000, 100), 0); /* the next */
    assert_int_equal(look(&e, 10, 100), 1);
}

static void
test_what_is_no_ebb(void **state)
{
    struct gw_ebb e = {0};

    (void)state;
    assert_int_equal(look(&e, 900, 100) + look(&e, 0, 100), 0);     /* too few */
    assert_int_equal(look(&e, 5000, 100) + look(&e, 3000, 100), 0); /* most are still there */
    for (unsigned i = 0; i < 100; i++) {                            /* they come again */
        assert_int_equal(look(&e, 10, 9) + look(&e, 4000, 1), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crowd_that_leaves),
        cmocka_unit_test(test_what_is_no_ebb),
    };

    return cmocka_run_group_tests_name("ebb", tests, NULL, NULL);
}
