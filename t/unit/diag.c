#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/diag.h"

static void
test_nearest(void **state)
{
    static const char *const names[] = {"listeners", "limits", "timeouts", "workers", "core",
                                        "registry",  "log",    "url",      NULL};
    /* clang-format off */
    static const struct { const char *typed, *nearest; } cases[] = {
        {"listner",   "listeners"},
        {"listeners", "listeners"},
        {"lmiits",    "limits"},     /* one swap */
        {"limit",     "limits"},
        {"tiemout",   "timeouts"},   /* a swap and a letter */
        {"ulr",       "url"},
        {"lg",        NULL},         /* one edit is half of it */
        {"lug",       "log"},
        {"loog",      "log"},
        {"cr",        NULL},
        {"frobnicate", NULL},
        {"",          NULL},
        {"a_name_that_is_much_too_long_to_be_any_of_ours_and_longer_than_the_table", NULL},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *nearest = gw_diag_nearest(gw_str_of(cases[i].typed), names);

        if (cases[i].nearest == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].nearest);
        }
    }
}

static void
test_all_in_order_of_place(void **state)
{
    struct gw_diag d = {0};
    struct gw_buf out = {0};
    char file[] = "b.yaml";

    (void)state;
    assert_string_equal(gw_diag_first(&d), "");
    gw_diag_format(&d, &out);
    assert_int_equal(out.n, 0);

    gw_diag_warn(&d, (struct gw_place){file, 9, 1}, "late");
    gw_diag_error(&d, (struct gw_place){file, 2, 7}, "second %d", 2);
    gw_diag_error(&d, (struct gw_place){file, 2, 3}, "first");
    gw_diag_error(&d, (struct gw_place){file, 2, 7}, "third");
    gw_diag_error(&d, (struct gw_place){"a.yaml", 50, 0}, "other");
    gw_diag_error(&d, (struct gw_place){file, 0, 0}, "whole");
    gw_diag_error(&d, (struct gw_place){0}, "nowhere");
    file[0] = '?'; /* the diag has its own copy */
    assert_int_equal(d.n, 7);
    assert_int_equal(d.errors, 6);
    assert_string_equal(gw_diag_first(&d), "second 2");

    gw_diag_format(&d, &out);
    assert_string_equal(out.p, "error: nowhere\n"
                               "a.yaml:50: error: other\n"
                               "b.yaml: error: whole\n"
                               "b.yaml:2:3: error: first\n"
                               "b.yaml:2:7: error: second 2\n"
                               "b.yaml:2:7: error: third\n"
                               "b.yaml:9:1: warning: late\n");
    gw_buf_fini(&out);
    gw_diag_fini(&d);
    assert_int_equal(d.n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_all_in_order_of_place),
    };

    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
