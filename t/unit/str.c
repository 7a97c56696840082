#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void
test_cut(void **state)
{
    /* clang-format off */
    static const struct { const char *text; size_t pieces; const char *first, *last; } cases[] = {
        {"a,b,c", 3, "a", "c"},
        {"a",     1, "a", "a"},
        {"a,",    2, "a", ""},
        {",a",    2, "",  "a"},
        {",",     2, "",  ""},
        {"",      1, "",  ""},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_str rest = gw_str_of(cases[i].text);
        struct gw_str piece = GW_STR_NONE;
        size_t n = 0;

        while (rest.p != NULL) {
            piece = gw_str_cut(&rest, ',');
            if (n++ == 0) {
                assert_true(gw_str_eq(piece, gw_str_of(cases[i].first)));
            }
        }
        assert_int_equal(n, cases[i].pieces);
        assert_true(gw_str_eq(piece, gw_str_of(cases[i].last)));
    }
}

static void
test_trim(void **state)
{
    static const char *const cases[][2] = {
        {" \ta b\t ", "a b"}, {"ab", "ab"}, {" \t ", ""}, {"", ""}, {"\na ", "\na"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(gw_str_eq(gw_str_trim(gw_str_of(cases[i][0])), gw_str_of(cases[i][1])));
    }
}

static void
test_u64(void **state)
{
    /* clang-format off */
    static const struct { const char *text; bool good; uint64_t value; } cases[] = {
        {"0",                    true,  0},
        {"00012",                true,  12},
        {"18446744073709551615", true,  UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"",                     false, 0},
        {"-1",                   false, 0},
        {"+1",                   false, 0},
        {" 1",                   false, 0},
        {"1 ",                   false, 0},
        {"0x10",                 false, 0},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;

        assert_int_equal(gw_str_u64(gw_str_of(cases[i].text), &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 77);
    }
}

static void
test_order(void **state)
{
    static const char *const sorted[] = {"", "A", "a", "aa", "ab", "b", "\xff"};
    size_t n = sizeof(sorted) / sizeof(sorted[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int order = gw_str_cmp(gw_str_of(sorted[i]), gw_str_of(sorted[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

static void
test_compare(void **state)
{
    (void)state;
    assert_true(gw_str_eq(GW_STR_NONE, GW_STR("")));
    assert_false(gw_str_eq(GW_STR("a"), GW_STR("A")));
    assert_true(gw_str_eq_nocase(GW_STR("Host"), GW_STR("hOST")));
    assert_false(gw_str_eq_nocase(GW_STR("Host"), GW_STR("Hos")));
    assert_true(gw_str_has_prefix(GW_STR("abc"), GW_STR("ab")));
    assert_true(gw_str_has_prefix(GW_STR_NONE, GW_STR("")));
    assert_false(gw_str_has_prefix(GW_STR("a"), GW_STR("ab")));
    assert_true(gw_str_has_prefix_nocase(GW_STR("Bearer x"), GW_STR("bearer ")));
    assert_int_equal(gw_str_find(GW_STR("abc"), 'c'), 2);
    assert_int_equal(gw_str_find(GW_STR("abc"), 'x'), 3);
    assert_int_equal(gw_str_find(GW_STR_NONE, 'x'), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_trim),    cmocka_unit_test(test_u64),
        cmocka_unit_test(test_order), cmocka_unit_test(test_compare),
    };

    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
