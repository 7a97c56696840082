#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

#define KEYS 512

static struct gw_str
key_of(char text[16], size_t i)
{
    return (struct gw_str){text, (size_t)snprintf(text, 16, "k%zu", i)};
}

static void
test_put_get_take(void **state)
{
    struct gw_map *m = gw_map_new();
    int one = 1;
    int two = 2;

    (void)state;
    assert_null(gw_map_get(m, GW_STR("a")));
    assert_null(gw_map_take(m, GW_STR("a")));
    assert_null(gw_map_put(m, GW_STR("a"), &one));
    assert_ptr_equal(gw_map_put(m, GW_STR("a"), &two), &one);
    assert_ptr_equal(gw_map_get(m, GW_STR("a")), &two);
    assert_int_equal(gw_map_count(m), 1);
    assert_null(gw_map_put(m, GW_STR_NONE, &one)); /* the empty key is one, too */
    assert_null(gw_map_put(m, GW_STR("a\0b"), &one));
    assert_ptr_equal(gw_map_get(m, GW_STR("")), &one);
    assert_int_equal(gw_map_count(m), 3);
    assert_ptr_equal(gw_map_take(m, GW_STR("a")), &two);
    assert_null(gw_map_get(m, GW_STR("a")));
    assert_int_equal(gw_map_count(m), 2);
    gw_map_free(m, NULL);
    gw_map_free(NULL, NULL);
}

/* Random puts and takes beside a plain array: shows a search that ends too early after a
 * take, and values lost while growing. */
static void
test_beside_an_array(void **state)
{
    struct gw_map *m = gw_map_new();
    void *expected[KEYS] = {0};
    int values[KEYS];
    size_t count = 0;
    char text[16];

    (void)state;
    srandom(7);
    for (int step = 0; step < 60000; step++) {
        size_t i = (size_t)random() % KEYS;
        struct gw_str key = key_of(text, i);
        void *before = expected[i];

        if (random() % 2 == 0) {
            expected[i] = &values[(size_t)random() % KEYS];
            assert_ptr_equal(gw_map_put(m, key, expected[i]), before);
            count += before == NULL;
        } else {
            expected[i] = NULL;
            assert_ptr_equal(gw_map_take(m, key), before);
            count -= before != NULL;
        }
        size_t other = (size_t)random() % KEYS;
        assert_ptr_equal(gw_map_get(m, key_of(text, other)), expected[other]);
        assert_int_equal(gw_map_count(m), count);
    }
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(gw_map_get(m, key_of(text, i)), expected[i]);
    }
    gw_map_free(m, NULL);
}

static void
test_walk_meets_each_once(void **state)
{
    struct gw_map *m = gw_map_new();
    int seen[100] = {0};
    char text[16];
    size_t at = 0;
    struct gw_str key;
    void *value = NULL;

    (void)state;
    assert_false(gw_map_next(m, &at, &key, &value));
    for (size_t i = 0; i < 100; i++) {
        (void)gw_map_put(m, key_of(text, i), &seen[i]);
    }
    for (at = 0; gw_map_next(m, &at, &key, &value);) {
        ++*(int *)value;
        assert_ptr_equal(gw_map_get(m, key), value);
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(seen[i], 1);
    }
    size_t n = 0;
    for (at = 0; gw_map_next(m, &at, NULL, NULL);) {
        n++;
    }
    assert_int_equal(n, 100);
    gw_map_free(m, NULL);
}

static void
test_free_calls_for_each_value(void **state)
{
    struct gw_map *m = gw_map_new();
    char text[16];

    (void)state;
    for (size_t i = 0; i < 50; i++) { /* the sanitizer counts them */
        (void)gw_map_put(m, key_of(text, i), malloc(8));
    }
    free(gw_map_take(m, GW_STR("k3")));
    gw_map_free(m, free);
}

/* The keys are in the values: after a value was replaced, the key is that of the new one. */
static void
test_keys_of_values(void **state)
{
    struct gw_map *m = gw_map_of_values();
    char *values[40];

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        values[i] = malloc(16);
        assert_ptr_equal(gw_map_put(m, key_of(values[i], i), values[i]), NULL);
    }
    for (size_t i = 0; i < 40; i += 2) {
        char *other = malloc(16);

        assert_ptr_equal(gw_map_put(m, key_of(other, i), other), values[i]);
        free(values[i]); /* and its key with it: the sanitizer sees who still looks at it */
        values[i] = other;
    }
    for (size_t i = 0; i < 40; i += 3) {
        assert_ptr_equal(gw_map_take(m, gw_str_of(values[i])), values[i]);
        free(values[i]);
        values[i] = NULL;
    }
    for (size_t i = 0; i < 40; i++) {
        char text[16];

        assert_ptr_equal(gw_map_get(m, key_of(text, i)), values[i]);
    }
    assert_int_equal(gw_map_count(m), 26);
    gw_map_free(m, free);
}

static void
test_hash(void **state)
{
    (void)state;
    assert_true(gw_hash(GW_STR("abc")) == gw_hash(GW_STR("abc")));
    assert_true(gw_hash(GW_STR("abc")) != gw_hash(GW_STR("abd")));
    assert_true(gw_hash(GW_STR_NONE) == gw_hash(GW_STR("")));
    assert_true(gw_hash(GW_STR("abc")) != UINT64_C(0x78af5f94892f3950)); /* XXH3 without secret */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_take),
        cmocka_unit_test(test_beside_an_array),
        cmocka_unit_test(test_walk_meets_each_once),
        cmocka_unit_test(test_free_calls_for_each_value),
        cmocka_unit_test(test_keys_of_values),
        cmocka_unit_test(test_hash),
    };

    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
