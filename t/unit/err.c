#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void
test_known_ones(void **state)
{
    (void)state;
    assert_string_equal(gw_err_name(GW_ERR_OK), "ok");
    assert_string_equal(gw_err_name(GW_ERR_TOKEN_EXPIRED), "token_expired");
    assert_string_equal(gw_err_reason(GW_ERR_TOKEN_EXPIRED), "Unauthorized");
    assert_string_equal(gw_err_text(GW_ERR_TOKEN_EXPIRED), "the token has expired");
    assert_int_equal(gw_err_status(GW_ERR_TOKEN_EXPIRED), 401);
    assert_int_equal(gw_err_status(GW_ERR_HEAD_TOO_LARGE), 431);
    assert_int_equal(gw_err_count(), GW_ERR_RESPONSE_CUT + 1);
}

static void
test_all_are_complete_and_differ(void **state)
{
    (void)state;
    for (int e = 0; e < gw_err_count(); e++) {
        const char *name = gw_err_name((enum gw_err)e);

        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        assert_true(strlen(name) > 1);
        assert_true(strlen(gw_err_text((enum gw_err)e)) > 0);
        if (e != GW_ERR_OK) {
            assert_in_range(gw_err_status((enum gw_err)e), 400, 599);
            assert_true(strlen(gw_err_reason((enum gw_err)e)) > 0);
        }
        for (int other = 0; other < e; other++) {
            assert_string_not_equal(name, gw_err_name((enum gw_err)other));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ones),
        cmocka_unit_test(test_all_are_complete_and_differ),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
