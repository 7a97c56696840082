/* Header lists, the well-known names, and the classes of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"
#include "http/headers.h"

static const char *const names[] = {
#define X(id, name) name,
    GW_HEADERS(X)
#undef X
};

static void
every_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[64];
        struct gw_str name = {text, strlen(names[i])};

        memcpy(text, names[i], name.n);
        assert_int_equal(gw_header_id(name), i + 1);
        for (size_t at = 0; at < name.n; at++) {
            text[at] = (char)(text[at] >= 'a' ? text[at] ^ 0x20 : text[at]);
            assert_int_equal(gw_header_id(name), i + 1);
        }
        assert_string_equal(gw_header_name(i + 1), names[i]);
    }
}

/* One byte changed, dropped or added, of any value: it is another name. */
static void
nothing_else_is_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[64];
        size_t n = strlen(names[i]);

        memcpy(text, names[i], n + 1);
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                text[at] = (char)c;
                bool same = text[at] == names[i][at] ||
                            (names[i][at] >= 'a' && text[at] == (char)(names[i][at] ^ 0x20));
                enum gw_header_id id = gw_header_id((struct gw_str){text, n});
                assert_int_equal(id == i + 1, same);
            }
            text[at] = names[i][at];
        }
        assert_int_not_equal(gw_header_id((struct gw_str){text, n - 1}), i + 1);
        text[n] = 'x';
        assert_int_not_equal(gw_header_id((struct gw_str){text, n + 1}), i + 1);
    }
    for (size_t n = 0; n < 300; n++) {
        char text[300];
        memset(text, 'e', sizeof(text));
        assert_int_equal(gw_header_id((struct gw_str){text, n}), GW_H_OTHER);
    }
}

#define H(name, value)                                                 \
    {                                                                  \
        {name, sizeof(name) - 1}, {value, sizeof(value) - 1}, 0, false \
    }

static struct gw_header list[] = {
    H("Host", "a"),    H("Connection", "keep-alive"), H("X-Own", "1"),
    H("Via", "1.1 x"), H("connection", " Close ,x "), H("x-own", "2"),
    H("Via", "1.0 y"),
};

static struct gw_headers
headers(void)
{
    struct gw_headers h = {.list = list, .n = sizeof(list) / sizeof(list[0])};

    for (unsigned i = 0; i < h.n; i++) {
        list[i].id = (unsigned short)gw_header_id(list[i].name);
        h.present |= UINT64_C(1) << list[i].id;
    }
    return h;
}

static void
lists_are_searched(void **state)
{
    struct gw_headers h = headers();

    (void)state;
    assert_true(gw_headers_has(&h, GW_H_VIA));
    assert_false(gw_headers_has(&h, GW_H_TE));
    assert_ptr_equal(gw_headers_get(&h, GW_H_VIA), &list[3]);
    assert_null(gw_headers_get(&h, GW_H_TE));
    assert_true(gw_str_eq(gw_headers_value(&h, GW_H_HOST), GW_STR("a")));
    assert_null(gw_headers_value(&h, GW_H_COOKIE).p);
    assert_ptr_equal(gw_headers_find(&h, GW_STR("x-OWN")), &list[2]);
    assert_ptr_equal(gw_headers_find(&h, GW_STR("CONNECTION")), &list[1]);
    assert_null(gw_headers_find(&h, GW_STR("x-ow")));
    assert_null(gw_headers_find(&h, GW_STR("cookie")));
    assert_true(gw_headers_list_has(&h, GW_H_CONNECTION, GW_STR("close")));
    assert_true(gw_headers_list_has(&h, GW_H_CONNECTION, GW_STR("X")));
    assert_true(gw_headers_list_has(&h, GW_H_CONNECTION, GW_STR("keep-alive")));
    assert_false(gw_headers_list_has(&h, GW_H_CONNECTION, GW_STR("keep")));
    assert_false(gw_headers_list_has(&h, GW_H_TE, GW_STR("trailers")));
}

static void
hop_by_hop_names(void **state)
{
    static const char *const hop[] = {"connection",
                                      "keep-alive",
                                      "proxy-authenticate",
                                      "proxy-authorization",
                                      "proxy-connection",
                                      "te",
                                      "trailer",
                                      "transfer-encoding",
                                      "upgrade"};
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++) {
        assert_true(gw_header_is_hop(gw_header_id(gw_str_of(hop[i]))));
    }
    for (unsigned id = 0; id < GW_H_COUNT; id++) {
        n += gw_header_is_hop(id);
    }
    assert_int_equal(n, sizeof(hop) / sizeof(hop[0]));
}

static void
identity_names(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } rows[] = {
        {"X-Remote-User", true},
        {"x_remote_user", true},
        {"X.Remote.User", true},
        {"X-Remote_Group", true},
        {"X-Remote-Uid", true},
        {"X-Remote-Extra-Scopes", true},
        {"X-REMOTE-EXTRA-", true},
        {"Impersonate-User", true},
        {"IMPERSONATE_EXTRA_x", true},
        {"X-Ksgate-Assertion", true},
        {"x.ksgate.", true},
        {"X-Forwarded-User", true},
        {"x_forwarded_email", true},
        {"X-HTTP-Method-Override", true},
        {"x_http_method_override", true},
        {"X-HTTP-Method", true},
        {"X-Method-Override", true},
        {"X-Original-URL", true},
        {"X.Rewrite.Url", true},
        {"X-HTTP-Methods", false},
        {"X-Original-URL-Of", false},
        {"X-Forwarded", false},
        {"X-Remote-Users", true},
        {"X-Remote-Use", true},
        {"X-Remote-Addr", true},
        {"X-Ksgate", false},
        {"Impersonate", false},
        {"X-Request-Id", false},
        {"Host", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("# %s\n", rows[i].name);
        assert_int_equal(gw_header_is_identity(gw_str_of(rows[i].name)), rows[i].is);
    }
}

static void
trailer_names(void **state)
{
    static const struct {
        const char *name;
        bool may;
    } rows[] = {
        {"Grpc-Status", true},
        {"ETag", true},
        {"Server-Timing", true},
        {"Digest", true},
        {"X-Checksum", true},
        {"Host", false},
        {"Content-Length", false},
        {"Content-Range", false},
        {"content_length", false},
        {"Transfer-Encoding", false},
        {"Transfer_Encoding", false},
        {"te.", true},
        {"Connection", false},
        {"Cookie", false},
        {"Set-Cookie", false},
        {"Authorization", false},
        {"WWW-Authenticate", false},
        {"X-Forwarded-For", false},
        {"X_Forwarded_Proto", false},
        {"X-Real-IP", false},
        {"X-Remote-User", false},
        {"Impersonate-User", false},
        {"If-None-Match", false},
        {"Cache-Control", false},
        {"X-Original-URL", false},
        {"X-HTTP-Method-Override", false},
        {"Range", false},
        {"X-Kubesphere-RawQuery", false},
        {"Authentication-Info", false},
        {"Sec-WebSocket-Key", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gw_str name = gw_str_of(rows[i].name);
        struct gw_header h = {.name = name, .id = (unsigned short)gw_header_id(name)};

        print_message("# %s\n", rows[i].name);
        assert_int_equal(gw_header_may_trail(&h), rows[i].may);
    }
}

static bool
is_alnum(unsigned c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
is_one_of(unsigned c, const char *set)
{
    return c != 0 && strchr(set, (int)c) != NULL;
}

static void
classes_of_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool visible = c > ' ' && c < 0x7f;
        struct gw_str one = {(char[]){(char)c}, 1};

        assert_int_equal(gw_char_is((char)c, GW_CHAR_TOKEN),
                         is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~"));
        assert_int_equal(gw_char_is((char)c, GW_CHAR_TARGET), visible && c != '#');
        assert_int_equal(gw_char_is((char)c, GW_CHAR_VALUE),
                         visible || c == ' ' || c == '\t' || c >= 0x80);
        assert_int_equal(gw_char_is((char)c, GW_CHAR_HEX), is_one_of(c, "0123456789abcdefABCDEF"));
        assert_int_equal(gw_char_is((char)c, GW_CHAR_REG_NAME),
                         is_alnum(c) || is_one_of(c, "-._~!$&'()*+,;="));
        assert_int_equal(gw_char_is((char)c, GW_CHAR_SEGMENT), visible && !is_one_of(c, "/%\\?#"));
        assert_int_equal(gw_header_name_ok(one), gw_char_is((char)c, GW_CHAR_TOKEN));
        assert_int_equal(gw_header_value_ok(one), gw_char_is((char)c, GW_CHAR_VALUE));
    }
    assert_false(gw_header_name_ok(GW_STR("")));
    assert_true(gw_header_value_ok(GW_STR("")));
    assert_int_equal(gw_char_hex('9'), 9);
    assert_int_equal(gw_char_hex('a'), 10);
    assert_int_equal(gw_char_hex('F'), 15);
}

/* Eight at a time or one by one: each byte in each place of texts of all lengths, with a byte
 * behind it that would have been found, too. */
static void
bytes_at_once(void **state)
{
    char text[24];

    (void)state;
    for (size_t n = 1; n <= 20; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                bool value = gw_char_is((char)c, GW_CHAR_VALUE);
                bool target = gw_char_is((char)c, GW_CHAR_TARGET);

                memset(text, 'x', n);
                memset(text + n, '\r', sizeof(text) - n);
                text[at] = (char)c;
                assert_ptr_equal(gw_chars_value_end(text, text + n), text + (value ? n : at));
                assert_ptr_equal(gw_chars_target_end(text, text + n), text + (target ? n : at));
                assert_int_equal(gw_chars_need_no_escape((struct gw_str){text, n}),
                                 c >= ' ' && c < 0x7f && c != '%');
                if (at + 1 < n) {
                    text[at + 1] = '\n';
                    assert_ptr_equal(gw_chars_value_end(text, text + n), text + at + value);
                    assert_ptr_equal(gw_chars_target_end(text, text + n), text + at + target);
                }
            }
        }
    }
    assert_true(gw_chars_need_no_escape(GW_STR("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_in_any_case),
        cmocka_unit_test(nothing_else_is_found),
        cmocka_unit_test(lists_are_searched),
        cmocka_unit_test(hop_by_hop_names),
        cmocka_unit_test(identity_names),
        cmocka_unit_test(trailer_names),
        cmocka_unit_test(classes_of_bytes),
        cmocka_unit_test(bytes_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
