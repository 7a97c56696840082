/* store_redis.c - the shared store: what every driver does, and a line of changes that breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/store_cases.h"

#include "t/lib/redis_store.h" /* its open_store() */

/* Rubbish in the hash is skipped, and the rest goes on. */
static void
test_rubbish_is_skipped(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;

    (void)put_value(w, "good", "1");
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "nonsense", "[]", "/ConfigMap/test/bad", "{");
    watcher_close(w);
    open_store(w, base);
    WAIT_FOR(base, w->lists == 1);
    assert_int_equal(gw_map_count(w->objects), 1);
    (void)put_value(w, "bad", "now good");
    assert_string_equal(value_of(watcher_get(w, "/ConfigMap/test/bad")), "now good");
}

/* SCRIPT FLUSH: the script is sent again. */
static void
test_script_flush(void **state)
{
    struct watcher *w = *state;

    (void)put_value(w, "a", "1");
    REDIS_DO(&server, "SCRIPT", "FLUSH");
    (void)put_value(w, "a", "2");
    assert_string_equal(value_of(watcher_get(w, "/ConfigMap/test/a")), "2");
}

/* FLUSHALL: noticed soon without a write, and by a write at once. */
static void
test_wiped(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;

    (void)put_value(w, "a", "1");
    (void)put_value(w, "a", "2");
    size_t lists = w->lists;
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, w->lists > lists);
    assert_non_null(strstr(w->reason, "wiped"));
    assert_string_equal(w->epoch, "");
    assert_int_equal(gw_map_count(w->objects), 0);
    assert_int_equal(put_value(w, "b", "1"), 1);
    assert_non_null(watcher_get(w, "/ConfigMap/test/b"));

    REDIS_DO(&server, "FLUSHALL");
    assert_int_equal(put_value(w, "c", "1"), 1);
    assert_non_null(watcher_get(w, "/ConfigMap/test/c"));
    assert_null(watcher_get(w, "/ConfigMap/test/b"));
}

/* The stream was trimmed beyond what we know, or the counter set back. */
static void
test_broken_line(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;

    (void)put_value(w, "a", "1");
    (void)put_value(w, "a", "2");
    size_t lists = w->lists;
    REDIS_DO(&server, "SET", "{ksgate}:revision", "100");
    WAIT_FOR(base, w->lists > lists);
    assert_non_null(strstr(w->reason, "no longer kept"));
    assert_int_equal(w->revision, 100);
    lists = w->lists;
    REDIS_DO(&server, "SET", "{ksgate}:revision", "50");
    WAIT_FOR(base, w->lists > lists);
    assert_non_null(strstr(w->reason, "older"));
    assert_int_equal(put_value(w, "a", "3"), 51);
}

/* The line breaks for the same reason again and again: the lists come less and less often. */
static void
test_lists_with_pauses(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;
    uint64_t at[4];

    (void)put_value(w, "a", "1");
    for (int i = 0; i < 4; i++) {
        size_t lists = w->lists;
        char revision[24];

        (void)snprintf(revision, sizeof(revision), "%lld",
                       strtoll(REDIS_TEXT("GET", "{ksgate}:revision"), NULL, 10) + 100);
        uint64_t began = gw_clock_mono_ms();
        REDIS_DO(&server, "SET", "{ksgate}:revision", revision);
        WAIT_FOR(base, w->lists > lists);
        at[i] = gw_clock_mono_ms() - began;
    }
    assert_true(at[1] >= 500); /* never before, however slow the machine is */
    assert_true(at[2] >= 1000);
    assert_true(at[3] >= 2000);
}

#define CASE(name) cmocka_unit_test_setup(name, clean)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_CASES(CASE),
        STORE_TEST(test_rubbish_is_skipped),
        STORE_TEST(test_script_flush),
        STORE_TEST(test_wiped),
        STORE_TEST(test_broken_line),
        STORE_TEST(test_lists_with_pauses),
    };

    return REDIS_GROUP("store_redis", tests);
}
