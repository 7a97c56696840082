/* store_redis_away.c - the shared store when its redis-server is killed, frozen, or lets nobody in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/redis_store.h"

/* Killed: told soon, writes refused at once, nothing said to be gone; back: listed again. */
static void
test_killed_and_back(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;
    struct gw_object *o = config_map("a", "2");

    (void)put_value(w, "a", "1");
    size_t lists = w->lists;
    redis_server_stop(&server, SIGKILL);
    WAIT_FOR(base, w->reachable == 0);
    assert_non_null(strstr(w->text, "unix:"));
    struct told t = put_with(w, o, GW_WHEN_ANY, 0, 0);
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_false(t.answer.unsure);
    assert_true(t.text[0] != '\0');
    assert_int_equal(w->lists, lists);
    assert_int_equal(gw_map_count(w->objects), 1);

    redis_server_start(&server, server.folder, NULL, NULL); /* without its data */
    WAIT_FOR(base, w->reachable == 1 && w->lists > lists);
    assert_string_equal(w->reason, "the registry was wiped (it has no epoch)");
    assert_int_equal(put_with(w, o, GW_WHEN_ANY, 0, 0).answer.result, GW_STORE_OK);
    gw_object_unref(o);
}

/* Frozen: connections stay up, and nobody answers. */
static void
test_frozen(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;
    struct gw_object *o = config_map("a", "2");

    (void)put_value(w, "a", "1");
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    struct told t = put_with(w, o, GW_WHEN_ANY, 0, 0); /* is answered while it is frozen */
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_true(t.answer.unsure); /* it will be carried out */
    WAIT_FOR(base, w->reachable == 0);
    for (int i = 0; i < 3; i++) { /* in a new connect's queue, too */
        t = put_with(w, o, GW_WHEN_ANY, 0, 0);
        assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
        assert_false(t.answer.unsure);
    }
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    WAIT_FOR(base, w->reachable == 1);
    WAIT_FOR(base, put_with(w, o, GW_WHEN_ANY, 0, 0).answer.result == GW_STORE_OK);
    gw_object_unref(o);
}

/* Frozen without a write: found by itself. */
static void
test_frozen_idle(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;

    WAIT_FOR(base, w->reachable == 1);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    WAIT_FOR(base, w->reachable == 0);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    WAIT_FOR(base, w->reachable == 1);
}

/* Leases do not run while no gateway reaches Redis: nobody could renew them. */
static void
test_leases_outlive_an_outage(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;
    struct gw_object *o = endpoint("e.1");
    uint64_t start_ms = gw_clock_mono_ms();

    (void)put_with(w, o, GW_WHEN_ANY, 0, 2500);
    watcher_close(w);
    /* an hour without anybody, told to Redis as such: its last tick and all deadlines earlier */
    REDIS_DO(&server, "EVAL",
             "local t = redis.call('TIME')[1] * 1000 - 3600000 "
             "redis.call('SET', '{ksgate}:ticked', string.format('%.0f', t)) "
             "return redis.call('ZINCRBY', '{ksgate}:leases', -3600000, 'ksgate.io/Endpoint//e.1')",
             "0");
    open_store(w, base);
    WAIT_FOR(base, watcher_get(w, o->key) != NULL);
    WAIT_FOR(base, watcher_get(w, o->key) == NULL);    /* not for ever */
    assert_true(gw_clock_mono_ms() - start_ms > 2400); /* Redis has another clock */
    gw_object_unref(o);
}

/* Closing answers what waits, in every state of the connection. */
static void
test_close_answers(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_object *o = config_map("a", "1");
    struct gw_store_put put = {.object = o, .when = GW_WHEN_ANY};

    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct watcher w;
        struct told told = {0};

        open_store(&w, base);
        for (int i = 0; i < turns / 2; i++) {
            (void)event_base_loop(base, EVLOOP_NONBLOCK);
        }
        put.object = o;
        w.driver->put(w.store, &put, on_told, &told);
        for (int i = 0; i < turns % 2; i++) {
            (void)event_base_loop(base, EVLOOP_NONBLOCK);
        }
        watcher_close(&w);
        assert_true(told.done);
    }
    gw_object_unref(o);
    event_base_free(base);
}

/* A password and a user; a wrong one is told in words that do not hold it. */
static void
test_login(void **state)
{
    struct event_base *base = event_base_new();
    struct redis_server locked = {0};
    struct watcher w;
    char path[128];
    char url[256];
    struct gw_registry_redis c = {.prefix = "x:", .timeout_ms = 2000};

    (void)state;
    redis_server_start(&locked, temp_folder(), NULL, NULL);
    REDIS_DO(&locked, "ACL", "SETUSER", "gate", "on", ">secret-word", "~*", "+@all");
    (void)snprintf(path, sizeof(path), "%s/pw", locked.folder);
    write_file(path, "wrong-word\n");
    REDIS_DO(&locked, "CONFIG", "SET", "requirepass", "secret-word");

    (void)snprintf(url, sizeof(url), "%s?db=3", locked.url);
    c.url = url;
    c.password_file = path;
    watcher_open(&w, &gw_store_redis, &c, base);
    WAIT_FOR(base, w.reachable == 0);
    assert_non_null(strstr(w.text, "WRONGPASS"));
    assert_null(strstr(w.text, "wrong-word"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%02000d\n", 1) > 0);
    assert_int_equal(fclose(f), 0);
    WAIT_FOR(base, strstr(w.text, "its first line is longer than 1022 bytes") != NULL);
    write_file(path, "secret-word\n"); /* corrected: found at the next try */
    WAIT_FOR(base, w.reachable == 1);
    (void)put_value(&w, "a", "1");
    watcher_close(&w);
    redis_server_stop(&locked, SIGKILL);
    remove_folder(locked.folder);
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IMPATIENT_TEST(test_frozen),
        IMPATIENT_TEST(test_frozen_idle),
        STORE_TEST(test_leases_outlive_an_outage),
        cmocka_unit_test_setup(test_close_answers, clean),
        cmocka_unit_test_setup(test_login, clean),
        STORE_TEST(test_killed_and_back),
    };

    return REDIS_GROUP("store_redis_away", tests);
}
