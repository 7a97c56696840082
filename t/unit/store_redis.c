/* store_redis.c - the shared store, with a real redis-server that is also killed and frozen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/redis_server.h"
#include "t/lib/store_cases.h"

static struct redis_server server;
static struct gw_registry_redis conf = {.prefix = "{ksgate}:", .timeout_ms = 2000};

static void
open_store(struct watcher *w, struct event_base *base)
{
    conf.url = server.url;
    watcher_open(w, &gw_store_redis, &conf, base);
}

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
    if (redis_server_is_installed()) {
        redis_server_stop(&server, SIGKILL);
        remove_folder(server.folder);
    }
    return 0;
}

/* Before each test: an empty store.  Skips when there is no redis-server. */
static int
clean(void **state)
{
    (void)state;
    if (server.pid > 0) {
        REDIS_DO(&server, "FLUSHALL");
    }
    return 0;
}

/* The schema that services rely on (resources.md, section 3). */
static void
test_schema(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_object *o = endpoint();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    uint64_t revision = put_with(&w, o, GW_WHEN_ANY, 0, 60000).answer.revision;
    assert_int_equal(revision, 1);
    redisReply *r = redis_server_do(&server, (const char *[]){"GET", "{ksgate}:epoch", NULL});
    assert_string_equal(r->str, w.epoch);
    freeReplyObject(r);
    r = redis_server_do(&server, (const char *[]){"GET", "{ksgate}:revision", NULL});
    assert_string_equal(r->str, "1");
    freeReplyObject(r);
    r = redis_server_do(
        &server, (const char *[]){"HGET", "{ksgate}:objects", "ksgate.io/Endpoint//e.1", NULL});
    json_t *json = json_loads(r->str, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json, "metadata"), "resourceVersion")),
        "1");
    json_decref(json);
    freeReplyObject(r);
    r = redis_server_do(&server, (const char *[]){"XRANGE", "{ksgate}:changes", "-", "+", NULL});
    assert_int_equal(r->elements, 1);
    assert_string_equal(r->element[0]->element[0]->str, "1-0");
    assert_string_equal(r->element[0]->element[1]->element[0]->str, "op");
    assert_string_equal(r->element[0]->element[1]->element[1]->str, "put");
    assert_string_equal(r->element[0]->element[1]->element[2]->str, "field");
    assert_string_equal(r->element[0]->element[1]->element[3]->str, "ksgate.io/Endpoint//e.1");
    freeReplyObject(r);
    r = redis_server_do(
        &server, (const char *[]){"ZSCORE", "{ksgate}:leases", "ksgate.io/Endpoint//e.1", NULL});
    uint64_t deadline = 0;
    assert_true(gw_str_u64(gw_str_of(r->str), &deadline));
    assert_in_range(deadline, gw_clock_wall_ms() + 50000, gw_clock_wall_ms() + 61000);
    freeReplyObject(r);
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

/* A service that writes by the script, with nothing but EVAL. */
static void
test_script_by_hand(void **state)
{
    static const char field[] = "/ConfigMap/test/hand";
    static const char json[] =
        "{\"metadata\":{\"name\":\"hand\",\"namespace\":\"test\"},\"apiVersion\":\"v1\","
        "\"kind\":\"ConfigMap\",\"data\":{\"value\":\"1\"}}";
    static const char two[] =
        "[[\"/nil//x\",\"{\\\"metadata\\\":{\\\"name\\\":\\\"x\\\"}}\",\"any\",\"0\",\"0\"],"
        "[\"/nil//y\",\"{\\\"metadata\\\":{\\\"name\\\":\\\"y\\\"}}\",\"any\",\"0\",\"soon\"]]";
    static const char whole[] = "{\"metadata\":{\"name\":\"x\"}}";
    static const struct {
        const char *field, *json, *error, *lease, *uid, *created;
    } refused[] = {
        {field, "[]", "begins with", "0", NULL, NULL},
        {field, "{\"metadata\":{", "begins with", "0", NULL, NULL},
        {field, "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"hand\"}}", "begins with", "0",
         NULL, NULL},
        {"/ConfigMap/test/else", json, "FIELD must be", "0", NULL, NULL},
        {field, "{\"metadata\":{\"name\":\"hand\",\"uid\":\"1\"}}", "leave metadata.uid", "0", NULL,
         NULL},
        {"/nil//nil", "{\"metadata\":{\"labels\":{}}}", "metadata.name must be", "0", NULL, NULL},
        {"/nil//", "{\"metadata\":{\"name\":\"\"}}", "metadata.name must be", "0", NULL, NULL},
        {"/nil//1", "{\"metadata\":{\"name\":1}}", "metadata.name must be", "0", NULL, NULL},
        {"/nil/1/x", "{\"metadata\":{\"name\":\"x\",\"namespace\":1}}", "namespace must be", "0",
         NULL, NULL},
        {"/nil//x", whole, "LEASE_MS must be", "soon", NULL, NULL},
        {"/nil//x", whole, "LEASE_MS must be", "", NULL, NULL},
        {"/nil//x", whole, "LEASE_MS must be", "nan", NULL, NULL},
        {"/nil//x", whole, "LEASE_MS must be", "inf", NULL, NULL},
        {"/nil//x", whole, "LEASE_MS must be", "-1", NULL, NULL},
        {"/nil//x", whole, "UID may have", "0", "a\"b", NULL},
        {"/nil//x", whole, "UID may have", "0", "", NULL},
        {"/nil//x", whole, "CREATED must be", "0", "u", "to\nday"},
    };
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    WAIT_FOR(base, w.lists > 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        redisReply *r = redis_server_do(
            &server, (const char *[]){"EVAL", gw_store_redis_script, "1", "{ksgate}:", "put",
                                      refused[i].field, refused[i].json, "any", "0",
                                      refused[i].lease, refused[i].uid, refused[i].created, NULL});
        assert_int_equal(r->type, REDIS_REPLY_ERROR);
        assert_words("text", r->str, refused[i].error);
        freeReplyObject(r);
    }
    redisReply *none =
        redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                  "{ksgate}:", "put_all", two, NULL});
    assert_int_equal(none->type, REDIS_REPLY_ERROR);
    assert_words("text", none->str, "LEASE_MS must be");
    freeReplyObject(none);
    none = redis_server_do(&server, (const char *[]){"EXISTS", "{ksgate}:objects", NULL});
    assert_int_equal(none->integer, 0); /* refused before anything was written */
    freeReplyObject(none);
    redisReply *r = redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                              "{ksgate}:", "put", field, json,
                                                              "absent", "0", "0", NULL});
    assert_string_equal(r->element[0]->str, "ok");
    assert_int_equal(r->element[1]->integer, 1);
    freeReplyObject(r);
    WAIT_FOR(base, watcher_get(&w, field) != NULL);
    const struct gw_object *o = watcher_get(&w, field);
    assert_int_equal(strlen(metadata(o, "uid")), 36);
    char today[32];
    time_t now = time(NULL);
    struct tm tm;
    assert_non_null(gmtime_r(&now, &tm));
    assert_true(strftime(today, sizeof(today), "%Y-%m-%dT%H:", &tm) > 0);
    assert_memory_equal(metadata(o, "creationTimestamp"), today, strlen(today));
    watcher_close(&w);
    event_base_free(base);
}

/* Rubbish in the hash is skipped, and the rest goes on. */
static void
test_rubbish_is_skipped(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "good", "1");
    REDIS_DO(&server, "HSET", "{ksgate}:objects", "nonsense", "[]", "/ConfigMap/test/bad", "{");
    watcher_close(&w);
    open_store(&w, base);
    WAIT_FOR(base, w.lists == 1);
    assert_int_equal(gw_map_count(w.objects), 1);
    (void)put_value(&w, "bad", "now good");
    assert_string_equal(value_of(watcher_get(&w, "/ConfigMap/test/bad")), "now good");
    watcher_close(&w);
    event_base_free(base);
}

/* SCRIPT FLUSH: the script is sent again. */
static void
test_script_flush(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    REDIS_DO(&server, "SCRIPT", "FLUSH");
    (void)put_value(&w, "a", "2");
    assert_string_equal(value_of(watcher_get(&w, "/ConfigMap/test/a")), "2");
    watcher_close(&w);
    event_base_free(base);
}

/* FLUSHALL: noticed soon without a write, and by a write at once. */
static void
test_wiped(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    (void)put_value(&w, "a", "2");
    size_t lists = w.lists;
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, w.lists > lists);
    assert_non_null(strstr(w.reason, "wiped"));
    assert_string_equal(w.epoch, "");
    assert_int_equal(gw_map_count(w.objects), 0);
    assert_int_equal(put_value(&w, "b", "1"), 1);
    assert_non_null(watcher_get(&w, "/ConfigMap/test/b"));

    REDIS_DO(&server, "FLUSHALL");
    assert_int_equal(put_value(&w, "c", "1"), 1);
    assert_non_null(watcher_get(&w, "/ConfigMap/test/c"));
    assert_null(watcher_get(&w, "/ConfigMap/test/b"));
    watcher_close(&w);
    event_base_free(base);
}

/* The stream was trimmed beyond what we know, or the counter set back. */
static void
test_broken_line(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    (void)put_value(&w, "a", "2");
    size_t lists = w.lists;
    REDIS_DO(&server, "SET", "{ksgate}:revision", "100");
    WAIT_FOR(base, w.lists > lists);
    assert_non_null(strstr(w.reason, "no longer kept"));
    assert_int_equal(w.revision, 100);
    lists = w.lists;
    REDIS_DO(&server, "SET", "{ksgate}:revision", "50");
    WAIT_FOR(base, w.lists > lists);
    assert_non_null(strstr(w.reason, "older"));
    assert_int_equal(put_value(&w, "a", "3"), 51);
    watcher_close(&w);
    event_base_free(base);
}

static bool
delete_by_hand(const char *field)
{
    redisReply *r =
        redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                  "{ksgate}:", "delete", field, "any", "0", NULL});
    bool ok = r->type == REDIS_REPLY_ARRAY && strcmp(r->element[0]->str, "ok") == 0;

    freeReplyObject(r);
    return ok;
}

static long long
counter(void)
{
    redisReply *r = redis_server_do(&server, (const char *[]){"GET", "{ksgate}:revision", NULL});
    long long n = strtoll(r->str, NULL, 10);

    freeReplyObject(r);
    return n;
}

/* A counter behind the stream, or that is none, is raised by the next write; and without one. */
static void
test_counter_is_mended(void **state)
{
    static const char *const wrong[] = {"1", "rubbish", "-7", "99999999999999999999", ""};
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)put_value(&w, "a", "1");
        (void)put_value(&w, "b", "1");
        uint64_t last = put_value(&w, "b", "2");
        REDIS_DO(&server, "SET", "{ksgate}:revision", wrong[i]);
        assert_true(delete_by_hand("/ConfigMap/test/a"));
        assert_int_equal(counter(), last + 1);
        WAIT_FOR(base, watcher_get(&w, "/ConfigMap/test/a") == NULL);
        assert_true(delete_by_hand("/ConfigMap/test/b"));
        WAIT_FOR(base, watcher_get(&w, "/ConfigMap/test/b") == NULL);
    }
    uint64_t last = put_value(&w, "a", "1");
    REDIS_DO(&server, "SET", "{ksgate}:revision", "1");
    WAIT_FOR(base, counter() == (long long)last); /* the tick */
    WAIT_FOR(base, w.revision == last);

    /* A higher id was in the stream, and is not: XADD would refuse all that is lower. */
    REDIS_DO(&server, "XADD", "{ksgate}:changes", "1000-0", "op", "put", "field", "x");
    REDIS_DO(&server, "XDEL", "{ksgate}:changes", "1000-0");
    assert_true(delete_by_hand("/ConfigMap/test/a"));
    WAIT_FOR(base, watcher_get(&w, "/ConfigMap/test/a") == NULL);
    (void)put_value(&w, "a", "2");
    assert_string_equal(value_of(watcher_get(&w, "/ConfigMap/test/a")), "2");
    watcher_close(&w);
    event_base_free(base);
}

/* The line breaks for the same reason again and again: the lists come less and less often. */
static void
test_lists_with_pauses(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    uint64_t at[4];

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    for (int i = 0; i < 4; i++) {
        size_t lists = w.lists;
        char revision[24];

        (void)snprintf(revision, sizeof(revision), "%lld", counter() + 100);
        uint64_t began = gw_clock_mono_ms();
        REDIS_DO(&server, "SET", "{ksgate}:revision", revision);
        WAIT_FOR(base, w.lists > lists);
        at[i] = gw_clock_mono_ms() - began;
    }
    assert_true(at[1] >= 500); /* never before, however slow the machine is */
    assert_true(at[2] >= 1000);
    assert_true(at[3] >= 2000);
    watcher_close(&w);
    event_base_free(base);
}

/* Killed: told soon, writes refused at once, nothing said to be gone; back: listed again. */
static void
test_killed_and_back(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct gw_object *o = config_map("a", "2");

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    size_t lists = w.lists;
    redis_server_stop(&server, SIGKILL);
    WAIT_FOR(base, w.reachable == 0);
    assert_non_null(strstr(w.text, "unix:"));
    struct told t = put_with(&w, o, GW_WHEN_ANY, 0, 0);
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_false(t.answer.unsure);
    assert_true(t.text[0] != '\0');
    assert_int_equal(w.lists, lists);
    assert_int_equal(gw_map_count(w.objects), 1);

    redis_server_start(&server, server.folder, NULL, NULL); /* without its data */
    WAIT_FOR(base, w.reachable == 1 && w.lists > lists);
    assert_string_equal(w.reason, "the registry was wiped (it has no epoch)");
    assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 0).answer.result, GW_STORE_OK);
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

/* Frozen: connections stay up, and nobody answers. */
static void
test_frozen(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct gw_object *o = config_map("a", "2");

    (void)state;
    conf.timeout_ms = 300;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    uint64_t start_ms = gw_clock_mono_ms();
    struct told t = put_with(&w, o, GW_WHEN_ANY, 0, 0);
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_true(t.answer.unsure); /* it will be carried out */
    assert_true(gw_clock_mono_ms() - start_ms < 2000);
    WAIT_FOR(base, w.reachable == 0);
    for (int i = 0; i < 3; i++) { /* in a new connect's queue, too */
        t = put_with(&w, o, GW_WHEN_ANY, 0, 0);
        assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
        assert_false(t.answer.unsure);
    }
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    WAIT_FOR(base, w.reachable == 1);
    WAIT_FOR(base, put_with(&w, o, GW_WHEN_ANY, 0, 0).answer.result == GW_STORE_OK);
    conf.timeout_ms = 2000;
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

/* Frozen without a write: found by itself. */
static void
test_frozen_idle(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    conf.timeout_ms = 300;
    open_store(&w, base);
    WAIT_FOR(base, w.reachable == 1);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    WAIT_FOR(base, w.reachable == 0);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    WAIT_FOR(base, w.reachable == 1);
    conf.timeout_ms = 2000;
    watcher_close(&w);
    event_base_free(base);
}

/* Leases do not run while no gateway reaches Redis: nobody could renew them. */
static void
test_leases_outlive_an_outage(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct gw_object *o = endpoint();

    (void)state;
    open_store(&w, base);
    (void)put_with(&w, o, GW_WHEN_ANY, 0, 2500);
    watcher_close(&w);
    /* an hour without anybody, told to Redis as such: its last tick and all deadlines earlier */
    REDIS_DO(&server, "EVAL",
             "local t = redis.call('TIME')[1] * 1000 - 3600000 "
             "redis.call('SET', '{ksgate}:ticked', string.format('%.0f', t)) "
             "return redis.call('ZINCRBY', '{ksgate}:leases', -3600000, 'ksgate.io/Endpoint//e.1')",
             "0");
    open_store(&w, base);
    uint64_t end = gw_clock_mono_ms() + 1500; /* more than one tick */
    WAIT_FOR(base, gw_clock_mono_ms() > end);
    assert_non_null(watcher_get(&w, o->key));
    WAIT_FOR(base, watcher_get(&w, o->key) == NULL); /* but not for ever */
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
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
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("wrong-word\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    REDIS_DO(&locked, "CONFIG", "SET", "requirepass", "secret-word");

    (void)snprintf(url, sizeof(url), "%s?db=3", locked.url);
    c.url = url;
    c.password_file = path;
    watcher_open(&w, &gw_store_redis, &c, base);
    WAIT_FOR(base, w.reachable == 0);
    assert_non_null(strstr(w.text, "WRONGPASS"));
    assert_null(strstr(w.text, "wrong-word"));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%02000d\n", 1) > 0);
    assert_int_equal(fclose(f), 0);
    WAIT_FOR(base, strstr(w.text, "its first line is longer than 1022 bytes") != NULL);
    f = fopen(path, "w"); /* corrected: found at the next try */
    assert_non_null(f);
    assert_true(fputs("secret-word\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    WAIT_FOR(base, w.reachable == 1);
    (void)put_value(&w, "a", "1");
    watcher_close(&w);
    redis_server_stop(&locked, SIGKILL);
    remove_folder(locked.folder);
    event_base_free(base);
}

/* The program text that is built in is the file that is shipped. */
static void
test_script_is_the_file(void **state)
{
    char path[512];
    struct gw_buf text = {0};
    char chunk[4096];
    size_t n;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s", __FILE__);
    char *end = strstr(path, "t/unit/");
    assert_non_null(end);
    (void)snprintf(end, sizeof(path) - (size_t)(end - path), "src/registry/redis.lua");
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        print_message("# %s is not here: not compared\n", path);
        skip();
    }
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        gw_buf_add(&text, chunk, n);
    }
    (void)fclose(f);
    assert_string_equal(gw_store_redis_script, text.p); /* else: tools/embed-lua */
    gw_buf_fini(&text);
}

int
main(void)
{
    struct CMUnitTest tests[] = {
        STORE_CASES,
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_script_by_hand),
        cmocka_unit_test(test_rubbish_is_skipped),
        cmocka_unit_test(test_script_flush),
        cmocka_unit_test(test_wiped),
        cmocka_unit_test(test_broken_line),
        cmocka_unit_test(test_counter_is_mended),
        cmocka_unit_test(test_lists_with_pauses),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_frozen_idle),
        cmocka_unit_test(test_leases_outlive_an_outage),
        cmocka_unit_test(test_close_answers),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_script_is_the_file),
        cmocka_unit_test(test_killed_and_back),
    };

    if (!redis_server_is_installed()) {
        (void)printf("1..0 # SKIP /usr/bin/redis-server is not installed\n");
        return 0;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        tests[i].setup_func = clean;
    }
    return cmocka_run_group_tests_name("store_redis", tests, start, stop);
}
