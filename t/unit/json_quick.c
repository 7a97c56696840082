/* The quick reader beside jansson: what it takes, jansson takes, and makes the same of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "config/json_quick.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *text;
    bool quick;
} cases[] = {
    {"{}", true},
    {"{\"a\":1}", true},
    {"{\"a\":[],\"b\":{},\"c\":[1,-2,\"x\",true,false,null]}", true},
    {"{\"metadata\":{\"name\":\"a\",\"labels\":{\"kubesphere.io/workspace\":\"w\"}},\"rules\":[{"
     "\"verbs\":[\"*\"]}]}",
     true},
    {"{\"a\":0}", true},
    {"{\"a\":123456789012345678}", true},
    {"{\"a\":-123456789012345678}", true},
    {"{\"\":\"\"}", true},
    /* right, but jansson's */
    {"{\"a\": 1}", false},
    {" {\"a\":1}", false},
    {"{\"a\":1}\n", false},
    {"[1]", false},
    {"{\"a\":\"\\n\"}", false},
    {"{\"\\u0061\":1}", false},
    {"{\"a\":\"\xc3\xa4\"}", false},
    {"{\"a\":1.5}", false},
    {"{\"a\":1e3}", false},
    {"{\"a\":1E3}", false},
    {"{\"a\":-0}", false},
    {"{\"a\":1234567890123456789}", false},
    /* wrong */
    {"", false},
    {"{", false},
    {"{\"a\"", false},
    {"{\"a\":", false},
    {"{\"a\":}", false},
    {"{\"a\":1", false},
    {"{\"a\":1,}", false},
    {"{,\"a\":1}", false},
    {"{\"a\":1 ,\"b\":2}", false},
    {"{\"a\":1}{", false},
    {"{\"a\":1}}", false},
    {"{\"a\":[1,]}", false},
    {"{\"a\":[1}", false},
    {"{\"a\":01}", false},
    {"{\"a\":-}", false},
    {"{\"a\":+1}", false},
    {"{\"a\":tru}", false},
    {"{\"a\":truex}", false},
    {"{\"a\":nul", false},
    {"{\"a\":\"x}", false},
    {"{\"a\":\"\x01\"}", false},
    {"{\"a\":\"\x7f\"}", false},
    {"{\"a\":1,\"a\":2}", false},
    {"{\"a\":{\"b\":1,\"b\":1}}", false},
    {"{a:1}", false},
    {"{'a':1}", false},
    {"{\"a\";1}", false},
};

static void
compare(struct gw_str text, int quick)
{
    json_t *got = gw_json_quick(text);
    json_t *want = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

    if (quick >= 0 && (got != NULL) != quick) {
        fail_msg("%.*s is %s", GW_STR_ARG(text), got == NULL ? "refused" : "taken");
    }
    if (got != NULL) {
        assert_non_null(want);
        assert_true(json_equal(got, want));
        char *a = json_dumps(got, JSON_COMPACT); /* in the same order, too */
        char *b = json_dumps(want, JSON_COMPACT);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    json_decref(got);
    json_decref(want);
}

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        compare(gw_str_of(cases[i].text), cases[i].quick);
    }
    compare((struct gw_str){"{\"a\":\"\0\"}", 9}, 0);
}

/* Each text cut short, with a byte changed or another one in between: never more than jansson
 * takes, never something else, and nothing behind the end is looked at. */
static void
test_what_is_broken(void **state)
{
    static const char bytes[] = "{}[]:,\"\\ 0-1.etn\x01\x80";

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t n = strlen(cases[i].text);

        for (size_t at = 0; at < n; at++) {
            char *cut = malloc(at == 0 ? 1 : at); /* its end is the end of its memory */
            memcpy(cut, cases[i].text, at);
            compare((struct gw_str){cut, at}, -1);
            free(cut);
            for (size_t k = 0; k < sizeof(bytes) - 1; k++) {
                char text[300];

                memcpy(text, cases[i].text, n + 1);
                text[at] = bytes[k];
                compare((struct gw_str){text, n}, -1);
                memcpy(text + at + 1, cases[i].text + at, n - at);
                compare((struct gw_str){text, n + 1}, -1);
            }
        }
    }
}

static void
test_depth(void **state)
{
    char text[300] = "";

    (void)state;
    for (size_t depth = 1; depth < 90; depth++) {
        size_t n = 0;

        for (size_t i = 0; i < depth; i++) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, i == 0 ? "{\"a\":" : "[");
        }
        for (size_t i = depth; i-- > 0;) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, i == 0 ? "%s}" : "%s]",
                                  i == depth - 1 ? (i == 0 ? "1" : "") : "");
        }
        compare((struct gw_str){text, n}, depth <= 64);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_what_is_broken),
        cmocka_unit_test(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
