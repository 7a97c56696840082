#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"

static void
test_growing(void **state)
{
    struct gw_buf b = {0};
    char big[5000];

    (void)state;
    assert_int_equal(gw_buf_text(&b).n, 0);
    gw_buf_puts(&b, "");
    assert_string_equal(b.p, "");
    gw_buf_puts(&b, "one ");
    gw_buf_str(&b, GW_STR("two "));
    gw_buf_str(&b, GW_STR_NONE);
    gw_buf_add(&b, "\0!", 2);
    assert_int_equal(b.n, 10);
    assert_memory_equal(b.p, "one two \0!", 11);

    gw_buf_reset(&b);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");

    memset(big, 'x', sizeof(big));
    for (size_t i = 0; i < 20; i++) {
        gw_buf_printf(&b, "%zu:%.*s;", i, (int)sizeof(big), big);
    }
    assert_int_equal(b.n, 20 * (sizeof(big) + 2) + 30);
    assert_int_equal(b.p[b.n - 1], ';');
    assert_int_equal(b.p[b.n], '\0');
    gw_buf_fini(&b);
    assert_null(b.p);
}

static void
test_printf_of_every_length(void **state)
{
    struct gw_buf b = {0};
    char text[300];

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        memset(text, 'y', n);
        text[n] = '\0';
        gw_buf_fini(&b);
        gw_buf_printf(&b, "%s", text);
        assert_string_equal(b.p, text);
    }
    gw_buf_fini(&b);
}

#define BAD "\xef\xbf\xbd"

static void
test_json(void **state)
{
    /* clang-format off */
    static const struct { const char *text, *json; } cases[] = {
        {"plain",            "\"plain\""},
        {"",                 "\"\""},
        {"a\"b\\c/",         "\"a\\\"b\\\\c/\""},
        {"\n\r\t\x01\x1f",   "\"\\n\\r\\t\\u0001\\u001f\""},
        {"\x7f",             "\"\\u007f\""},
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xc2\x85\xe2\x80\xa8", "\"\\u0085\\u2028\""},  /* line ends for YAML and JavaScript */
        {"\xef\xbb\xbf\xef\xbf\xbf", "\"\\ufeff\\uffff\""},
        {"a\xff" "b",        "\"a" BAD "b\""},
        {"\x80",             "\"" BAD "\""},
        {"\xc3",             "\"" BAD "\""},
        {"\xe2\x82",         "\"" BAD BAD "\""},
        {"\xc0\xaf",         "\"" BAD BAD "\""},          /* overlong */
        {"\xe0\x80\xaf",     "\"" BAD BAD BAD "\""},
        {"\xed\xa0\x80",     "\"" BAD BAD BAD "\""},      /* a surrogate */
        {"\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""},  /* above U+10FFFF */
        {"\xf5\x80",         "\"" BAD BAD "\""},
    };
    /* clang-format on */
    struct gw_buf b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_buf_reset(&b);
        gw_buf_json(&b, gw_str_of(cases[i].text));
        assert_string_equal(b.p, cases[i].json);
    }
    gw_buf_reset(&b);
    gw_buf_json(&b, GW_STR("a\0b"));
    assert_string_equal(b.p, "\"a\\u0000b\"");
    gw_buf_fini(&b);
}

static void
test_rfc3339(void **state)
{
    struct gw_buf b = {0};

    (void)state;
    gw_clock_rfc3339(&b, 1795423388123);
    gw_buf_puts(&b, " ");
    gw_clock_rfc3339(&b, 0);
    gw_buf_puts(&b, " ");
    gw_clock_rfc3339(&b, 951782399999);
    assert_string_equal(
        b.p, "2026-11-23T08:43:08.123Z 1970-01-01T00:00:00.000Z 2000-02-28T23:59:59.999Z");
    gw_buf_fini(&b);
    assert_true(gw_clock_wall_ms() > 1700000000000);
    uint64_t before = gw_clock_mono_us();
    assert_true(gw_clock_mono_us() >= before);
}

static void
test_read_rfc3339(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"2026-11-23T08:43:08.123Z", 1795423388123},
        {"2026-11-23T08:43:08Z", 1795423388000},
        {"2026-11-23T09:43:08.1+01:00", 1795423388100},
        {"2026-11-23t07:13:08-01:30", 1795423388000},
        {"2026-11-23 08:43:08.123456z", 1795423388123},
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2105-12-31T23:59:59.999Z", 4291747199999},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T08:43:08",
        "2026-11-23T08:43Z",
        "2026-13-23T08:43:08Z",
        "2026-00-23T08:43:08Z",
        "2026-04-31T08:43:08Z",
        "2026-02-29T08:43:08Z",
        "2026-11-00T08:43:08Z",
        "2026-11-23T24:43:08Z",
        "2026-11-23T08:60:08Z",
        "2026-11-23T08:43:61Z",
        "2026-11-23T08:43:08.Z",
        "2026-11-23T08:43:08Zx",
        "2026-11-23T08:43:08+0100",
        "2026-11-23T08:43:08+24:00",
        "+026-11-23T08:43:08Z",
        "1969-12-31T23:59:59Z",
        "2106-01-01T00:00:00Z",
        "1970-01-01T00:30:00+01:00",
        "2026-11-23X08:43:08Z",
    };
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(gw_clock_read_rfc3339(gw_str_of(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gw_clock_read_rfc3339(gw_str_of(bad[i]), &ms)) {
            fail_msg("%s: taken", bad[i]);
        }
    }
    assert_false(gw_clock_read_rfc3339(GW_STR_NONE, &ms));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),      cmocka_unit_test(test_printf_of_every_length),
        cmocka_unit_test(test_json),         cmocka_unit_test(test_rfc3339),
        cmocka_unit_test(test_read_rfc3339),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
