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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_printf_of_every_length),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_rfc3339),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
