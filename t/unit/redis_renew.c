/* redis_renew.c - renewals of leases, which go to a real Redis together, and are answered one by
 * one. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/redis_write.h"
#include "t/lib/redis_store.h"

#define MANY 1203 /* more than one call holds, and not a whole number of calls */

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
    return strtod(REDIS_TEXT("ZSCORE", "{ksgate}:leases", field), NULL);
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
    struct watcher *w = *state;

    for (unsigned i = 0; i < MANY; i++) {
        if (i % 3 != 2) {
            char name[16];

            (void)snprintf(name, sizeof(name), "k%u", i);
            struct gw_object *o = config_map(name, "x");
            assert_int_equal(put_with(w, o, GW_WHEN_ANY, 0, 60000).answer.result, GW_STORE_OK);
            gw_object_unref(o);
        }
    }
    double before = score_of(key_of(0));
    unsigned long long calls = script_calls();
    for (unsigned i = 0; i < MANY; i++) {
        told[i] = (struct told){.by = w};
        uint64_t revision = i - i / 3 + 1; /* so many were written before it, and itself */

        w->driver->renew(w->store, key_of(i), i % 3 == 1 ? revision + 5000 : revision, 600000,
                         on_told, &told[i]);
    }
    WAIT_FOR(w->base, told[MANY - 1].done);
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
    assert_in_range(script_calls() - calls, 3, 10); /* the store's own ticks may have come */
    assert_true(score_of(key_of(0)) > before + 500000);
    assert_true(score_of(key_of(1)) < before + 500000);
    assert_true(score_of(key_of(2)) == 0);
    assert_int_equal(strtol(REDIS_TEXT("GET", "{ksgate}:revision"), NULL, 10), MANY - MANY / 3);
}

/* What renew, which looks at one only, says to the same. */
static struct gw_store_answer
by_itself(const char *key, uint64_t revision, long long lease_ms)
{
    char wanted[24];
    char lease[24];
    struct gw_store_answer a = {0};

    (void)snprintf(wanted, sizeof(wanted), "%" PRIu64, revision);
    (void)snprintf(lease, sizeof(lease), "%lld", lease_ms);
    redisReply *r = redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                              "{ksgate}:", "renew", key, lease,
                                                              revision == 0 ? NULL : wanted, NULL});
    assert_int_equal(r->type, REDIS_REPLY_ARRAY);
    assert_true(gw_redis_write_result(r->element[0]->str, &a.result, &a.text));
    a.revision = (uint64_t)r->element[1]->integer;
    a.lease_until_ms = (uint64_t)r->element[2]->integer;
    freeReplyObject(r);
    return a;
}

/* Some of any revision, some without a lease, some twice, keys of all kinds: each is answered as it
 * would be by itself, and no other has its answer. */
static void
test_as_by_itself(void **state)
{
    static const char *const names[] = {"a", "b", "c", "q\"uo\\te", "\xc3\xa4", "gone", "\x7f"};
    struct told told[200];
    struct watcher *w = *state;
    unsigned seed = 7;

    for (unsigned i = 0; i < 3; i++) {
        struct gw_object *o = config_map(names[i], "x");
        assert_int_equal(put_with(w, o, GW_WHEN_ANY, 0, 60000).answer.result, GW_STORE_OK);
        gw_object_unref(o);
    }
    for (unsigned i = 3; i < 5; i++) {
        char field[64];

        (void)snprintf(field, sizeof(field), "/ConfigMap/test/%s", names[i]);
        REDIS_DO(&server, "HSET", "{ksgate}:objects", field,
                 "{\"kind\":\"ConfigMap\",\"metadata\":{\"resourceVersion\":\"4\"}}");
    }
    for (unsigned round = 0; round < 20; round++) {
        char keys[200][64];
        uint64_t revisions[200];
        long long leases[200];

        for (unsigned i = 0; i < 200; i++) {
            seed = seed * 1103515245 + 12345;
            (void)snprintf(keys[i], sizeof(keys[i]), "/ConfigMap/test/%s", names[(seed >> 8) % 7]);
            revisions[i] = (seed >> 16) % 5;
            leases[i] = (seed >> 24) % 3 * 100000LL;
            told[i] = (struct told){.by = w};
            w->driver->renew(w->store, keys[i], revisions[i], leases[i], on_told, &told[i]);
        }
        WAIT_FOR(w->base, told[199].done);
        for (unsigned i = 0; i < 200; i++) {
            struct gw_store_answer is = told[i].answer;
            struct gw_store_answer wanted = by_itself(keys[i], revisions[i], leases[i]);

            assert_true(told[i].done);
            assert_int_equal(is.result, wanted.result);
            assert_int_equal(is.revision, wanted.revision);
            assert_true(is.lease_until_ms <= wanted.lease_until_ms);
            assert_true(is.lease_until_ms + LONG_MS >= wanted.lease_until_ms);
            assert_int_equal(is.lease_until_ms == 0, is.result != GW_STORE_OK || leases[i] == 0);
        }
    }
}

/* Of a lease 0 it stays; what another program has written counts as any reader would see it. */
static void
test_odd(void **state)
{
    struct watcher *w = *state;
    struct gw_object *o = config_map("a", "x");

    assert_int_equal(put_with(w, o, GW_WHEN_ANY, 0, 60000).answer.result, GW_STORE_OK);
    gw_object_unref(o);
    assert_int_equal(renew_with(w, "/ConfigMap/test/a", 1, 0).answer.lease_until_ms, 0);
    assert_true(score_of("/ConfigMap/test/a") == 0);
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "/ConfigMap/test/hand",
             "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"hand\",\"resourceVersion\":\"7\"}}");
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "/ConfigMap/test/bad", "{\"metadata\":");
    assert_int_equal(renew_with(w, "/ConfigMap/test/hand", 7, 1000).answer.result, GW_STORE_OK);
    assert_int_equal(renew_with(w, "/ConfigMap/test/hand", 8, 1000).answer.result,
                     GW_STORE_CONFLICT);
    assert_int_equal(renew_with(w, "/ConfigMap/test/bad", 0, 1000).answer.result,
                     GW_STORE_NOT_FOUND);
    REDIS_DO(&server, "DEL", "{ksgate}:leases");
    REDIS_DO(&server, "SET", "{ksgate}:leases", "mine");
    struct told t = renew_with(w, "/ConfigMap/test/a", 1, 1000);
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_false(t.answer.unsure);
    assert_non_null(strstr(t.text, "{ksgate}:leases holds something that is not of ksgate"));
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
        STORE_TEST(test_many),
        STORE_TEST(test_as_by_itself),
        STORE_TEST(test_odd),
        cmocka_unit_test_setup(test_closed, clean),
    };

    return REDIS_GROUP("redis_renew", tests);
}
