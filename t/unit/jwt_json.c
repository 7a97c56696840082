/* jwt_json.c - the same texts are taken as by jansson, with the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/asan.h"
#include "base/buf.h"
#include "modules/jwt_json.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define DEPTH   64
#define LENGTH  256

static struct gw_arena *arena;

/* -- against jansson ----------------------------------------------------------------------------
 */

static void assert_like(const struct gw_jwt_json *v, const json_t *j);

static void
assert_alike_inside(const struct gw_jwt_json *v, const json_t *j)
{
    size_t n = 0;

    for (const struct gw_jwt_json *in = gw_jwt_json_first(v); in != NULL;
         in = gw_jwt_json_next(v, in), n++) {
        char key[LENGTH + 1] = "";

        memcpy(key, in->key.n > 0 ? in->key.p : "", in->key.n);
        assert_like(in, json_is_array(j) ? json_array_get(j, n) : json_object_get(j, key));
    }
    assert_int_equal(n, json_is_array(j) ? json_array_size(j) : json_object_size(j));
}

static void
assert_like(const struct gw_jwt_json *v, const json_t *j)
{
    assert_non_null(j);
    switch (v->type) {
    case GW_JWT_JSON_NULL:
        assert_true(json_is_null(j));
        break;
    case GW_JWT_JSON_BOOL:
        assert_true(json_is_boolean(j));
        break;
    case GW_JWT_JSON_INTEGER:
        assert_true(json_is_integer(j));
        assert_true(v->number.integer == json_integer_value(j));
        break;
    case GW_JWT_JSON_REAL:
        assert_true(json_is_real(j));
        assert_true(v->number.real == json_real_value(j));
        break;
    case GW_JWT_JSON_TEXT:
        assert_true(json_is_string(j));
        assert_int_equal(v->text.n, json_string_length(j));
        assert_memory_equal(v->text.p, json_string_value(j), v->text.n);
        break;
    case GW_JWT_JSON_ARRAY:
        assert_true(json_is_array(j));
        assert_alike_inside(v, j);
        break;
    case GW_JWT_JSON_OBJECT:
        assert_true(json_is_object(j));
        assert_alike_inside(v, j);
        break;
    }
}

/* Read by both; true when it was taken.  In a block of its own, so that a byte too many is seen. */
static bool
read_by_both(const char *p, size_t n)
{
    char *text = malloc(n + (n == 0));
    assert_non_null(text);
    memcpy(text, p, n);
    const struct gw_jwt_json *v = gw_jwt_json_read(arena, (struct gw_str){text, n}, DEPTH);
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    bool taken = v != NULL;

    if (n > 0 && memchr(text, '\0', n) != NULL) { /* jansson takes one between values for a space */
        assert_false(taken);
    } else if (taken != json_is_object(j)) {
        fail_msg("we %s it, jansson does not: %.*s", taken ? "take" : "refuse", (int)n, text);
    }
    if (taken) {
        assert_like(v, j);
    }
    json_decref(j);
    free(text);
    gw_arena_free(arena);
    arena = gw_arena_new();
    return taken;
}

static const char *const good[] = {
    "{}",
    " {\t\"a\" : 1 ,\r\n\"b\":[ ] }\n",
    "{\"iss\":\"http://ks\",\"username\":\"admin\",\"groups\":[\"a\",\"b\"],\"exp\":1767225600}",
    "{\"a\":null,\"b\":true,\"c\":false,\"d\":0,\"e\":-0,\"f\":-12}",
    "{\"g\":1.5,\"h\":1e3,\"i\":-1.25E-2}",
    "{\"a\":{\"b\":{\"c\":[[[]],{\"d\":{}}]}},\"e\":[1,\"2\",{\"f\":3}],\"\":0}",
    "{\"t\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}",
    "{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\x7f\xef\xbf\xbf\xf4\x8f\xbf\xbf\"}",
    "{\"\\u0061\":1,\"b\":9223372036854775807,\"c\":-9223372036854775808,\"d\":1e-999}",
};

static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[]",
    "\"a\"",
    "1",
    "null",
    "{}{}",
    "{} x",
    "\xef\xbb\xbf{}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1}",
    "{\"a\":]}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"b\":{\"a\":1,\"c\":0,\"a\":1}}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":-}",
    "{\"a\":0x10}",
    "{\"a\":1a}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":1e999}",
    "{\"a\":-1e999}",
    "{\"a\":9223372036854775808}",
    "{\"a\":-9223372036854775809}",
    "{\"a\":tru}",
    "{\"a\":True}",
    "{\"a\":nul}",
    "{\"a\":truex}",
    "{\"a\":\"}",
    "{\"a\":\"\\\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\x1f\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"\\u0000\":1}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\ud800x\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\ud800\"}",
    "{\"a\":\"\x80\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xc3\"}",
    "{\"a\":\"\xe0\x80\x80\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf5\x80\x80\x80\"}",
    "{\"a\":\"\xf0\x8f\xbf\xbf\"}",
    "{\"a\":\"\xe2\x82\"}",
    "{\"a\":\"\xff\"}",
};

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(good); i++) {
        assert_true(read_by_both(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < N(bad); i++) {
        assert_false(read_by_both(bad[i], strlen(bad[i])));
    }
    assert_false(read_by_both("{\"a\":\"\0\"}", 9));
    assert_false(read_by_both("{}\0", 3));
}

/* Every text cut anywhere, and with any byte changed to another that matters to JSON. */
/* More members than are compared with each other. */
static void
test_many_members(void **state)
{
    char text[LENGTH * 4] = "{";
    size_t n = 1;

    (void)state;
    for (int i = 0; i < 40; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "\"%d\":{\"7\":0},", i);
    }
    (void)snprintf(text + n, sizeof(text) - n, "\"40\":0}");
    assert_true(read_by_both(text, strlen(text)));
    (void)snprintf(text + n, sizeof(text) - n, "\"7\":0}");
    assert_false(read_by_both(text, strlen(text)));
}

static void
test_texts_that_are_spoilt(void **state)
{
    static const char bytes[] = "{}[]\",:\\ u0e.-1\n\x1f\x80\xc3\xed\xff";
    char text[LENGTH + 1];

    (void)state;
    for (size_t i = 0; i < N(good); i++) {
        size_t n = strlen(good[i]);

        assert_in_range(n, 1, LENGTH);
        for (size_t at = 0; at < n; at++) {
            (void)read_by_both(good[i], at);
            for (size_t k = 0; k < sizeof(bytes); k++) { /* the NUL, too */
                memcpy(text, good[i], n);
                text[at] = bytes[k];
                (void)read_by_both(text, n);
            }
        }
    }
}

/* -- what jansson is not asked ------------------------------------------------------------------
 */

static void
test_depth(void **state)
{
    const struct gw_str three = GW_STR("{\"a\":[{\"b\":1}]}");

    (void)state;
    assert_null(gw_jwt_json_read(arena, three, 2));
    assert_non_null(gw_jwt_json_read(arena, three, 3));
}

static void
test_members(void **state)
{
    const struct gw_jwt_json *o =
        gw_jwt_json_read(arena, GW_STR("{\"a\":{\"x\":1},\"b\":[],\"c\":\"see\"}"), 2);

    (void)state;
    assert_true(gw_jwt_json_is(gw_jwt_json_get(o, "b"), GW_JWT_JSON_ARRAY));
    assert_null(gw_jwt_json_first(gw_jwt_json_get(o, "b")));
    assert_true(gw_str_eq(gw_jwt_json_get(o, "c")->text, GW_STR("see")));
    assert_int_equal(gw_jwt_json_get(gw_jwt_json_get(o, "a"), "x")->number.integer, 1);
    assert_null(gw_jwt_json_get(o, "x")); /* is one of a's */
    assert_null(gw_jwt_json_get(gw_jwt_json_get(o, "c"), "a"));
    assert_null(gw_jwt_json_get(NULL, "a"));
    assert_false(gw_jwt_json_is(NULL, GW_JWT_JSON_NULL));
}

static int
setup(void **state)
{
    (void)state;
    arena = gw_arena_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_arena_free(arena);
    return 0;
}

/* The most values that the largest token has room for: one of two bytes each. */
static void
test_memory_is_bounded(void **state)
{
    const int values = 6000;
    struct gw_buf text = {0};

    (void)state;
    gw_buf_puts(&text, "{\"a\":[0");
    for (int i = 1; i < values; i++) {
        gw_buf_puts(&text, ",0");
    }
    gw_buf_puts(&text, "]}");
    const struct gw_jwt_json *v = gw_jwt_json_read(arena, gw_buf_text(&text), DEPTH);
    assert_non_null(v);
    assert_true(v->size > (unsigned)values);
    assert_true(gw_arena_size(arena) <= (GW_ASAN ? 1280UL : 1024UL) * 1024); /* it leaves gaps */
    gw_buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts_that_are_spoilt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
