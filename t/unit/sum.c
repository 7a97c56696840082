/* sum.c - the checksum by which gateways are compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/sum.h"
#include "t/lib/registry_watcher.h"

#define MANY 500

static bool
same(struct gw_sum a, struct gw_sum b)
{
    return a.high == b.high && a.low == b.low;
}

static struct gw_sum
sum_of(const struct gw_object *o)
{
    struct gw_sum s = {0};

    gw_sum_add(&s, o);
    return s;
}

static void
test_differences(void **state)
{
    static const char *const texts[] = {
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'n'}}",
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'b','namespace':'n'}}",
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'m'}}",
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'a','namespace':'n'}}",
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'n'},"
        "'data':{'x':'1'}}",
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'n','uid':'u'}}",
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','namespace':'n',"
        "'resourceVersion':'7'}}",
    };
    struct gw_sum seen[sizeof(texts) / sizeof(texts[0])];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gw_object *o = object_of(texts[i]);
        struct gw_object *again = object_of(texts[i]);

        seen[i] = sum_of(o);
        assert_true(same(seen[i], sum_of(again)));
        for (size_t k = 0; k < i; k++) {
            if (same(seen[k], seen[i]) || gw_sum_number(&seen[k]) == gw_sum_number(&seen[i])) {
                fail_msg("%s and %s have the same sum", texts[k], texts[i]);
            }
        }
        gw_object_unref(o);
        gw_object_unref(again);
    }
}

/* In any order, with detours: what is there in the end counts, and nothing else does. */
static void
test_order_and_detours(void **state)
{
    struct gw_object *objects[MANY];
    struct gw_sum forward = {0};
    struct gw_sum backward = {0};
    struct gw_sum none = {0};
    char name[16];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "o%zu", i);
        objects[i] = config_map(name, "1");
        gw_sum_add(&forward, objects[i]);
    }
    for (size_t i = MANY; i > 0; i--) {
        struct gw_object *other = config_map(objects[i - 1]->name, "2");
        struct gw_change changes[] = {{.object = other},
                                      {.before = other},
                                      {.object = other},
                                      {.before = other, .object = objects[i - 1]}};

        gw_sum_change(&backward, changes, 4);
        gw_object_unref(other);
    }
    assert_true(same(forward, backward));
    for (size_t i = 0; i < MANY; i++) {
        assert_false(same(forward, none));
        gw_sum_take(&forward, objects[i]);
        gw_object_unref(objects[i]);
    }
    assert_true(same(forward, none)); /* all carries came back */
}

static void
test_words(void **state)
{
    struct gw_sum s = {.high = 0xfedcba9876543210, .low = 1};
    char text[GW_SUM_TEXT];

    (void)state;
    gw_sum_text(&s, text);
    assert_string_equal(text, "fedcba98765432100000000000000001");
    assert_true(gw_sum_number(&s) == 0xfedcba9876543);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_order_and_detours),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests_name("sum", tests, NULL, NULL);
}
