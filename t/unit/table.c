/* table.c - values by a key of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

struct thing {
    char name[16];
    bool in;
};

static int n_freed;

static struct gw_str
key_of(const void *value)
{
    return gw_str_of(((const struct thing *)value)->name);
}

static void
on_free(void *value)
{
    (void)value;
    n_freed++;
}

static void
test_put_get_take(void **state)
{
    struct gw_table *t = gw_table_new(key_of);
    struct thing a = {.name = "a"};
    struct thing other_a = {.name = "a"};
    struct thing none = {.name = ""};

    (void)state;
    assert_null(gw_table_get(t, GW_STR("a")));
    assert_null(gw_table_take(t, GW_STR("a")));
    assert_null(gw_table_put(t, &a));
    assert_null(gw_table_put(t, &none)); /* the empty key is one, too */
    assert_ptr_equal(gw_table_put(t, &other_a), &a);
    assert_int_equal(gw_table_count(t), 2);
    assert_ptr_equal(gw_table_get(t, GW_STR("a")), &other_a);
    assert_ptr_equal(gw_table_get(t, GW_STR_NONE), &none);
    assert_null(gw_table_get(t, GW_STR("a\0b")));
    assert_ptr_equal(gw_table_take(t, GW_STR("a")), &other_a);
    assert_null(gw_table_get(t, GW_STR("a")));
    assert_int_equal(gw_table_count(t), 1);
    n_freed = 0;
    gw_table_free(t, on_free);
    assert_int_equal(n_freed, 1);
    gw_table_free(NULL, NULL);
}

/* A random walk beside a list that knows what has to be in; so many that huge pages are tried. */
static void
test_many(void **state)
{
    enum {
        N = 150000
    };
    struct gw_table *t = gw_table_new(key_of);
    struct thing *all = gw_mem_alloc(N * sizeof(*all));
    size_t n_in = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(all[i].name, sizeof(all[i].name), "thing-%zu", i);
    }
    srand(1);
    for (size_t step = 0; step < (size_t)3 * N; step++) {
        struct thing *x = &all[(size_t)rand() % N];
        bool put = step < (size_t)2 * N ? rand() % 4 > 0 : rand() % 4 == 0;

        if (put) {
            assert_ptr_equal(gw_table_put(t, x), x->in ? x : NULL);
        } else {
            assert_ptr_equal(gw_table_take(t, key_of(x)), x->in ? x : NULL);
        }
        n_in = n_in + (put && !x->in) - (!put && x->in);
        x->in = put;
    }
    assert_int_equal(gw_table_count(t), n_in);
    for (size_t i = 0; i < N; i++) {
        assert_ptr_equal(gw_table_get(t, key_of(&all[i])), all[i].in ? &all[i] : NULL);
    }
    n_freed = 0;
    gw_table_free(t, on_free);
    assert_int_equal(n_freed, n_in);
    free(all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put_get_take),
                                       cmocka_unit_test(test_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
