/* store_redis_script.c - what the script writes, and what it refuses, when services run it by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "t/lib/redis_store.h"

/* The schema that services rely on (resources.md, section 3). */
static void
test_schema(void **state)
{
    static const char field[] = "ksgate.io/Endpoint//e.1";
    struct watcher *w = *state;
    struct gw_object *o = endpoint("e.1");
    uint64_t deadline = 0;

    assert_int_equal(put_with(w, o, GW_WHEN_ANY, 0, 60000).answer.revision, 1);
    gw_object_unref(o);
    assert_string_equal(REDIS_TEXT("GET", "{ksgate}:epoch"), w->epoch);
    assert_string_equal(REDIS_TEXT("GET", "{ksgate}:revision"), "1");
    json_t *json =
        json_loads(REDIS_TEXT("HGET", "{ksgate}:objects", field), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json, "metadata"), "resourceVersion")),
        "1");
    json_decref(json);
    redisReply *r =
        redis_server_do(&server, (const char *[]){"XRANGE", "{ksgate}:changes", "-", "+", NULL});
    assert_int_equal(r->elements, 1);
    assert_string_equal(r->element[0]->element[0]->str, "1-0");
    assert_string_equal(r->element[0]->element[1]->element[0]->str, "op");
    assert_string_equal(r->element[0]->element[1]->element[1]->str, "put");
    assert_string_equal(r->element[0]->element[1]->element[2]->str, "field");
    assert_string_equal(r->element[0]->element[1]->element[3]->str, field);
    freeReplyObject(r);
    assert_true(gw_str_u64(gw_str_of(REDIS_TEXT("ZSCORE", "{ksgate}:leases", field)), &deadline));
    assert_in_range(deadline, gw_clock_wall_ms() + 50000, gw_clock_wall_ms() + 61000);
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
    struct watcher *w = *state;
    struct event_base *base = w->base;

    WAIT_FOR(base, w->lists > 0);
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
    WAIT_FOR(base, watcher_get(w, field) != NULL);
    const struct gw_object *o = watcher_get(w, field);
    assert_int_equal(strlen(metadata(o, "uid")), 36);
    char today[32];
    time_t now = time(NULL);
    struct tm tm;
    assert_non_null(gmtime_r(&now, &tm));
    assert_true(strftime(today, sizeof(today), "%Y-%m-%dT%H:", &tm) > 0);
    assert_memory_equal(metadata(o, "creationTimestamp"), today, strlen(today));
}

static bool
delete_when(const char *field, const char *when)
{
    redisReply *r =
        redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                  "{ksgate}:", "delete", field, when, "0", NULL});
    bool ok = r->type == REDIS_REPLY_ARRAY && strcmp(r->element[0]->str, "ok") == 0;

    freeReplyObject(r);
    return ok;
}

static bool
delete_by_hand(const char *field)
{
    return delete_when(field, "any");
}

/* It is not there, and others are told so. */
static bool
forget_by_hand(const char *field)
{
    return delete_when(field, "absent");
}

static long long
counter(void)
{
    return strtoll(REDIS_TEXT("GET", "{ksgate}:revision"), NULL, 10);
}

/* A counter behind the stream, or that is none, is raised by the next write; and without one. */
static void
test_counter_is_mended(void **state)
{
    static const char *const wrong[] = {"1", "rubbish", "-7", "99999999999999999999", ""};
    struct watcher *w = *state;
    struct event_base *base = w->base;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)put_value(w, "a", "1");
        (void)put_value(w, "b", "1");
        uint64_t last = put_value(w, "b", "2");
        REDIS_DO(&server, "SET", "{ksgate}:revision", wrong[i]);
        assert_true(delete_by_hand("/ConfigMap/test/a"));
        assert_int_equal(counter(), last + 1);
        WAIT_FOR(base, watcher_get(w, "/ConfigMap/test/a") == NULL);
        assert_true(delete_by_hand("/ConfigMap/test/b"));
        WAIT_FOR(base, watcher_get(w, "/ConfigMap/test/b") == NULL);
    }
    uint64_t last = put_value(w, "a", "1");
    REDIS_DO(&server, "SET", "{ksgate}:revision", "1");
    WAIT_FOR(base, counter() == (long long)last); /* the tick */
    WAIT_FOR(base, w->revision == last);

    /* A higher id was in the stream, and is not: XADD would refuse all that is lower. */
    REDIS_DO(&server, "XADD", "{ksgate}:changes", "1000-0", "op", "put", "field", "x");
    REDIS_DO(&server, "XDEL", "{ksgate}:changes", "1000-0");
    assert_true(delete_by_hand("/ConfigMap/test/a"));
    WAIT_FOR(base, watcher_get(w, "/ConfigMap/test/a") == NULL);
    (void)put_value(w, "a", "2");
    assert_string_equal(value_of(watcher_get(w, "/ConfigMap/test/a")), "2");
}

/* What a deletion makes of a hash that somebody has deleted: of one who knows the object from
 * before, a new registry, as a put would; of the last object there is, no more than the deletion.
 */
static void
test_deletion_after_the_hash(void **state)
{
    static const char a[] = "/ConfigMap/test/a";
    struct watcher *w = *state;
    struct event_base *base = w->base;
    char epoch[64];

    (void)put_value(w, "b", "1");
    (void)put_value(w, "a", "1");
    (void)snprintf(epoch, sizeof(epoch), "%s", w->epoch);
    assert_true(delete_by_hand("/ConfigMap/test/b"));
    assert_true(delete_by_hand(a));
    assert_string_equal(REDIS_TEXT("GET", "{ksgate}:epoch"), epoch);
    assert_true(forget_by_hand(a)); /* once more: nothing was lost */
    assert_string_equal(REDIS_TEXT("GET", "{ksgate}:epoch"), epoch);

    uint64_t last = put_value(w, "a", "2");
    REDIS_DO(&server, "DEL", "{ksgate}:objects");
    assert_true(forget_by_hand(a));
    assert_string_not_equal(REDIS_TEXT("GET", "{ksgate}:epoch"), epoch);
    assert_in_range(counter(), 1, last - 1);
    WAIT_FOR(base, strcmp(w->epoch, REDIS_TEXT("GET", "{ksgate}:epoch")) == 0);
    assert_null(watcher_get(w, a));
    assert_true(forget_by_hand(a)); /* that was it */
    assert_string_equal(REDIS_TEXT("GET", "{ksgate}:epoch"), w->epoch);
}

static redisReply *
deleted(const char *since, const char *until, const char *limit)
{
    redisReply *r = redis_server_do(&server, (const char *[]){"EVAL", gw_store_redis_script, "1",
                                                              "{ksgate}:", "deleted", since, until,
                                                              limit, NULL});

    assert_int_equal(r->type, REDIS_REPLY_ARRAY);
    assert_int_equal(r->elements, 3);
    return r;
}

/* What is not there any more, of what has changed: in pages, and whatever the stream has lost. */
static void
test_deleted(void **state)
{
    static const struct {
        const char *since, *until, *limit;
        long long upto;
        const char *fields[3];
    } cases[] = {
        {"0", "8", "100", 8, {"/ConfigMap/test/a", "/ConfigMap/test/c"}},
        {"6", "8", "100", 8, {"/ConfigMap/test/c"}},
        {"8", "8", "100", 8, {NULL}},
        {"9", "8", "100", 8, {NULL}},
        {"0", "5", "2", 2, {"/ConfigMap/test/a"}},
        {"0", "2", "2", 2, {"/ConfigMap/test/a"}},
        {"2", "8", "2", 5, {"/ConfigMap/test/c"}},
    };
    struct watcher *w = *state;

    (void)put_value(w, "a", "1");
    (void)put_value(w, "b", "1");
    (void)put_value(w, "c", "1");
    (void)remove_with(w, "/ConfigMap/test/b", GW_WHEN_PRESENT, 0);
    (void)put_value(w, "b", "2");
    (void)remove_with(w, "/ConfigMap/test/a", GW_WHEN_PRESENT, 0);
    (void)remove_with(w, "/ConfigMap/test/c", GW_WHEN_PRESENT, 0);
    (void)put_value(w, "d", "1");
    REDIS_DO(&server, "XDEL", "{ksgate}:changes", "4-0"); /* b's is passed over */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        redisReply *r = deleted(cases[i].since, cases[i].until, cases[i].limit);
        const redisReply *fields = r->element[2];
        size_t n = 0;

        assert_string_equal(r->element[0]->str, w->epoch);
        assert_int_equal(r->element[1]->integer, cases[i].upto);
        for (; cases[i].fields[n] != NULL; n++) {
            assert_true(n < fields->elements);
            assert_string_equal(fields->element[n]->str, cases[i].fields[n]);
        }
        assert_int_equal(fields->elements, n);
        freeReplyObject(r);
    }
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
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_schema),
        STORE_TEST(test_script_by_hand),
        STORE_TEST(test_counter_is_mended),
        STORE_TEST(test_deleted),
        STORE_TEST(test_deletion_after_the_hash),
        cmocka_unit_test(test_script_is_the_file),
    };

    return REDIS_GROUP("store_redis_script", tests);
}
