/* Paths that mean one thing, their decoding, and prefixes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/url.h"

/* clang-format off */
static const struct {
    const char *path, *why; /* the beginning of it; NULL: fine */
} paths[] = {
    {"/", NULL},
    {"*", NULL},
    {"/api/v1/pods", NULL},
    {"/api/v1/pods/", NULL},
    {"/api/v1/pods//", NULL},
    {"/api/v1/pods////", NULL},
    {"//", NULL},
    {"/a b", "a byte that may not"},
    {"/a%20b", NULL},
    {"/%C3%A4/%e2%82%ac", NULL},
    {"/a%25b", NULL},
    {"/a%25", NULL},
    {"/a%2541", NULL},
    {"/a%252", NULL},
    {"/a%25zz", NULL},
    {"/v1.2/...", NULL},
    {"/.well-known/x", NULL},
    {"/..a/.a/a../a.", NULL},
    {"/a;b=c/d", NULL},
    {"/;/a", NULL},
    {"/a%2eb", NULL},
    {"/%2ea", NULL},
    {"/...", NULL},
    {"/!$&'()*+,;=:@-._~|^`{}[]\"<>", NULL},
    {"", "no slash"},
    {"a", "no slash"},
    {"%2Fa", "no slash"},
    {"//api", "an empty segment"},
    {"/api//v1", "an empty segment"},
    {"/api//v1/", "an empty segment"},
    {"/api///", NULL},
    {"/.", "a dot segment"},
    {"/..", "a dot segment"},
    {"/./a", "a dot segment"},
    {"/a/../b", "a dot segment"},
    {"/a/..", "a dot segment"},
    {"/%2e", "a dot segment"},
    {"/%2E%2e/a", "a dot segment"},
    {"/.%2e/a", "a dot segment"},
    {"/%2e./a", "a dot segment"},
    {"/..;/x", "a dot segment"},
    {"/.;a/x", "a dot segment"},
    {"/..;", "a dot segment"},
    {"/..%3b/x", "a dot segment"},
    {"/%2e%2e%3Bx/x", "a dot segment"},
    {"/a/..;x=y/b", "a dot segment"},
    {"/a%2Fb", "an encoded slash"},
    {"/a%2fb", "an encoded slash"},
    {"/a%5Cb", "an encoded backslash"},
    {"/a\\b", "a backslash"},
    {"/a%00", "an encoded control byte"},
    {"/a%0d%0aSet-Cookie", "an encoded control byte"},
    {"/a%1F", "an encoded control byte"},
    {"/a%7f", "an encoded control byte"},
    {"/a%", "a % that"},
    {"/a%2", "a % that"},
    {"/a%zz", "a % that"},
    {"/a%2/b", "a % that"},
    {"/a%u002f", "a % that"},
    {"/a%252Fb", "a doubly encoded"},
    {"/a%252eb", "a doubly encoded"},
    {"/%252e%252e/b", "a doubly encoded"},
    {"/a%255Cb", "a doubly encoded"},
    {"/a%2500", "a doubly encoded"},
    {"/a%25252f", "a doubly encoded"},
    {"/a%2525252e", "a doubly encoded"},
    {"/a%252%66", "a doubly encoded"},
    {"/a%25%32%66", "a doubly encoded"},
    {"/..%253b", "a doubly encoded"},
    {"/a%252525252525252525", "a percent sign that is encoded too often"},
    {"/a%2525", NULL},
    {"/%c0%af", "an overlong UTF-8"},
    {"/%C1%9C", "an overlong UTF-8"},
    {"/%e0%80%af", "an overlong UTF-8"},
    {"/%f0%80%80%af", "an overlong UTF-8"},
    {"/%e0%a4%85/%f0%9f%99%82", NULL},
    {"/%e0", NULL},
    {"/a?b", "a byte that may not"},
    {"/a#b", "a byte that may not"},
    {"/a\x01", "a byte that may not"},
    {"/a\x80", "a byte that may not"},
};
/* clang-format on */

static void
paths_that_mean_one_thing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *why = NULL;
        enum gw_err err = gw_path_check(gw_str_of(paths[i].path), &why);

        print_message("# %s\n", paths[i].path);
        assert_int_equal(err, paths[i].why == NULL ? GW_ERR_OK : GW_ERR_BAD_PATH);
        if (paths[i].why != NULL) {
            assert_memory_equal(why, paths[i].why, strlen(paths[i].why));
        }
    }
}

static void
decoding(void **state)
{
    static const struct {
        const char *path, *decoded;
    } rows[] = {
        {"/a", "/a"}, {"/a%20b", "/a b"}, {"%41%6a%6A", "Ajj"}, {"a+b", "a+b"},   {"/%25", "/%"},
        {"%", NULL},  {"a%2", NULL},      {"%zz", NULL},        {"a%2fb", "a/b"}, {"", ""},
    };
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_str d = gw_path_decode(a, gw_str_of(rows[i].path));

        assert_true(gw_str_eq(d, gw_str_of(rows[i].decoded)));
        assert_int_equal(d.p == NULL, rows[i].decoded == NULL);
    }
    struct gw_str plain = GW_STR("/plain");
    assert_ptr_equal(gw_path_decode(a, plain).p, plain.p);
    gw_arena_free(a);
}

static void
prefixes(void **state)
{
    static const struct {
        const char *path, *prefix;
        bool under;
    } rows[] = {
        {"/a/b", "/a", true},  {"/a", "/a", true},    {"/a/", "/a", true},   {"/ab", "/a", false},
        {"/a/b", "/a/", true}, {"/a", "/a/", true},   {"/", "/", true},      {"/x", "/", true},
        {"/", "/a", false},    {"/A/b", "/a", false}, {"/a", "/a/b", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("# %s under %s\n", rows[i].path, rows[i].prefix);
        assert_int_equal(gw_path_under(gw_str_of(rows[i].path), gw_str_of(rows[i].prefix)),
                         rows[i].under);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_that_mean_one_thing),
        cmocka_unit_test(decoding),
        cmocka_unit_test(prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
