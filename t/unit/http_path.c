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

/* clang-format off */
#define S GW_PATH_ENCODED_SLASH
#define D GW_PATH_DOUBLE_ENCODED_SLASH
#define E GW_PATH_EMPTY_SEGMENTS
static const struct {
    const char *path;
    unsigned allowed, strict, odd;
    const char *why;     /* the beginning of it; NULL: fine */
    const char *reading; /* of policy, decoded; when it is fine */
} relaxed[] = {
    {"/r/a%2Fb",          S, 1, S, NULL, "/r/a%2Fb"},
    {"/r/a%2fb/c%2Fd",    S, 1, S, NULL, "/r/a%2Fb/c%2Fd"},
    {"/r/a%20b%2fc",      S, 1, S, NULL, "/r/a b%2Fc"},
    {"/r/a%2F",           S, 1, S, NULL, "/r/a%2F"},
    {"/r/a%2Fb",          D | E, 1, 0, "an encoded slash", NULL},
    {"/r/a%252Fb",        D, 1, D, NULL, "/r/a%252Fb"},
    {"/r/a%252fb",        S, 1, 0, "a doubly encoded", NULL},
    {"/r/a%252fb%2fc",    S | D, 1, S | D, NULL, "/r/a%252Fb%2Fc"},
    {"/r/a//b",           E, 1, E, NULL, "/r/a/b"},
    {"/r/a///b//",        E, 1, E, NULL, "/r/a/b/"},
    {"/r/a//b",           S, 1, 0, "an empty segment", NULL},
    {"/r/a%2F%2Fb",       S, 1, 0, "an empty segment", NULL},
    {"/r/a/%2Fb",         S, 1, 0, "an empty segment", NULL},
    {"/r/a%2F/b",         S, 1, 0, "an empty segment", NULL},
    {"/r/a%2F/b",         S | E, 1, S | E, NULL, "/r/a%2F/b"},
    /* what routes is strict, up to and with its slash */
    {"/r%2Fx/a",          S, 1, 0, "an encoded slash", NULL},
    {"/%2Fr/a",           S, 1, 0, "an encoded slash", NULL},
    {"//r/a",             E, 1, 0, "an empty segment", NULL},
    {"/r//a",             E, 1, 0, "an empty segment", NULL},
    {"/r/%2Fa",           S | E, 1, 0, "an empty segment", NULL},
    {"/e/x%2Fy/a",        S, 2, 0, "an encoded slash", NULL},
    {"/e//x/a",           E, 2, 0, "an empty segment", NULL},
    {"/e/x//a",           E, 2, 0, "an empty segment", NULL},
    {"/e/x/a//b",         E, 2, E, NULL, "/e/x/a/b"},
    {"/e/x%2F",           S, 2, 0, "an encoded slash", NULL},
    /* never */
    {"/r/..%2Fb",         S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%2F..",         S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%2F..%2Fb",     S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%2F%2e%2E%2Fb", S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%2F.;x%2Fb",    S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%252F..%252Fb", S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%252F%2e./b",   S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%252F%252e%252e", S | D | E, 1, 0, "a doubly encoded", NULL},
    {"/r/a//../b",        S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a/.//b",         S | D | E, 1, 0, "a dot segment", NULL},
    {"/r/a%5Cb",          S | D | E, 1, 0, "an encoded backslash", NULL},
    {"/r/a\\b",           S | D | E, 1, 0, "a backslash", NULL},
    {"/r/a%2F%00",        S | D | E, 1, 0, "an encoded control byte", NULL},
    {"/r/a%25252Fb",      S | D | E, 1, 0, "a doubly encoded", NULL},
    {"/r/a%25%32%66b",    S | D | E, 1, 0, "a doubly encoded", NULL},
    {"/r/a%%2F",          S | D | E, 1, 0, "a % that", NULL},
    {"/r/a%2%2F",         S | D | E, 1, 0, "a % that", NULL},
    {"/r/a%c0%af",        S | D | E, 1, 0, "an overlong UTF-8", NULL},
};
/* clang-format on */

static void
paths_that_a_route_allows(void **state)
{
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(relaxed) / sizeof(relaxed[0]); i++) {
        struct gw_str path = gw_str_of(relaxed[i].path);
        const char *why = NULL;
        unsigned odd = 0;

        print_message("# %s\n", relaxed[i].path);
        enum gw_err err =
            gw_path_check_relaxed(path, relaxed[i].allowed, relaxed[i].strict, &odd, &why);
        assert_int_equal(err, relaxed[i].why == NULL ? GW_ERR_OK : GW_ERR_BAD_PATH);
        if (relaxed[i].why != NULL) {
            assert_memory_equal(why, relaxed[i].why, strlen(relaxed[i].why));
            continue;
        }
        assert_int_equal(odd, relaxed[i].odd);
        struct gw_str read = gw_path_decode(a, gw_path_reading(a, path, 0));
        assert_int_equal(read.n, strlen(relaxed[i].reading));
        assert_memory_equal(read.p, relaxed[i].reading, read.n);
    }
    gw_arena_free(a);
}

/* Nothing is left of them for a reader to whom they are slashes. */
static void
other_readings(void **state)
{
    static const struct {
        const char *path, *once, *twice;
    } rows[] = {
        {"/a%2Fb%252Fc", "/a/b%252Fc", "/a/b/c"},
        {"/a%2f/b", "/a/b", "/a/b"},
        {"%2F%2F%2F", "/", "/"},
        {"%252F%252F", "%252F%252F", "/"},
    };
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_str path = gw_str_of(rows[i].path);
        struct gw_str once = gw_path_decode(a, gw_path_reading(a, path, S));
        struct gw_str twice = gw_path_decode(a, gw_path_reading(a, path, S | D));

        assert_true(gw_str_eq(once, gw_str_of(rows[i].once)));
        assert_true(gw_str_eq(twice, gw_str_of(rows[i].twice)));
    }
    gw_arena_free(a);
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

static void
words_as_the_most_lenient_server_has_them(void **state)
{
    static const struct {
        const char *segment, *word;
        bool sounds;
    } rows[] = {
        {"things", "things", true},
        {"Things", "things", true},
        {"things;", "things", true},
        {"things;a=b", "things", true},
        {" things ", "things", true},
        {"things..", "things", true},
        {"things .;x", "things", true},
        {"%74hings", "things", true},
        {"%2574hings", "things", true},
        {"%74h%69ngs%3bx", "things", true},
        {"things%20", "things", true},
        {"things?x", "things", true},
        {"things%3fx", "things", true},
        {"things#", "things", true},
        {"thing", "things", false},
        {"thingss", "things", false},
        {".things", "things", false},
        {"things%", "things", false},
        {"things%2", "things", false},
        {"some things", "things", false},
        {";things", "things", false},
        {";things", "", true},
        {";", "", true},
        {" ", "", true},
        {"", "", true},
        {"a", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("# %s sounds like %s\n", rows[i].segment, rows[i].word);
        assert_int_equal(
            gw_path_segment_sounds(gw_str_of(rows[i].segment), gw_str_of(rows[i].word)),
            rows[i].sounds);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_that_mean_one_thing),
        cmocka_unit_test(paths_that_a_route_allows),
        cmocka_unit_test(other_readings),
        cmocka_unit_test(decoding),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(words_as_the_most_lenient_server_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
