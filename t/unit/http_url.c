/* Targets, queries, hosts, and the URLs of backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/url.h"

static bool
same(struct gw_str s, const char *text)
{
    bool is = gw_str_eq(s, gw_str_of(text));

    if (!is) {
        print_error("got \"%.*s\", not \"%s\"\n", GW_STR_ARG(s), text == NULL ? "" : text);
    }
    return is;
}

static void
targets(void **state)
{
    static const struct {
        const char *method, *target;
        enum gw_err err;
        const char *authority, *path, *query;
    } rows[] = {
        {"GET", "/", GW_ERR_OK, NULL, "/", NULL},
        {"GET", "/a/b?c=d?e", GW_ERR_OK, NULL, "/a/b", "c=d?e"},
        {"GET", "/a?", GW_ERR_OK, NULL, "/a", ""},
        {"GET", "//a", GW_ERR_OK, NULL, "//a", NULL},
        {"OPTIONS", "*", GW_ERR_OK, NULL, "*", NULL},
        {"GET", "http://h:80/a?b", GW_ERR_OK, "h:80", "/a", "b"},
        {"GET", "HTTPS://[::1]/", GW_ERR_OK, "[::1]", "/", NULL},
        {"GET", "http://h", GW_ERR_OK, "h", "/", NULL},
        {"GET", "http://h?q", GW_ERR_OK, "h", "/", "q"},
        {"OPTIONS", "http://h", GW_ERR_OK, "h", "*", NULL},
        {"OPTIONS", "http://h?q", GW_ERR_OK, "h", "/", "q"},
        {"GET", "", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "*", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "a", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "?a", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "/a#b", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "/a b", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "/\xc3\xa4", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "/\x7f", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "http:///a", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "http://", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "http:/a", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "http://u:p@h/", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "http://h:99999/", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"GET", "ws://h/", GW_ERR_BAD_TARGET, NULL, NULL, NULL},
        {"CONNECT", "h:443", GW_ERR_NOT_IMPLEMENTED, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_target_parts parts;

        print_message("# %s %s\n", rows[i].method, rows[i].target);
        assert_int_equal(
            gw_target_split(gw_str_of(rows[i].method), gw_str_of(rows[i].target), &parts),
            rows[i].err);
        if (rows[i].err == GW_ERR_OK) {
            assert_true(same(parts.authority, rows[i].authority));
            assert_true(same(parts.path, rows[i].path));
            assert_true(same(parts.query, rows[i].query));
            assert_int_equal(parts.has_query, rows[i].query != NULL);
            assert_int_equal(parts.absolute, rows[i].authority != NULL);
        }
    }
}

static void
queries(void **state)
{
    static const struct {
        const char *query, *name, *value;
    } rows[] = {
        {"a=1&b=2", "b", "2"},
        {"a=1&a=2", "a", "1"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a=b=c", "a", "b=c"},
        {"a=b+c%2Bd", "a", "b c+d"},
        {"%61=1", "a", "1"},
        {"a+b=1", "a b", "1"},
        {"a%2=1&a=2", "a", "2"},
        {"a=%zz&a=2", "a", "2"},
        {"a=1;b=2", "a", NULL},
        {"a=1;b=2&a=3", "a", "3"},
        {"ab=1", "a", NULL},
        {"a=1", "ab", NULL},
        {"", "a", NULL},
        {"&&a=1", "a", "1"},
        {"A=1", "a", NULL},
        {"=1&a=2", "a", "2"},
        {"watch=true&watch=", "watch", "true"},
    };
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_str value = GW_STR_NONE;
        bool found = gw_query_get(a, gw_str_of(rows[i].query), gw_str_of(rows[i].name), &value);

        print_message("# %s of %s\n", rows[i].name, rows[i].query);
        assert_int_equal(found, rows[i].value != NULL);
        assert_true(same(value, rows[i].value));
    }
    gw_arena_free(a);
}

static void
hosts(void **state)
{
    static const struct {
        const char *host;
        bool ok;
    } rows[] = {
        {"a", true},
        {"a.example.com:8080", true},
        {"10.0.0.1", true},
        {"[::1]", true},
        {"[2001:db8::1]:443", true},
        {"a_b-c~d", true},
        {"a:", true},
        {"a:0", true},
        {"a:65535", true},
        {"a%41", true},
        {"xn--bcher-kva.example", true},
        {"", false},
        {":80", false},
        {"a:65536", false},
        {"a:b", false},
        {"a:+1", false},
        {"a:1:2", false},
        {"a b", false},
        {"a/b", false},
        {"a@b", false},
        {"a%4", false},
        {"a%zz", false},
        {"[", false},
        {"[]", false},
        {"[::1", false},
        {"[::1]x", false},
        {"[fe80::1%25eth0]", false},
        {"[1.2.3.4]", false},
        {"::1", false},
        {"a?b", false},
        {"a#b", false},
        {"a\\b", false},
        {"\xc3\xa4", false},
        {"[::1]:", true},
        {"[v1.a]", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("# %s\n", rows[i].host);
        assert_int_equal(gw_host_ok(gw_str_of(rows[i].host)), rows[i].ok);
    }
    assert_false(gw_host_ok((struct gw_str){"[::1\0]", 6}));
}

static void
backends(void **state)
{
    static const struct {
        const char *text, *scheme, *host, *authority;
        unsigned port;
        const char *path;
    } rows[] = {
        {"http://a", "http", "a", "a", 80, ""},
        {"http://a/", "http", "a", "a", 80, ""},
        {"http://a:8080/base/", "http", "a", "a:8080", 8080, "/base"},
        {"HTTPS://a", "https", "a", "a", 443, ""},
        {"https://[::1]:1/x/y", "https", "::1", "[::1]:1", 1, "/x/y"},
        {"unix:/run/x.sock", "unix", "/run/x.sock", "localhost", 0, ""},
    };
    static const char *const bad[] = {
        "",
        "a",
        "a:80",
        "//a",
        "ftp://a",
        "http://",
        "http:///x",
        "http://a:0",
        "http://a:",
        "http://a:70000",
        "http://u@a",
        "http://u:p@a/",
        "http://a?q",
        "http://a/#f",
        "http://a/../b",
        "http://a//b",
        "http://a/%zz",
        "http://a b",
        "http://a/b c",
        "http://[::1",
        "unix:",
        "unix:/",
        "unix:run/x",
        "unix:/a\nb",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_url u;
        const char *why = NULL;

        print_message("# %s\n", rows[i].text);
        assert_true(gw_url_parse(gw_str_of(rows[i].text), &u, &why));
        assert_true(same(u.scheme, rows[i].scheme));
        assert_true(same(u.host, rows[i].host));
        assert_true(same(u.authority, rows[i].authority));
        assert_true(same(u.path, rows[i].path));
        assert_int_equal(u.port, rows[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct gw_url u;
        const char *why = NULL;

        assert_false(gw_url_parse(gw_str_of(bad[i]), &u, &why));
        assert_non_null(why);
        print_message("# %s: %s\n", bad[i], why);
    }
}

static void
a_socket_path_has_a_limit(void **state)
{
    char text[] = "unix:/.........|.........|.........|.........|.........|"
                  ".........|.........|.........|.........|.........|......";
    struct gw_str s = {text, sizeof("unix:") - 1 + 107};
    struct gw_url u;
    const char *why = NULL;

    (void)state;
    assert_int_equal(sizeof(text), s.n + 1);
    assert_true(gw_url_parse(s, &u, &why));
    char longer[sizeof(text) + 1];
    memcpy(longer, text, s.n);
    longer[s.n] = '.';
    assert_false(gw_url_parse((struct gw_str){longer, s.n + 1}, &u, &why));
    assert_string_equal(why, "the socket's path is longer than 107 bytes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(queries),
        cmocka_unit_test(hosts),
        cmocka_unit_test(backends),
        cmocka_unit_test(a_socket_path_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
