/* base64.c - the test vectors of RFC 4648, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static void
test_written(void **state)
{
    static const struct {
        const char *bytes, *text;
        size_t n;
    } cases[] = {
        {"", "", 0},
        {"f", "Zg", 1},
        {"fo", "Zm8", 2},
        {"foo", "Zm9v", 3},
        {"foob", "Zm9vYg", 4},
        {"fooba", "Zm9vYmE", 5},
        {"foobar", "Zm9vYmFy", 6},
        {"\xfb\xff\xfe", "-__-", 3},
        {"\0", "AA", 1},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_buf out = {0};

        gw_buf_puts(&out, "<");
        gw_base64url_add(&out, cases[i].bytes, cases[i].n);
        assert_string_equal(out.p + 1, cases[i].text);
        gw_buf_fini(&out);
    }
}

static void
test_add_padded(void **state)
{
    static const char *const cases[][2] = {
        {"", "<"},        {"f", "<Zg=="},        {"fo", "<Zm8="},
        {"foo", "<Zm9v"}, {"foob", "<Zm9vYg=="}, {"\xfb\xff\xfe", "<+//+"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_buf out = {0};

        gw_buf_puts(&out, "<");
        gw_base64_add(&out, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(out.p, cases[i][1]);
        gw_buf_fini(&out);
    }
}

static void
test_read(void **state)
{
    static const struct {
        const char *text, *bytes;
        size_t n;
    } cases[] = {
        {"", "", 0},
        {"Zg==", "f", 1},
        {"Zm8=", "fo", 2},
        {"Zm9v", "foo", 3},
        {"Zm9vYg==", "foob", 4},
        {"Zm9vYmE=", "fooba", 5},
        {"Zm9vYmFy", "foobar", 6},
        {"+/+/", "\xfb\xff\xbf", 3},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char out[16];
        size_t n = 99;

        assert_true(gw_base64_read(gw_str_of(cases[i].text), out, &n));
        assert_int_equal(n, cases[i].n);
        assert_memory_equal(out, cases[i].bytes, n);
    }
}

static void
test_refused(void **state)
{
    static const char *const texts[] = {
        "Z",    "Zg",   "Zg=",      "Zg===", "====", "=",      "Zh==",    "Zm9=",
        "Zm-_", "Z g=", "Zg==Zg==", "Zm=v",  "Z=g=", "Zg==\n", "Zm9\xc3", "Zm8=Zm9v",
    };

    (void)state;
    for (size_t i = 0; i < N(texts); i++) {
        char out[16];
        size_t n;

        print_message("# %s\n", texts[i]);
        assert_false(gw_base64_read(gw_str_of(texts[i]), out, &n));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_add_padded),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
