/* redis_renew.c - renewals of leases, which go to a real Redis together, and are answered one by
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/redis_server.h"
#include "t/lib/registry_watcher.h"

#define MANY 1203 /* more than one call holds, and not a whole number of calls */

static struct redis_server server;
static struct gw_registry_redis conf = {.prefix = "{ksgate}:", .timeout_ms = 2000};

static int
start(void **state)
{
    (void)state;
    if (redis_server_is_installed()) {
        redis_server_start(&server, temp_folder(), NULL, NULL);
    }
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    if (server.pid > 0) {
        redis_server_stop(&server, SIGKILL);
        remove_folder(server.folder);
    }
    return 0;
}

static int
clean(void **state)
{
    (void)state;
    if (server.pid > 0) {
        REDIS_DO(&server, "FLUSHALL");
    }
    return 0;
}

static void
open_store(struct watcher *w, struct event_base *base)
{
    conf.url = server.url;
    watcher_open(w, &gw_store_redis, &conf, base);
}

/* How many calls of scripts Redis has answered. */
static unsigned long long
script_calls(void)
{
    redisReply *r = redis_server_do(&server, (const char *[]){"INFO", "commandstats", NULL});
    const char *at = strstr(r->str, "cmdstat_evalsha:calls=");
    unsigned long long n = at == NULL ? 0 : strtoull(at + 22, NULL, 10);

    freeReplyObject(r);
    return n;
}

static double
score_of(const char *field)
{
    redisReply *r =
        redis_server_do(&server, (const char *[]){"ZSCORE", "{ksgate}:leases", field, NULL});
    double score = r->type == REDIS_REPLY_STRING ? strtod(r->str, NULL) : 0;

    freeReplyObject(r);
    return score;
}

static char *
key_of(unsigned i)
{
    static char keys[4][64];
    char *key = keys[i % 4];

    (void)snprintf(key, sizeof(keys[0]), "/ConfigMap/test/k%u", i);
    return key;
}

/* Every third is there, every third is of another revision, and every third is not there. */
static void
test_many(void **state)
{
    static struct told told[MANY];
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 3 != 2) {
            char name[16];

            (void)snprintf(name, sizeof(name), "k%u", i);
            struct gw_object *o = config_map(name, "x");
            assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 60000).answer.result, GW_STORE_OK);
            gw_object_unref(o);
        }
    }
    double before = score_of(key_of(0));
    unsigned long long calls = script_calls();
    for (unsigned i = 0; i < MANY; i++) {
        told[i] = (struct told){.by = &w};
        uint64_t revision = i - i / 3 + 1; /* so many were written before it, and itself */

        w.driver->renew(w.store, key_of(i), i % 3 == 1 ? revision + 5000 : revision, 600000,
                        on_told, &told[i]);
    }
    WAIT_FOR(base, told[MANY - 1].done);
    for (unsigned i = 0; i < MANY; i++) {
        static const enum gw_store_result results[] = {GW_STORE_OK, GW_STORE_CONFLICT,
                                                       GW_STORE_NOT_FOUND};

        assert_true(told[i].done);
        assert_int_equal(told[i].answer.result, results[i % 3]);
        if (i % 3 == 0) {
            assert_int_equal(told[i].answer.revision, i - i / 3 + 1);
            assert_int_equal(told[i].answer.lease_until_ms, (uint64_t)score_of(key_of(i)));
        }
    }
    assert_in_range(script_calls() - calls, 3, 5); /* the store's own tick may have come */
    assert_true(score_of(key_of(0)) > before + 500000);
    assert_true(score_of(key_of(1)) < before + 500000);
    assert_true(score_of(key_of(2)) == 0);
    redisReply *r = redis_server_do(&server, (const char *[]){"GET", "{ksgate}:revision", NULL});
    assert_int_equal(strtol(r->str, NULL, 10), MANY - MANY / 3);
    freeReplyObject(r);
    watcher_close(&w);
    event_base_free(base);
}

/* Of a lease 0 it stays; what another program has written counts as any reader would see it. */
static void
test_odd(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    struct gw_object *o = config_map("a", "x");
    assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 60000).answer.result, GW_STORE_OK);
    gw_object_unref(o);
    assert_int_equal(renew_with(&w, "/ConfigMap/test/a", 1, 0).answer.lease_until_ms, 0);
    assert_true(score_of("/ConfigMap/test/a") == 0);
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "/ConfigMap/test/hand",
             "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"hand\",\"resourceVersion\":\"7\"}}");
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "/ConfigMap/test/bad", "{\"metadata\":");
    assert_int_equal(renew_with(&w, "/ConfigMap/test/hand", 7, 1000).answer.result, GW_STORE_OK);
    assert_int_equal(renew_with(&w, "/ConfigMap/test/hand", 8, 1000).answer.result,
                     GW_STORE_CONFLICT);
    assert_int_equal(renew_with(&w, "/ConfigMap/test/bad", 0, 1000).answer.result,
                     GW_STORE_NOT_FOUND);
    REDIS_DO(&server, "DEL", "{ksgate}:leases");
    REDIS_DO(&server, "SET", "{ksgate}:leases", "mine");
    struct told t = renew_with(&w, "/ConfigMap/test/a", 1, 1000);
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_false(t.answer.unsure);
    assert_non_null(strstr(t.text, "{ksgate}:leases holds something that is not of ksgate"));
    watcher_close(&w);
    event_base_free(base);
}

/* Those that are on their way, or not even that, when the store is closed. */
static void
test_closed(void **state)
{
    static struct told told[3];
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    for (unsigned i = 0; i < 3; i++) {
        told[i] = (struct told){.by = &w};
        w.driver->renew(w.store, key_of(i), 1, 1000, on_told, &told[i]);
    }
    watcher_close(&w);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(told[i].done);
        assert_int_equal(told[i].answer.result, GW_STORE_UNAVAILABLE);
    }
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_many, clean),
        cmocka_unit_test_setup(test_odd, clean),
        cmocka_unit_test_setup(test_closed, clean),
    };

    return redis_server_is_installed() ? cmocka_run_group_tests(tests, start, stop) : 0;
}
