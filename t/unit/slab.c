/* slab.c - objects of one size: aligned, zeroed, apart, close together, and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/asan.h"
#include "base/slab.h"

#define MANY 5000

static void *objects[MANY];

static void
take_many(struct gw_slab *s, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char *p = gw_slab_take(s);

        assert_int_equal((uintptr_t)p % GW_SLAB_ALIGN, 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(p[k], 0);
        }
        memset(p, (int)(i % 255 + 1), size);
        objects[i] = p;
    }
}

static void
assert_apart(size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = objects[i];

        for (size_t k = 0; k < size; k++) {
            assert_int_equal(p[k], i % 255 + 1);
        }
    }
}

static void
test_zeroed_and_apart(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 360, 512, GW_SLAB_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct gw_slab s;

        gw_slab_init(&s, sizes[i]);
        for (int round = 0; round < 3; round++) { /* what was given back is zeroed anew */
            take_many(&s, 700, sizes[i]);
            assert_apart(700, sizes[i]);
            for (size_t k = 0; k < 700; k++) {
                gw_slab_give(&s, objects[k]);
            }
        }
        gw_slab_fini(&s);
    }
}

/* In any order; whatever is in use meanwhile stays as it is. */
static void
test_comes_and_goes(void **state)
{
    static bool there[MANY];
    struct gw_slab s;
    unsigned seed = 1;

    (void)state;
    gw_slab_init(&s, 200);
    for (int step = 0; step < 200000; step++) {
        seed = seed * 1103515245U + 12345U;
        size_t i = (seed >> 8) % (step < 100000 ? MANY : 50); /* first many, then few */

        if (there[i]) {
            const size_t *p = objects[i];

            assert_int_equal(*p, i);
            gw_slab_give(&s, objects[i]);
        } else {
            size_t *p = gw_slab_take(&s);

            assert_int_equal(*p, 0);
            *p = i;
            objects[i] = p;
        }
        there[i] = !there[i];
    }
    for (size_t i = 0; i < MANY; i++) {
        if (there[i]) {
            gw_slab_give(&s, objects[i]);
        }
    }
    gw_slab_fini(&s);
}

/* Bytes of this process that are in memory. */
static long
resident(void)
{
    char line[64] = "";
    char *second = NULL;
    FILE *f = fopen("/proc/self/statm", "re");

    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    (void)fclose(f);
    (void)strtol(line, &second, 10);
    return strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void
test_memory_goes_back(void **state)
{
    struct gw_slab s;

    (void)state;
    gw_slab_init(&s, 1000);
    take_many(&s, MANY, 1000);
    long most = resident();
    for (size_t i = 1; i < MANY; i++) { /* all but one */
        gw_slab_give(&s, objects[i]);
    }
    assert_true(GW_ASAN || resident() < most - 4000000); /* which keeps what is freed */
    gw_slab_give(&s, objects[0]);
    gw_slab_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_and_apart),
        cmocka_unit_test(test_comes_and_goes),
        cmocka_unit_test(test_memory_goes_back),
    };

    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
