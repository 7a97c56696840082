/* login_cookies.c - cookies as they go to a browser, come back, and are kept from backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/parse.h"
#include "modules/jwt_cookies.h"
#include "modules/login_cookies.h"

#define NAME GW_STR("__Host-s")

static const struct gw_parse_limits limits = {
    .head_bytes = 65536, .target_bytes = 4096, .headers = 64};

static struct gw_req *
request_with(const char *cookies)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_parser *p = gw_arena_alloc(a, sizeof(*p));
    char *head = gw_arena_printf(a, "GET / HTTP/1.1\r\n%s%s%sHost: x\r\n\r\n",
                                 cookies[0] == '\0' ? "" : "Cookie: ", cookies,
                                 cookies[0] == '\0' ? "" : "\r\n");
    size_t used = 0;

    gw_parser_start(p, GW_PARSE_REQUEST, &limits);
    enum gw_parse got = gw_parser_head(p, a, head, strlen(head), &used);
    assert_true(got == GW_PARSE_DONE || got == GW_PARSE_HEAD);
    req->arena = a;
    req->head = &p->head;
    return req;
}

/* What a browser has then, as its next request's header: it began with `jar`. */
static char *
browser_after(const struct gw_req *req, struct gw_arena *a)
{
    char *all = gw_arena_printf(a, "%s", "");

    for (unsigned i = 0; i < req->down.n_add; i++) {
        struct gw_str value = req->down.add[i].value;
        struct gw_str pair = gw_str_cut(&value, ';');

        assert_true(pair.n <= 4096); /* RFC 6265, 6.1 */
        if (strstr(gw_arena_strndup(a, value.p, value.n), "Max-Age=0") == NULL) {
            all = gw_arena_printf(a, "%s%s%.*s", all, all[0] == '\0' ? "" : "; ", GW_STR_ARG(pair));
        }
    }
    return all;
}

static struct gw_str
text_of(struct gw_arena *a, size_t n)
{
    char *text = gw_arena_raw(a, n + 1);

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)('a' + i * 7 % 26);
    }
    return (struct gw_str){text, n};
}

static void
test_split_and_put_together(void **state)
{
    static const size_t lengths[] = {1, 3799, 3800, 3801, 7600, 7601, 30000, 34200};
    static const unsigned cookies[] = {1, 1, 1, 2, 2, 3, 8, 9};
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct gw_str text = text_of(a, lengths[i]);
        struct gw_req *out = request_with("");
        bool there;

        gw_login_cookie_write(out, NAME, text, -1);
        assert_int_equal(out->down.n_add, cookies[i]);
        struct gw_req *in = request_with(browser_after(out, a));
        assert_true(gw_str_eq(gw_login_cookie_read(in, NAME, &there), text));
        assert_true(there);
        gw_arena_free(in->arena);
        gw_arena_free(out->arena);
    }
    gw_arena_free(a);
}

static void
test_attributes(void **state)
{
    struct gw_req *req = request_with("");

    (void)state;
    gw_login_cookie_write(req, NAME, GW_STR("v"), -1);
    gw_login_cookie_write(req, GW_STR("s"), GW_STR("v"), 600);
    assert_true(gw_str_eq(req->down.add[0].value,
                          GW_STR("__Host-s=v; Path=/; HttpOnly; SameSite=Lax; Secure")));
    assert_true(gw_str_eq(req->down.add[1].value,
                          GW_STR("s=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax")));
    gw_arena_free(req->arena);
}

/* What is not all of it is nothing, and whatever there is can be taken away. */
static void
test_what_is_missing(void **state)
{
    static const struct {
        const char *cookies, *value;
        bool there;
        unsigned cleared;
    } cases[] = {
        {"", "", false, 0},
        {"other=1", "", false, 0},
        {"__Host-s=", "", false, 0},
        {"__Host-s=abc", "abc", true, 1},
        {"__Host-s=2.abc; __Host-s-2=def", "abcdef", true, 2},
        {"__Host-s-2=def; __Host-s=2.abc; x=y", "abcdef", true, 2},
        {"__Host-s=2.abc", "", true, 1},
        {"__Host-s=3.abc; __Host-s-2=def", "", true, 2},
        {"__Host-s=3.abc; __Host-s-3=def", "", true, 2},
        {"__Host-s=1.abc", "", true, 1},
        {"__Host-s=0.abc", "", true, 1},
        {"__Host-s=:.abc", "", true, 1},
        {"__Host-s=9.", "", true, 1},
        {"__Host-s=abc; __Host-s=abd", "", true, 1},
        {"__Host-s=2.abc; __Host-s-2=d; __Host-s-2=e", "", true, 2},
        {"__Host-s-2=def", "", false, 1},
        {"s=abc", "", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_req *req = request_with(cases[i].cookies);
        bool there;
        struct gw_str value = gw_login_cookie_read(req, NAME, &there);

        gw_login_cookie_clear(req, NAME);
        if (!gw_str_eq(value, gw_str_of(cases[i].value)) || there != cases[i].there ||
            req->down.n_add != cases[i].cleared) {
            fail_msg("%s: %.*s, %d, %u", cases[i].cookies, GW_STR_ARG(value), there,
                     req->down.n_add);
        }
        gw_arena_free(req->arena);
    }
}

/* A shorter one leaves nothing of the longer one behind. */
static void
test_shorter(void **state)
{
    struct gw_req *req = request_with("__Host-s=3.a; __Host-s-2=b; __Host-s-3=c");
    struct gw_arena *a = gw_arena_new();

    (void)state;
    gw_login_cookie_write(req, NAME, GW_STR("new"), -1);
    assert_int_equal(req->down.n_add, 3);
    assert_string_equal(browser_after(req, a), "__Host-s=new");
    gw_arena_free(a);
    gw_arena_free(req->arena);
}

static void
test_hidden(void **state)
{
    const struct gw_str names[] = {GW_STR("s"), GW_STR("s-*"), GW_STR("__Host-s"),
                                   GW_STR("__Host-s-*")};
    const struct gw_str console[] = {GW_STR("token")};
    static const struct {
        const char *cookies, *rest; /* rest NULL: as they came */
    } cases[] = {
        {"a=b; c=d", NULL},
        {"sx=1; S=2", NULL},
        {"a=b; s=1; s-2=2; c=d", "a=b; c=d"},
        {"__Host-s=1; __Host-s-begun-xyz=2; __Host-sx=3", "__Host-sx=3"},
        {"s=1", ""},
        {"token=t; s=1; a=b", "a=b"},
        {"token=t; a=b", "a=b"},
        {"token=t; s=1", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_req *req = request_with(cases[i].cookies);

        gw_jwt_cookies_hide(req, console, 1); /* two modules, one after the other */
        gw_jwt_cookies_hide(req, names, 4);
        if (cases[i].rest == NULL) {
            assert_int_equal(req->up.n_remove + req->up.n_add, 0);
        } else {
            assert_int_equal(req->up.n_remove, 1);
            assert_int_equal(req->up.n_add, cases[i].rest[0] == '\0' ? 0 : 1);
            assert_true(req->up.n_add == 0 ||
                        gw_str_eq(req->up.add[0].value, gw_str_of(cases[i].rest)));
        }
        gw_arena_free(req->arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_and_put_together),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_shorter),
        cmocka_unit_test(test_hidden),
    };
    int failed = cmocka_run_group_tests_name("login_cookies", tests, NULL, NULL);

    gw_arena_trim();
    return failed;
}
