/*
 * store_cases.h - what every driver of the registry must do, whatever it stores in.
 *
 * The program that includes it defines open_store(): a new connection to its one, empty store.
 */
#ifndef GW_T_STORE_CASES_H
#define GW_T_STORE_CASES_H

#include "t/lib/registry_watcher.h"

static void open_store(struct watcher *w, struct event_base *base);

enum op {
    PUT,
    REMOVE,
    RENEW
};
enum {
    NONE = 0,
    LAST = 1,
    WRONG = 2
}; /* which revision is given */

struct write_case {
    const char *about;
    enum op op;
    const char *name, *value;
    enum gw_store_when when;
    int which;
    enum gw_store_result result;
    bool is_new; /* a revision more */
};

/* clang-format off */
static const struct write_case write_cases[] = {
    {"create",                       PUT,    "a", "1", GW_WHEN_ABSENT,   NONE,  GW_STORE_OK,        true},
    {"create what is there",         PUT,    "a", "1", GW_WHEN_ABSENT,   NONE,  GW_STORE_EXISTS,    false},
    {"the same again",               PUT,    "a", "1", GW_WHEN_ANY,      NONE,  GW_STORE_OK,        false},
    {"the same, compared",           PUT,    "a", "1", GW_WHEN_REVISION, LAST,  GW_STORE_OK,        false},
    {"something else",               PUT,    "a", "2", GW_WHEN_ANY,      NONE,  GW_STORE_OK,        true},
    {"an old revision",              PUT,    "a", "3", GW_WHEN_REVISION, WRONG, GW_STORE_CONFLICT,  false},
    {"the stored revision",          PUT,    "a", "3", GW_WHEN_REVISION, LAST,  GW_STORE_OK,        true},
    {"replace",                      PUT,    "a", "4", GW_WHEN_PRESENT,  NONE,  GW_STORE_OK,        true},
    {"replace what is not there",    PUT,    "b", "1", GW_WHEN_PRESENT,  NONE,  GW_STORE_NOT_FOUND, false},
    {"compare with nothing",         PUT,    "b", "1", GW_WHEN_REVISION, WRONG, GW_STORE_NOT_FOUND, false},
    {"renew what is not there",      RENEW,  "b", "",  GW_WHEN_ANY,      NONE,  GW_STORE_NOT_FOUND, false},
    {"delete what is not there",     REMOVE, "b", "",  GW_WHEN_ANY,      NONE,  GW_STORE_NOT_FOUND, false},
    {"delete an old revision",       REMOVE, "a", "",  GW_WHEN_REVISION, WRONG, GW_STORE_CONFLICT,  false},
    {"renew without a change",       RENEW,  "a", "",  GW_WHEN_ANY,      NONE,  GW_STORE_OK,        false},
    {"renew another revision",       RENEW,  "a", "",  GW_WHEN_REVISION, WRONG, GW_STORE_CONFLICT,  false},
    {"renew the stored revision",    RENEW,  "a", "",  GW_WHEN_REVISION, LAST,  GW_STORE_OK,        false},
    {"delete the stored revision",   REMOVE, "a", "",  GW_WHEN_REVISION, LAST,  GW_STORE_OK,        true},
    {"delete twice",                 REMOVE, "a", "",  GW_WHEN_ANY,      NONE,  GW_STORE_NOT_FOUND, false},
    {"create again",                 PUT,    "a", "4", GW_WHEN_ABSENT,   NONE,  GW_STORE_OK,        true},
    {"delete as lost what is there", REMOVE, "a", "",  GW_WHEN_ABSENT,   NONE,  GW_STORE_CONFLICT,  false},
    {"delete whatever is there",     REMOVE, "a", "",  GW_WHEN_ANY,      NONE,  GW_STORE_OK,        true},
    {"delete as lost: it is told",   REMOVE, "a", "",  GW_WHEN_ABSENT,   NONE,  GW_STORE_OK,        true},
};
/* clang-format on */

static struct told
do_case(struct watcher *w, const struct write_case *c, const char *key, uint64_t revision)
{
    if (c->op == REMOVE) {
        return remove_with(w, key, c->when, revision);
    }
    if (c->op == RENEW) {
        return renew_with(w, key, revision, 60000);
    }
    struct gw_object *o = config_map(c->name, c->value);
    struct told told = put_with(w, o, c->when, revision, 0);
    gw_object_unref(o);
    return told;
}

/* What a write that went well has done. */
static void
check_effect(const struct watcher *w, const struct write_case *c, const char *key,
             const struct told *t, uint64_t last)
{
    const struct gw_object *o = watcher_get(w, key);

    assert_int_equal(t->answer.revision, last);
    if (c->is_new) {
        assert_true(t->seen_revision >= last); /* live before it is answered */
    }
    if (c->op == REMOVE) {
        assert_null(o);
    } else if (c->op == PUT) {
        assert_non_null(o);
        assert_string_equal(value_of(o), c->value);
        assert_int_equal(o->revision, last);
    }
}

static void
case_writes(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct watcher other;
    uint64_t last = 0;  /* revision of "a" */
    uint64_t store = 0; /* of all */

    (void)state;
    open_store(&w, base);
    open_store(&other, base);
    WAIT_FOR(base, w.lists > 0 && other.lists > 0);
    for (size_t i = 0; i < sizeof(write_cases) / sizeof(write_cases[0]); i++) {
        const struct write_case *c = &write_cases[i];
        char key[64];

        (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", c->name);
        struct told t = do_case(&w, c, key,
                                c->which == LAST    ? last
                                : c->which == WRONG ? last + 1000
                                                    : 0);
        if (t.answer.result != c->result) {
            fail_msg("%s: result %d, not %d (%s)", c->about, t.answer.result, c->result, t.text);
        }
        assert_true(c->result == GW_STORE_OK || t.text[0] != '\0');
        if (c->is_new) {
            last = ++store;
        }
        if (c->result == GW_STORE_OK) {
            check_effect(&w, c, key, &t, last);
        }
        WAIT_FOR(base, other.revision == store); /* and so everywhere */
        assert_int_equal(gw_map_count(other.objects), gw_map_count(w.objects));
    }
    watcher_close(&w);
    watcher_close(&other);
    event_base_free(base);
}

/* What is put is what is stored, but for three members of metadata. */
static void
case_content(void **state)
{
    static const char *const texts[] = {
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n','namespace':'t','labels':"
        "{'a':'b'}},'data':{'quote':'\\'metadata\\':{\\\\','uni':'\\u00e4\\ud83d\\ude00','nl':"
        "'a\\nb'},'n':[1,-1,1.5,1e300,9007199254740993,0.1,[],{},null,true]}",
        "{'metadata':{'name':'system:a b','uid':'mine','creationTimestamp':'then',"
        "'resourceVersion':'77','annotations':{}},'kind':'GlobalRole','rules':[],'apiVersion':"
        "'iam.kubesphere.io/v1beta1','status':{'metadata':{'resourceVersion':'x'}}}",
    };
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gw_object *o = object_of(texts[i]);
        struct told told = put_with(&w, o, GW_WHEN_ABSENT, 0, 0);
        assert_int_equal(told.answer.result, GW_STORE_OK);
        const struct gw_object *stored = watcher_get(&w, o->key);
        assert_non_null(stored);
        assert_int_equal(strlen(metadata(stored, "uid")), 36);
        assert_int_equal(strlen(metadata(stored, "creationTimestamp")),
                         sizeof("2026-11-23T08:43:08Z") - 1 +
                             (strchr(metadata(stored, "creationTimestamp"), '.') ? 4 : 0));
        assert_int_equal(stored->revision, told.answer.revision);
        char *a = gw_object_bare(o);
        char *b = gw_object_bare(stored);
        assert_string_equal(a, b);
        free(a);
        free(b);

        /* replaced: still the same object */
        char *uid = gw_mem_strdup(metadata(stored, "uid"));
        char *created = gw_mem_strdup(metadata(stored, "creationTimestamp"));
        json_t *json = gw_object_json(o);
        (void)json_object_set_new(json, "more", json_true());
        struct gw_diag diag = {0};
        struct gw_object *changed = gw_object_new(json, NULL, &diag);
        assert_int_equal(put_with(&w, changed, GW_WHEN_PRESENT, 0, 0).answer.result, GW_STORE_OK);
        stored = watcher_get(&w, o->key);
        assert_true(json_is_true(json_object_get(json_of(stored), "more")));
        assert_string_equal(metadata(stored, "uid"), uid);
        assert_string_equal(metadata(stored, "creationTimestamp"), created);
        assert_int_equal(remove_with(&w, o->key, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
        free(uid);
        free(created);
        json_decref(json);
        gw_object_unref(changed);
        gw_object_unref(o);
    }
    watcher_close(&w);
    event_base_free(base);
}

/* An object of almost a megabyte goes through. */
static void
case_big(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    size_t n = (1 << 20) - 500;
    char *value = gw_mem_alloc(n + 1);

    (void)state;
    memset(value, 'x', n);
    open_store(&w, base);
    (void)put_value(&w, "big", value);
    assert_string_equal(value_of(watcher_get(&w, "/ConfigMap/test/big")), value);
    (void)remove_with(&w, "/ConfigMap/test/big", GW_WHEN_ANY, 0);
    free(value);
    watcher_close(&w);
    event_base_free(base);
}

/* Both read one revision, both write: exactly one wins each round. */
static void
case_race(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w[2];
    struct told told[2];

    (void)state;
    open_store(&w[0], base);
    open_store(&w[1], base);
    uint64_t revision = put_value(&w[0], "race", "start");
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 2; i++) {
            char value[32];
            (void)snprintf(value, sizeof(value), "%d-%d", round, i);
            struct gw_object *o = config_map("race", value);
            struct gw_store_put put = {.object = o, .when = GW_WHEN_REVISION, .revision = revision};
            told[i] = (struct told){.by = &w[i]};
            w[i].driver->put(w[i].store, &put, on_told, &told[i]);
            gw_object_unref(o);
        }
        WAIT_FOR(base, told[0].done && told[1].done);
        int won = told[0].answer.result == GW_STORE_OK ? 0 : 1;
        assert_int_equal(told[won].answer.result, GW_STORE_OK);
        assert_int_equal(told[1 - won].answer.result, GW_STORE_CONFLICT);
        revision = told[won].answer.revision;
    }
    WAIT_FOR(base, w[0].revision == revision && w[1].revision == revision);
    assert_string_equal(value_of(watcher_get(&w[0], "/ConfigMap/test/race")),
                        value_of(watcher_get(&w[1], "/ConfigMap/test/race")));
    (void)remove_with(&w[0], "/ConfigMap/test/race", GW_WHEN_ANY, 0);
    watcher_close(&w[0]);
    watcher_close(&w[1]);
    event_base_free(base);
}

/* A lease that is renewed holds, one that is not ends, once, everywhere, with a revision. */
static void
case_lease(void **state)
{
    static const char key[] = "ksgate.io/Endpoint//e.1";
    struct event_base *base = event_base_new();
    struct gw_object *o = endpoint("e.1");
    struct watcher w;
    struct watcher other;

    (void)state;
    open_store(&w, base);
    open_store(&other, base);
    WAIT_FOR(base, other.lists > 0);
    uint64_t before = gw_clock_wall_ms();
    struct told t = put_with(&w, o, GW_WHEN_ANY, 0, 300);
    assert_int_equal(t.answer.result, GW_STORE_OK);
    assert_in_range(t.answer.lease_until_ms, before + 300 - 5, gw_clock_wall_ms() + 300 + 5);
    uint64_t revision = t.answer.revision;
    t = renew_with(&w, key, 0, 60000);
    assert_int_equal(t.answer.result, GW_STORE_OK);
    assert_in_range(t.answer.lease_until_ms, before + 60000 - 5, gw_clock_wall_ms() + 60005);
    assert_int_equal(t.answer.revision, revision);

    /* the first lease would have ended long ago */
    uint64_t end = gw_clock_mono_ms() + 1500;
    WAIT_FOR(base, gw_clock_mono_ms() > end);
    assert_non_null(watcher_get(&w, key));
    t = put_with(&w, o, GW_WHEN_ANY, 0, 200); /* the same content: only the lease is new */
    assert_int_equal(t.answer.revision, revision);
    WAIT_FOR(base, watcher_get(&w, key) == NULL && watcher_get(&other, key) == NULL);
    assert_int_equal(w.revision, revision + 1);
    assert_int_equal(other.revision, revision + 1);

    /* without a lease it stays; and a put without one takes it away */
    (void)put_with(&w, o, GW_WHEN_ANY, 0, 200);
    t = put_with(&w, o, GW_WHEN_ANY, 0, 0);
    assert_int_equal(t.answer.lease_until_ms, 0);
    end = gw_clock_mono_ms() + 1500;
    WAIT_FOR(base, gw_clock_mono_ms() > end);
    assert_non_null(watcher_get(&other, key));
    (void)remove_with(&w, key, GW_WHEN_ANY, 0);
    gw_object_unref(o);
    watcher_close(&w);
    watcher_close(&other);
    event_base_free(base);
}

/* What one writes is live on the other in well under 50 ms.  The median is asserted: a single
 * write may meet a busy machine. */
static int
by_size(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static void
case_fast(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct watcher other;
    uint64_t us[50];

    (void)state;
    open_store(&w, base);
    open_store(&other, base);
    WAIT_FOR(base, w.lists > 0 && other.lists > 0);
    for (int i = 0; i < 50; i++) {
        char value[16];
        (void)snprintf(value, sizeof(value), "%d", i);
        struct gw_object *o = config_map("fast", value);
        struct gw_store_put put = {.object = o, .when = GW_WHEN_ANY};
        struct told told = {0};
        uint64_t start = gw_clock_mono_us();
        w.driver->put(w.store, &put, on_told, &told);
        WAIT_FOR(base, strcmp(value_of(watcher_get(&other, o->key)), value) == 0);
        us[i] = gw_clock_mono_us() - start;
        WAIT_FOR(base, told.done);
        gw_object_unref(o);
    }
    qsort(us, 50, sizeof(us[0]), by_size);
    print_message("# put on one to live on the other: median %llu us, worst of 50 %llu us\n",
                  (unsigned long long)us[25], (unsigned long long)us[49]);
    assert_true(us[25] < 50000);
    (void)remove_with(&w, "/ConfigMap/test/fast", GW_WHEN_ANY, 0);
    watcher_close(&w);
    watcher_close(&other);
    event_base_free(base);
}

/* A list after many changes, and the order of what follows. */
static void
case_many(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct watcher late;

    (void)state;
    open_store(&w, base);
    for (int i = 0; i < 700; i++) { /* more than one batch of any driver */
        char name[16];
        (void)snprintf(name, sizeof(name), "m%d", i);
        (void)put_value(&w, name, "x");
    }
    open_store(&late, base);
    WAIT_FOR(base, late.lists == 1);
    assert_int_equal(gw_map_count(late.objects), 700);
    assert_int_equal(late.revision, w.revision);
    assert_string_equal(late.epoch, w.epoch);
    assert_true(late.epoch[0] != '\0');
    for (int i = 0; i < 700; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "/ConfigMap/test/m%d", i);
        assert_int_equal(remove_with(&w, key, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    }
    WAIT_FOR(base, gw_map_count(late.objects) == 0);
    assert_int_equal(late.lists, 1);
    watcher_close(&w);
    watcher_close(&late);
    event_base_free(base);
}

#define PAIR 600 /* with what stands between: more than one batch of any driver */

static struct told
put_all_with(struct watcher *w, struct gw_store_put *puts, size_t n)
{
    struct told told = {.by = w};

    w->driver->put_all(w->store, puts, n, on_told, &told);
    WAIT_FOR(w->base, told.done);
    return told;
}

/* The first and the last of those that are put together have always the same value. */
static void
no_half(struct watcher *w)
{
    const struct gw_object *first = watcher_get(w, "/ConfigMap/test/p0");
    const struct gw_object *last = watcher_get(w, "/ConfigMap/test/p599");

    assert_int_equal(first == NULL, last == NULL);
    if (first != NULL) {
        assert_string_equal(value_of(first), value_of(last));
    }
}

static void
fill_pair(struct gw_store_put *puts, int round)
{
    for (int i = 0; i < PAIR; i++) {
        char name[16];
        char value[16];

        (void)snprintf(name, sizeof(name), "p%d", i);
        (void)snprintf(value, sizeof(value), "%d", round);
        puts[i] = (struct gw_store_put){.object = config_map(name, value), .when = GW_WHEN_ANY};
    }
}

static void
free_pair(struct gw_store_put *puts)
{
    for (int i = 0; i < PAIR; i++) {
        union {
            const struct gw_object *given;
            struct gw_object *own;
        } o = {puts[i].object};

        gw_object_unref(o.own);
    }
}

/* Several in one step: all or none, and nobody is told of some of them. */
static void
case_together(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct watcher other;
    struct gw_store_put puts[PAIR];

    (void)state;
    open_store(&w, base);
    open_store(&other, base);
    w.after = no_half;
    other.after = no_half;
    WAIT_FOR(base, w.lists > 0 && other.lists > 0);
    for (int round = 0; round < 10; round++) {
        uint64_t before = w.revision;

        fill_pair(puts, round);
        struct told told = put_all_with(&w, puts, PAIR);
        assert_int_equal(told.answer.result, GW_STORE_OK);
        assert_int_equal(told.answer.revision, before + PAIR);
        assert_int_equal(told.seen_revision, told.answer.revision);
        if (round == 0) { /* the same again is nothing new */
            told = put_all_with(&w, puts, PAIR);
            assert_int_equal(told.answer.result, GW_STORE_OK);
            assert_int_equal(w.revision, before + PAIR);
        }
        free_pair(puts);
    }
    fill_pair(puts, 77);
    puts[300].when = GW_WHEN_ABSENT;
    struct told told = put_all_with(&w, puts, PAIR);
    assert_int_equal(told.answer.result, GW_STORE_EXISTS);
    assert_int_equal(told.answer.refused, 300);
    puts[300].when = GW_WHEN_ANY;
    puts[0].when = GW_WHEN_REVISION;
    puts[0].revision = 1;
    told = put_all_with(&w, puts, PAIR);
    assert_int_equal(told.answer.result, GW_STORE_CONFLICT);
    assert_int_equal(told.answer.refused, 0);
    free_pair(puts);
    WAIT_FOR(base, other.revision == w.revision);
    assert_string_equal(value_of(watcher_get(&other, "/ConfigMap/test/p0")), "9");
    assert_string_equal(value_of(watcher_get(&other, "/ConfigMap/test/p1")), "9");
    for (int i = 0; i < PAIR; i++) {
        char key[64];

        (void)snprintf(key, sizeof(key), "/ConfigMap/test/p%d", i);
        w.after = NULL;
        other.after = NULL;
        assert_int_equal(remove_with(&w, key, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    }
    watcher_close(&w);
    watcher_close(&other);
    event_base_free(base);
}

/* TEST(name): how one of them is run, with an empty store. */
#define STORE_CASES(TEST)                                                                     \
    TEST(case_writes), TEST(case_content), TEST(case_big), TEST(case_race), TEST(case_lease), \
        TEST(case_fast), TEST(case_many), TEST(case_together)

#endif
