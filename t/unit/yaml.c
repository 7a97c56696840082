#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/yaml.h"

/* The documents as compact JSON, one a line; then what the diag says. */
static char *
read_back(const char *text, size_t n)
{
    struct gw_yaml y;
    struct gw_diag diag = {0};
    struct gw_buf out = {0};
    bool good = gw_yaml_read(&y, "f", (struct gw_str){text, n}, &diag);

    assert_int_equal(good, diag.errors == 0);
    gw_buf_puts(&out, "");
    for (size_t i = 0; good && i < y.n_docs; i++) {
        char *json = json_dumps(y.docs[i], JSON_COMPACT | JSON_ENCODE_ANY);

        gw_buf_printf(&out, "%s%s", i > 0 ? "\n" : "", json);
        free(json);
    }
    gw_diag_format(&diag, &out);
    gw_diag_fini(&diag);
    gw_yaml_fini(&y);
    return out.p;
}

static void
check(const char *text, const char *expected)
{
    char *got = read_back(text, strlen(text));

    assert_string_equal(got, expected);
    free(got);
}

static void
test_scalars(void **state)
{
    static const char *const cases[][2] = {
        {"null", "null"},
        {"~", "null"},
        {"Null", "null"},
        {"true", "true"},
        {"FALSE", "false"},
        {"tRue", "\"tRue\""},
        {"yes", "\"yes\""},
        {"off", "\"off\""},
        {"0", "0"},
        {"-17", "-17"},
        {"+5", "5"},
        {"0x1F", "31"},
        {"012", "\"012\""},
        {"0o17", "\"0o17\""},
        {"1_000", "\"1_000\""},
        {"1:30", "\"1:30\""},
        {"1.5", "1.5"},
        {"-.5", "-0.5"},
        {"5.", "5.0"},
        {"1e3", "1000.0"},
        {"1.5e-1", "0.14999999999999999"},
        {".", "\".\""},
        {"1e", "\"1e\""},
        {".inf", "\".inf\""},
        {".nan", "\".nan\""},
        {"00.5", "\"00.5\""},
        {"2026-01-01", "\"2026-01-01\""},
        {"64KiB", "\"64KiB\""},
        {"'5'", "\"5\""},
        {"\"true\"", "\"true\""},
        {"''", "\"\""},
        {"-", "[null]"},
        {"a b", "\"a b\""},
        {"http://x:1/", "\"http://x:1/\""},
        {"9223372036854775807", "9223372036854775807"},
        {"\"\\u00e4\\x41\"", "\"\xc3\xa4"
                             "A\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i][0], cases[i][1]);
    }
}

static void
test_structures(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"# only a comment\n", ""},
        {"---\n---\n", ""},
        {"a: 1\n---\n---\nb: 2\n...\n", "{\"a\":1}\n{\"b\":2}"},
        {"--- null\n", "null"},
        {"a: {b: [1, two, ~], c: }\n", "{\"a\":{\"b\":[1,\"two\",null],\"c\":null}}"},
        {"- a: 1\n  b: 2\n- - x\n  - y\n", "[{\"a\":1,\"b\":2},[\"x\",\"y\"]]"},
        {"a: |\n  one\n  two\nb: >-\n  three\n  four\n",
         "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\"}"},
        {"8080: x\ntrue: y\n", "{\"8080\":\"x\",\"true\":\"y\"}"},
        {"{\"a\":1,\"b\":[true,null,\"\\/\"]}", "{\"a\":1,\"b\":[true,null,\"/\"]}"},
        {"{\"a\":\n\t[1,\n\t2]\n}", "{\"a\":[1,2]}"},
        {"{\"a\": \"\\ud83d\\ude00!\"}", "{\"a\":\"\xf0\x9f\x98\x80!\"}"},
        {"{\"a\": \"\\\\ud83d\\\\ude00\"}", "{\"a\":\"\\\\ud83d\\\\ude00\"}"},
        {"a: '\\ud83d\\ude00'", "{\"a\":\"\\\\ud83d\\\\ude00\"}"},
        {"a: &x [1, {k: v}]\nb: *x\n", "{\"a\":[1,{\"k\":\"v\"}],\"b\":[1,{\"k\":\"v\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i][0], cases[i][1]);
    }
}

static void
test_refusals(void **state)
{
    static const char *const cases[][2] = {
        {"a: 1\nb: 2\na: 3\n", "f:3:1: error: duplicate key \"a\" (it stands in line 1 already)\n"},
        {"a: 1\n'a': 3\n", "f:2:1: error: duplicate key \"a\" (it stands in line 1 already)\n"},
        {"x: &x {a: 1}\ny:\n  <<: *x\n",
         "f:3:3: error: merge keys (<<) are not read; write the settings out\n"},
        {"a: !!str 5\n", "f:1:4: error: tags (tag:yaml.org,2002:str) are not read; write text in "
                         "quotes, and numbers without\n"},
        {"a: *nobody\n", "f:1:4: error: no anchor &nobody stands before this\n"},
        {"a: &a [*a]\n", "f:1:8: error: no anchor &a stands before this\n"},
        {"[x]: 1\n", "f:1:1: error: a key must be plain text, not an alias, a list or a mapping\n"},
        {"a: 1\n?\n: 2\n", "f:2:2: error: a key is missing before the ':'\n"},
        {"\"a\\0b\": 2\n", "f:1:1: error: a key can't hold a NUL byte\n"},
        {"a: 9223372036854775808\n",
         "f:1:4: error: this number is too large; write it in quotes if it is text\n"},
        {"a: 1e999\n",
         "f:1:4: error: this number is too large; write it in quotes if it is text\n"},
        {"a:\n\t b: 1\n", "f:2:1: error: a tab can't indent YAML; use spaces\n"},
        {"a: 1\n b: 2\n", "f:2:3: error: mapping values are not allowed in this context\n"},
        {"a: \"x\n", "f:2:1: error: found unexpected end of stream (while scanning a quoted "
                     "scalar, which starts in line 1)\n"},
        {"a: 1\nb: \xff\n", "f:2:4: error: invalid leading UTF-8 octet\n"},
        {"a: 1\n\x01\n", "f:2:1: error: control characters are not allowed\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i][0], cases[i][1]);
    }
}

static void
test_all_errors_at_once(void **state)
{
    (void)state;
    check("a: 1\na: 2\nb: !x 1\nc: *d\ne: {f: 1, f: 2}\n? [g]\n: [!y h]\n",
          "f:2:1: error: duplicate key \"a\" (it stands in line 1 already)\n"
          "f:3:4: error: tags (!x) are not read; write text in quotes, and numbers without\n"
          "f:4:4: error: no anchor &d stands before this\n"
          "f:5:11: error: duplicate key \"f\" (it stands in line 5 already)\n"
          "f:6:3: error: a key must be plain text, not an alias, a list or a mapping\n"
          "f:7:4: error: tags (!y) are not read; write text in quotes, and numbers without\n");
}

/* n times "[", a 1, and the brackets' ends. */
static char *
nested(size_t n)
{
    struct gw_buf b = {0};

    for (size_t i = 0; i < n; i++) {
        gw_buf_puts(&b, "[");
    }
    gw_buf_puts(&b, "1");
    for (size_t i = 0; i < n; i++) {
        gw_buf_puts(&b, "]");
    }
    return b.p;
}

static void
test_depth(void **state)
{
    char *good = nested(63);
    char *bad = nested(64);
    char *hostile = nested(5000);
    char *got = NULL;

    (void)state;
    check(good, good);
    check(bad, "f:1:65: error: nested deeper than 64\n");
    got = read_back(hostile, strlen(hostile));
    assert_non_null(strstr(got, "error: nested deeper than 64\n"));
    free(got);
    free(good);
    free(bad);
    free(hostile);
}

static void
test_depth_through_aliases(void **state)
{
    struct gw_buf b = {0};

    (void)state;
    gw_buf_puts(&b, "a0: &a0 [1]\n");
    for (int i = 1; i < 80; i++) {
        gw_buf_printf(&b, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    char *got = read_back(b.p, b.n);
    assert_string_equal(got, "f:63:12: error: nested deeper than 64\n");
    free(got);
    gw_buf_fini(&b);
}

static void
test_a_billion_laughs(void **state)
{
    struct gw_buf b = {0};

    (void)state;
    gw_buf_puts(&b, "a0: &a0 [lol]\n");
    for (int i = 1; i < 30; i++) {
        int k = i - 1;
        gw_buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, k, k, k, k, k);
    }
    char *got = read_back(b.p, b.n);
    assert_non_null(strstr(got, "aliases make this more than 10 times as large as it is written"));
    free(got);
    gw_buf_fini(&b);
}

static struct gw_place
place(const struct gw_yaml *y, const char *key)
{
    return gw_yaml_place(y, json_object_get(y->docs[0], key));
}

static void
test_places(void **state)
{
    static const char text[] = "top:\n"
                               "  list: [1, 2]\n"
                               "  flag: true\n"
                               "other: &o {in: \xc3\xa4 x, out: y}\n"
                               "more: *o\n";
    struct gw_yaml y;
    struct gw_diag diag = {0};

    (void)state;
    assert_true(gw_yaml_read(&y, "f.yaml", gw_str_of(text), &diag));
    const json_t *top = json_object_get(y.docs[0], "top");
    struct gw_place p = gw_yaml_place(&y, json_array_get(json_object_get(top, "list"), 1));
    assert_string_equal(p.file, "f.yaml");
    assert_int_equal(p.line, 2);
    assert_int_equal(p.column, 13);
    assert_int_equal(gw_yaml_place(&y, json_object_get(top, "flag")).line, 0);
    p = gw_yaml_key_place(&y, top, "flag");
    assert_int_equal(p.line, 3);
    assert_int_equal(p.column, 3);
    assert_int_equal(gw_yaml_key_place(&y, top, "nothing").line, 0);

    assert_int_equal(place(&y, "other").column, 8);
    const json_t *more = json_object_get(y.docs[0], "more");
    p = gw_yaml_key_place(&y, more, "out"); /* the copy's parts stand where the anchor's do */
    assert_int_equal(p.line, 4);
    assert_int_equal(p.column, 21);
    assert_ptr_not_equal(more, json_object_get(y.docs[0], "other"));

    assert_int_equal(gw_yaml_place(NULL, more).line, 0);
    assert_int_equal(gw_yaml_key_place(NULL, more, "out").line, 0);
    gw_yaml_fini(&y);
}

static void
test_environment(void **state)
{
    static const char text[] = "a: ${GW_T_A}\n"
                               "b: [\"x${GW_T_A}y${GW_T_EMPTY}z\", $HOME, $$, \"$${GW_T_A}\"]\n"
                               "c: &c \"$${GW_T_A} ${GW_T_A}\"\n"
                               "d: *c\n"
                               "${GW_T_A}: key\n";
    struct gw_yaml y;
    struct gw_diag diag = {0};

    (void)state;
    assert_int_equal(setenv("GW_T_A", "12", 1), 0);
    assert_int_equal(setenv("GW_T_EMPTY", "", 1), 0);
    assert_true(gw_yaml_read(&y, "f", gw_str_of(text), &diag));
    assert_true(gw_yaml_expand_env(&y, &diag));
    char *json = json_dumps(y.docs[0], JSON_COMPACT);
    assert_string_equal(json, "{\"a\":\"12\",\"b\":[\"x12yz\",\"$HOME\",\"$$\",\"${GW_T_A}\"],"
                              "\"c\":\"${GW_T_A} 12\",\"d\":\"${GW_T_A} 12\","
                              "\"${GW_T_A}\":\"key\"}");
    free(json);
    assert_true(gw_yaml_is_expanded(&y, json_object_get(y.docs[0], "a")));
    assert_false(gw_yaml_is_expanded(&y, json_object_get(y.docs[0], "${GW_T_A}")));
    gw_yaml_fini(&y);
}

static void
test_environment_errors(void **state)
{
    static const char text[] = "a: [\"${GW_T_UNSET}\", \"${\", \"${A-b}\"]\n"
                               "b: ${}${GW_T_BYTES}\n";
    struct gw_yaml y;
    struct gw_diag diag = {0};
    struct gw_buf out = {0};

    (void)state;
    assert_int_equal(unsetenv("GW_T_UNSET"), 0);
    assert_int_equal(setenv("GW_T_BYTES", "\xff", 1), 0);
    assert_true(gw_yaml_read(&y, "f", gw_str_of(text), &diag));
    assert_false(gw_yaml_expand_env(&y, &diag));
    gw_diag_format(&diag, &out);
    assert_string_equal(
        out.p,
        "f:1:5: error: ${GW_T_UNSET}: this environment variable is not set\n"
        "f:1:22: error: \"${\" without its \"}\" (write $${ for a literal ${)\n"
        "f:1:28: error: ${A-b}: not the name of an environment variable (write $${ for a literal "
        "${)\n"
        "f:2:4: error: ${}: not the name of an environment variable (write $${ for a literal ${)\n"
        "f:2:4: error: an environment variable in this text is not UTF-8\n");
    gw_buf_fini(&out);
    gw_diag_fini(&diag);
    gw_yaml_fini(&y);
}

static void
test_writing(void **state)
{
    static const char json[] =
        "{\"name\":\"hello\",\"number\":5,\"r\":1.5,\"t\":true,\"none\":null,\"e\":{},\"l\":[],"
        "\"m\":{\"a\":[1,{\"b\":\"c\",\"d\":[[\"x\"],[]]}],\"yes\":\"no\"},"
        "\"text\":\"one\\n  two\\n\",\"bare\":\"one\\n\\ntwo\",\"many\":\"one\\n\\n\"}";
    json_t *value = json_loads(json, 0, NULL);
    struct gw_buf out = {0};

    (void)state;
    gw_yaml_write(&out, value);
    assert_string_equal(out.p, "name: hello\nnumber: 5\nr: 1.5\nt: true\nnone: null\ne: {}\nl: []\n"
                               "m:\n  a:\n  - 1\n  - b: c\n    d:\n    - - x\n    - []\n"
                               "  \"yes\": \"no\"\n"
                               "text: |\n  one\n    two\nbare: |-\n  one\n\n  two\n"
                               "many: |+\n  one\n\n");
    gw_buf_fini(&out);
    json_decref(value);
}

/* Whatever the text is: written and read again it is the same. */
static void
test_writing_and_reading(void **state)
{
    static const char *const texts[] = {
        "",        " ",        "a ",       " a",           "a: b",
        "a:",      "a:b",      "a #b",     "#a",           "- a",
        "-",       "-1",       "1.5",      "null",         "~",
        "true",    "yes",      "0x1f",     "012",          "{a}",
        "[a]",     "a\nb",     "a\n",      "\n",           "\n\na",
        "a\n\n\n", "  a\nb",   "a\tb",     "\ta",          "a\n\tb",
        "a\r\nb",  "\"",       "'",        "\\",           "%a",
        "@a",      "`a",       "*a",       "&a",           "!a",
        "|",       ">",        "? a",      "---",          "...",
        "a\n---",  "\xc3\xa4", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf",
        "a\n \n",  "a\n#b\n",  "a\nb ",    "\x7f",         "a\n\xc2\x85",
        "=",       "<<",       "${A}",     "a, b",         "a]",
    };
    struct gw_buf out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gw_yaml y;
        struct gw_diag diag = {0};
        const char *t = texts[i];
        json_t *value =
            json_pack("{s:s, s:[s, [s], {s:s}]}", "k", t, "l", t, t, t[0] == '\0' ? "empty" : t, t);

        gw_buf_reset(&out);
        gw_yaml_write(&out, value);
        assert_true(gw_yaml_read(&y, "f", gw_buf_text(&out), &diag));
        assert_true(json_equal(value, y.docs[0]));
        gw_yaml_fini(&y);
        json_decref(value);
    }
    gw_buf_fini(&out);
}

static void
test_files(void **state)
{
    char name[] = "/tmp/gw-yaml-XXXXXX";
    int fd = mkstemp(name);
    struct gw_yaml y;
    struct gw_diag diag = {0};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\na: 2\n", 10), 10);
    assert_false(gw_yaml_read_file(&y, name, &diag));
    assert_string_equal(diag.findings[0].place.file, name);
    assert_int_equal(json_integer_value(json_object_get(y.docs[0], "a")), 1);
    gw_yaml_fini(&y);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(name), 0);

    assert_false(gw_yaml_read_file(&y, name, &diag));
    assert_string_equal(diag.findings[1].text, "can't open it: No such file or directory");
    gw_yaml_fini(&y);
    assert_false(gw_yaml_read_file(&y, "/", &diag));
    assert_string_equal(diag.findings[2].text, "can't read it: Is a directory");
    gw_yaml_fini(&y);
    gw_diag_fini(&diag);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_through_aliases),
        cmocka_unit_test(test_a_billion_laughs),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_errors),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_writing_and_reading),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
