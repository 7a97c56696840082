#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static void
test_pieces_are_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 255, 4000, 4096, 9000, 16384, 100000};
    struct gw_arena *a = gw_arena_new();
    unsigned char *pieces[10 * sizeof(sizes) / sizeof(sizes[0])];
    size_t n = 0;

    (void)state;
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            unsigned char *p = gw_arena_alloc(a, sizes[i]);

            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            for (size_t k = 0; k < sizes[i]; k++) {
                assert_int_equal(p[k], 0);
            }
            memset(p, (int)n & 0xff, sizes[i]);
            pieces[n++] = p;
        }
    }
    for (size_t i = 0; i < n; i++) { /* nobody wrote into another's piece */
        for (size_t k = 0; k < sizes[i % (sizeof(sizes) / sizeof(sizes[0]))]; k++) {
            assert_int_equal(pieces[i][k], i & 0xff);
        }
    }
    gw_arena_free(a);
}

static void
test_a_recycled_block_is_zeroed_again(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct gw_arena *a = gw_arena_new();
        unsigned char *p = gw_arena_alloc(a, 3000);

        for (size_t i = 0; i < 3000; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xff, 3000);
        gw_arena_free(a);
    }
}

static void
test_texts(void **state)
{
    struct gw_arena *a = gw_arena_new();
    char big[1000];

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_string_equal(gw_arena_strndup(a, "hello", 3), "hel");
    assert_string_equal(gw_arena_strndup(a, NULL, 0), "");
    assert_string_equal(gw_arena_printf(a, "%s-%d", "a", 7), "a-7");
    assert_string_equal(gw_arena_printf(a, "%s", ""), "");

    const char *long_one = gw_arena_printf(a, "<%.*s>", (int)sizeof(big), big);
    assert_int_equal(strlen(long_one), sizeof(big) + 2);
    assert_int_equal(long_one[sizeof(big) + 1], '>');

    struct gw_str s = gw_arena_str(a, GW_STR("a\0b"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    gw_arena_free(a);
}

struct note {
    char order[8];
    size_t n;
    struct gw_arena *arena;
};

static struct note note;

static void
write_a(void *arg)
{
    struct note *x = arg;
    x->order[x->n++] = 'a';
}

static void
write_b(void *arg)
{
    struct note *x = arg;
    x->order[x->n++] = 'b';
}

static void
defer_another(void *arg)
{
    struct note *x = arg;
    x->order[x->n++] = 'd';
    gw_arena_defer(x->arena, write_b, x);
}

static void
test_deferred_calls_run_newest_first(void **state)
{
    (void)state;
    note = (struct note){.arena = gw_arena_new()};
    gw_arena_defer(note.arena, write_a, &note);
    gw_arena_defer(note.arena, write_b, &note);
    gw_arena_defer(note.arena, defer_another, &note);
    assert_int_equal(note.n, 0);
    gw_arena_free(note.arena);
    assert_string_equal(note.order, "dbba");
}

static void
test_size_is_that_of_the_blocks(void **state)
{
    struct gw_arena *a = gw_arena_new();

    (void)state;
    assert_int_equal(gw_arena_size(a), 8192);
    (void)gw_arena_alloc(a, 100);
    assert_int_equal(gw_arena_size(a), 8192);
    (void)gw_arena_alloc(a, 8100);
    assert_int_equal(gw_arena_size(a), 2 * 8192);
    (void)gw_arena_alloc(a, 100000); /* a block of its own: the one in use stays in use */
    size_t with_large = gw_arena_size(a);
    assert_true(with_large >= 2 * 8192 + 100000 && with_large < 2 * 8192 + 101000);
    (void)gw_arena_alloc(a, 6000);
    assert_int_equal(gw_arena_size(a), with_large);
    (void)gw_arena_alloc(a, 6000); /* as much as there is */
    assert_true(gw_arena_size(a) > with_large + 16384);
    gw_arena_free(a);
    gw_arena_free(NULL);
}

static void *
use_and_trim(void *arg)
{
    struct gw_arena *arenas[400];

    for (size_t i = 0; i < 400; i++) { /* more than the cache keeps */
        arenas[i] = gw_arena_new();
        (void)gw_arena_alloc(arenas[i], 10000);
    }
    for (size_t i = 0; i < 400; i++) {
        gw_arena_free(arenas[i]);
    }
    gw_arena_trim();
    gw_arena_trim();
    return arg;
}

static void
test_each_thread_has_its_own_cache(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_and_trim, NULL), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static int
trim(void **state)
{
    (void)state;
    gw_arena_trim();
    return 0;
}

static void *
held_behind_it(void *arg)
{
    gw_arena_free(arg);
    struct mallinfo2 now = mallinfo2();
    return (void *)(now.uordblks + now.hblkhd);
}

/* As a configuration: read by one thread, and freed by the last worker that has used it. */
static void
test_a_lasting_one_leaves_nothing_in_another_threads_cache(void **state)
{
    void *held[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        struct gw_arena *a = gw_arena_new_lasting();

        for (int k = 0; k < 50; k++) {
            memset(gw_arena_alloc(a, 3000), 0xff, 3000);
        }
        assert_true(gw_arena_size(a) >= 150000);
        assert_int_equal(pthread_create(&thread, NULL, held_behind_it, a), 0);
        assert_int_equal(pthread_join(thread, &held[i]), 0);
    }
    assert_true((uintptr_t)held[1] < (uintptr_t)held[0] + 16384);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_a_recycled_block_is_zeroed_again),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_deferred_calls_run_newest_first),
        cmocka_unit_test(test_size_is_that_of_the_blocks),
        cmocka_unit_test(test_each_thread_has_its_own_cache),
        cmocka_unit_test(test_a_lasting_one_leaves_nothing_in_another_threads_cache),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, trim);
}
