/* sync.c - the registry as the gateway sees it: what it knows, keeps, merges and tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "registry/settle.h"
#include "registry/sum.h"
#include "registry/sync.h"
#include "t/lib/redis_server.h"
#include "t/lib/registry_watcher.h"

/* The owner of a gw_sync: what its batches add up to. */
struct gate {
    struct event_base *base;
    struct gw_sync *sync;
    struct gw_map *objects; /* key to object, a reference each */
    size_t batches, resets, changes;
    uint64_t revision;
    struct gw_sum sum; /* kept from batch to batch */
};

struct paths {
    char folder[64], db[96], snapshot[96], files[96];
    const char *file_list[2];
    struct gw_registry_settings settings;
};

/* What was kept is what all objects add up to. */
static void
check_sum(const struct gate *g)
{
    struct gw_sum all = {0};
    size_t at = 0;
    void *o;

    while (gw_map_next(g->objects, &at, NULL, &o)) {
        gw_sum_add(&all, o);
    }
    assert_memory_equal(&g->sum, &all, sizeof(all));
}

static void
on_batch(void *owner, const struct gw_change *changes, size_t n, uint64_t revision, bool reset)
{
    struct gate *g = owner;

    if (reset) {
        gw_map_free(g->objects, watcher_unref);
        g->objects = gw_map_new();
        g->sum = (struct gw_sum){0};
        g->resets++;
    }
    gw_sum_change(&g->sum, changes, n);
    for (size_t i = 0; i < n; i++) {
        struct gw_str key = gw_str_of(changes[i].key);
        if (changes[i].object != NULL) {
            gw_object_unref(gw_map_put(g->objects, key, gw_object_ref(changes[i].object)));
        } else {
            gw_object_unref(gw_map_take(g->objects, key));
        }
    }
    g->batches++;
    g->changes += n;
    g->revision = revision;
    check_sum(g);
}

static void
gate_open(struct gate *g, struct event_base *base, const struct paths *p)
{
    struct gw_diag diag = {0};

    *g = (struct gate){.base = base, .objects = gw_map_new()};
    g->sync = gw_sync_open(&p->settings, base, on_batch, g, &diag);
    if (g->sync == NULL) {
        fail_msg("%s", gw_diag_first(&diag));
    }
}

static void
gate_close(struct gate *g)
{
    gw_sync_close(g->sync);
    gw_map_free(g->objects, watcher_unref);
}

static enum gw_sync_state
state_of(const struct gate *g)
{
    struct gw_sync_status status;

    gw_sync_status(g->sync, &status);
    return status.state;
}

static bool
knows(const struct gate *g, const char *name)
{
    char key[96];

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    return gw_map_get(g->objects, gw_str_of(key)) != NULL;
}

static const char *
value_at(const struct gate *g, const char *name)
{
    char key[96];

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    return value_of(gw_map_get(g->objects, gw_str_of(key)));
}

static struct told
put_object(struct gate *g, struct gw_object *o, enum gw_store_when when, uint64_t revision)
{
    struct told told = {0};
    struct gw_store_put put = {.object = o, .when = when, .revision = revision};

    gw_sync_put(g->sync, &put, on_told, &told);
    WAIT_FOR(g->base, told.done);
    return told;
}

static struct told
put_config(struct gate *g, const char *name, const char *value)
{
    struct gw_object *o = config_map(name, value);
    struct told told = put_object(g, o, GW_WHEN_ANY, 0);

    gw_object_unref(o);
    return told;
}

static struct told
remove_config(struct gate *g, const char *name, enum gw_store_when when, uint64_t revision)
{
    char key[96];
    struct told told = {0};

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    gw_sync_remove(g->sync, key, when, revision, on_told, &told);
    WAIT_FOR(g->base, told.done);
    return told;
}

static int
make_paths(void **state)
{
    struct paths *p = gw_mem_alloc(sizeof(*p));

    (void)snprintf(p->folder, sizeof(p->folder), "%s", temp_folder());
    (void)snprintf(p->db, sizeof(p->db), "%s/registry.db", p->folder);
    (void)snprintf(p->snapshot, sizeof(p->snapshot), "%s/snapshot", p->folder);
    (void)snprintf(p->files, sizeof(p->files), "%s/objects.yaml", p->folder);
    p->file_list[0] = p->files;
    p->settings =
        (struct gw_registry_settings){.sqlite = {.path = p->db},
                                      .redis = {.prefix = "{ksgate}:", .timeout_ms = 2000},
                                      .snapshot = p->snapshot};
    *state = p;
    return 0;
}

static int
drop_paths(void **state)
{
    struct paths *p = *state;

    remove_folder(p->folder);
    free(p);
    return 0;
}

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

struct names {
    char text[256];
};

static void
add_name(void *arg, struct gw_object *o)
{
    struct names *n = arg;
    size_t at = strlen(n->text);

    (void)snprintf(n->text + at, sizeof(n->text) - at, "%s/%s ", o->ns, o->name);
}

/* From nothing: starting, fresh and empty, written, read, deleted; each live when answered. */
static void
test_life(void **state)
{
    struct event_base *base = event_base_new();
    struct gate g;
    struct gw_sync_status status;
    struct names names = {0};

    gate_open(&g, base, *state);
    assert_int_equal(state_of(&g), GW_SYNC_STARTING);
    assert_int_equal(g.batches, 0);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_int_equal(g.batches, 1); /* empty, and known to be so */
    assert_int_equal(g.resets, 1);

    struct gw_object *b = config_map("b", "1");
    struct gw_store_put put = {.object = b, .when = GW_WHEN_ANY};
    struct told told = {0};
    gw_sync_put(g.sync, &put, on_told, &told);
    WAIT_FOR(base, told.done);
    assert_true(knows(&g, "b"));
    assert_int_equal(g.revision, told.answer.revision);
    gw_object_unref(b);
    (void)put_config(&g, "a", "1");
    struct gw_object *o = object_of("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'z',"
                                    "'namespace':'other'}}");
    (void)put_object(&g, o, GW_WHEN_ANY, 0);
    gw_object_unref(o);
    const struct gw_kind *kind = gw_kind_find(GW_STR(""), GW_STR("ConfigMap"));
    gw_sync_list(g.sync, kind, GW_STR_NONE, add_name, &names);
    assert_string_equal(names.text, "other/z test/a test/b ");
    names.text[0] = '\0';
    gw_sync_list(g.sync, kind, GW_STR("test"), add_name, &names);
    assert_string_equal(names.text, "test/a test/b ");
    names.text[0] = '\0';
    gw_sync_list(g.sync, gw_kind_find(GW_STR(""), GW_STR("Secret")), GW_STR_NONE, add_name, &names);
    assert_string_equal(names.text, "");
    o = gw_sync_get(g.sync, "/ConfigMap/test/a");
    assert_non_null(o);
    assert_string_equal(value_of(o), "1");
    assert_int_equal(remove_config(&g, "a", GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(o);
    assert_false(knows(&g, "a"));
    assert_null(gw_sync_get(g.sync, "/ConfigMap/test/a"));
    gw_sync_status(g.sync, &status);
    assert_int_equal(status.objects, 2);
    assert_int_equal(status.revision, 4);
    assert_string_equal(status.text, "");
    assert_int_equal(g.resets, 1);
    gate_close(&g);
    event_base_free(base);
}

/* A restart: the last state is there before the store is, and nothing is told twice. */
static void
test_restart(void **state)
{
    struct event_base *base = event_base_new();
    struct gate g;

    gate_open(&g, base, *state);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    gate_close(&g);
    gate_open(&g, base, *state);
    assert_int_equal(g.resets, 1);
    assert_true(knows(&g, "a") && knows(&g, "b"));
    assert_int_equal(state_of(&g), GW_SYNC_STALE);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_int_equal(g.batches, 1); /* the store had nothing new to say */
    gate_close(&g);

    /* a snapshot that is broken is as good as none */
    write_file(((struct paths *)*state)->snapshot, "ksgate-snapshot 1 5 0000\nrubbish");
    gate_open(&g, base, *state);
    assert_int_equal(g.batches, 0);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_true(knows(&g, "a") && knows(&g, "b"));
    gate_close(&g);
    event_base_free(base);
}

/* The snapshot is written while it runs, not only at the end. */
static void
test_saves_while_running(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;

    gate_open(&g, base, p);
    (void)put_config(&g, "a", "1");
    WAIT_FOR(base, access(p->snapshot, R_OK) == 0);
    struct gate second = {0}; /* a store that can't be opened: told, and no batch was given */
    struct paths copy = *p;
    copy.settings.sqlite.path = "/proc/nonexistent/registry.db";
    struct gw_diag diag = {0};
    assert_null(gw_sync_open(&copy.settings, base, on_batch, &second, &diag));
    assert_non_null(strstr(gw_diag_first(&diag), "can't be opened"));
    assert_int_equal(second.batches, 0);
    gw_diag_fini(&diag);
    gate_close(&g);
    event_base_free(base);
}

#define OBJECT(name, value)                                        \
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name \
    ", namespace: test}\ndata: {value: '" value "'}\n"

/* Files win, are read-only, and give the store its objects back when they go. */
static void
test_files_win(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;

    p->settings.files = p->file_list;
    write_file(p->files, OBJECT("a", "file") OBJECT("f", "file"));
    gate_open(&g, base, p);
    assert_string_equal(value_at(&g, "a"), "file"); /* at once, without the store */
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    struct told t = put_config(&g, "a", "store");
    assert_int_equal(t.answer.result, GW_STORE_READ_ONLY);
    assert_non_null(strstr(t.text, "registry.files"));
    assert_int_equal(remove_config(&g, "a", GW_WHEN_ANY, 0).answer.result, GW_STORE_READ_ONLY);
    assert_int_equal(put_config(&g, "s", "store").answer.result, GW_STORE_OK);

    /* the store gets an object of that name from elsewhere: hidden, until the file lets go */
    struct watcher w;
    watcher_open(&w, &gw_store_sqlite, &p->settings.sqlite, base);
    uint64_t revision = put_value(&w, "a", "store");
    struct gw_sync_status status;
    do {
        turn(base);
        gw_sync_status(g.sync, &status);
    } while (status.revision < revision);
    assert_string_equal(value_at(&g, "a"), "file");
    assert_int_equal(status.objects, 3);
    struct gw_object *o = gw_sync_get(g.sync, "/ConfigMap/test/a");
    assert_string_equal(value_of(o), "file");
    gw_object_unref(o);
    write_file(p->files, OBJECT("f", "changed"));
    WAIT_FOR(base, strcmp(value_at(&g, "f"), "changed") == 0);
    assert_string_equal(value_at(&g, "a"), "store");
    write_file(p->files, OBJECT("f", "broken") "  - [");
    write_file(p->files, OBJECT("f", "mended"));
    WAIT_FOR(base, strcmp(value_at(&g, "f"), "mended") == 0);
    assert_int_equal(unlink(p->files), 0);
    WAIT_FOR(base, !knows(&g, "f"));
    assert_true(knows(&g, "a") && knows(&g, "s"));
    watcher_close(&w);
    gate_close(&g);
    event_base_free(base);
}

static int
need_redis(void)
{
    if (!redis_server_is_installed()) {
        print_message("# /usr/bin/redis-server is not installed\n");
        skip();
    }
    return 1;
}

/* Redis is down: a gateway that starts serves what was; it comes back; changes made by another
 * gateway meanwhile arrive. */
static void
test_redis_down_at_start(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gate g;
    struct gate other;
    struct paths other_paths = *p;

    (void)need_redis();
    redis_server_start(&server, p->folder, "--appendonly", "yes");
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    (void)put_config(&g, "a", "1");
    gate_close(&g);
    redis_server_stop(&server, SIGTERM);

    gate_open(&g, base, p);
    assert_true(knows(&g, "a"));
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE);
    assert_int_equal(put_config(&g, "b", "1").answer.result, GW_STORE_UNAVAILABLE);
    redis_server_start(&server, server.folder, "--appendonly", "yes");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_int_equal(g.batches, 1);

    other_paths.settings = p->settings;
    other_paths.settings.snapshot = NULL;
    gate_open(&other, base, &other_paths);
    WAIT_FOR(base, state_of(&other) == GW_SYNC_FRESH);
    assert_int_equal(put_config(&other, "c", "1").answer.result, GW_STORE_OK);
    WAIT_FOR(base, knows(&g, "c"));
    gate_close(&other);
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

/* FLUSHALL: everything is kept; endpoints that register anew change nothing about that; what is
 * written again is kept; what is deleted goes; the rest goes when nobody has written for a while.
 */
static void
test_wiped(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gw_sync_status status;
    struct gate g;
    struct gw_object *e = endpoint("x.1");

    (void)need_redis();
    redis_server_start(&server, p->folder, NULL, NULL);
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    (void)put_config(&g, "c", "1");
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE);
    gw_sync_status(g.sync, &status);
    assert_non_null(strstr(status.text, "3 objects that it does not have are kept"));
    assert_true(knows(&g, "a") && knows(&g, "b") && knows(&g, "c"));

    assert_int_equal(put_object(&g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(gw_map_count(g.objects), 4);

    /* a restart in the middle of it: still the same */
    gate_close(&g);
    gate_open(&g, base, p);
    assert_int_equal(gw_map_count(g.objects), 4);
    WAIT_FOR(base, strstr((gw_sync_status(g.sync, &status), status.text), "3 objects") != NULL);
    assert_int_equal(gw_map_count(g.objects), 4);

    /* a reader that replaces what it read; one that deletes what it read */
    struct gw_object *o = gw_sync_get(g.sync, "/ConfigMap/test/a");
    struct gw_object *changed = config_map("a", "2");
    assert_int_equal(put_object(&g, changed, GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(put_object(&g, changed, GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(changed);
    gw_object_unref(o);
    assert_int_equal(remove_config(&g, "c", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_false(knows(&g, "c"));
    assert_true(knows(&g, "b"));
    assert_int_equal(state_of(&g), GW_SYNC_STALE);

    uint64_t start = gw_clock_mono_ms();
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_true(gw_clock_mono_ms() - start > 1000);
    assert_false(knows(&g, "b"));
    assert_string_equal(value_at(&g, "a"), "2");
    assert_int_equal(gw_map_count(g.objects), 2);
    assert_int_equal(g.resets, 1);
    gw_object_unref(e);
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

/* Put back to an older state of itself, so that the epoch is the same: also a gateway that starts
 * then knows that what is missing was lost, and not deleted. */
static void
test_put_back_and_restart(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gw_sync_status status;
    struct gate g;

    (void)need_redis();
    redis_server_start(&server, p->folder, NULL, NULL);
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    REDIS_DO(&server, "EVAL",
             "redis.call('DEL', '{ksgate}:changes') redis.call('SET', '{ksgate}:revision', 1) "
             "return redis.call('HDEL', '{ksgate}:objects', '/ConfigMap/test/b')",
             "0");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE);
    assert_true(knows(&g, "a") && knows(&g, "b"));

    gate_close(&g);
    gate_open(&g, base, p);
    WAIT_FOR(base, strstr((gw_sync_status(g.sync, &status), status.text), "1 objects") != NULL);
    assert_true(knows(&g, "a") && knows(&g, "b"));
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

/* Time passes, as it does for everybody. */
static void
turn_for(struct event_base *base, uint64_t ms)
{
    for (uint64_t end = gw_clock_mono_ms() + ms; gw_clock_mono_ms() < end;) {
        turn(base);
    }
}

/* Wiped again before it has settled: what was decided in the store that is lost decides nothing.
 * And once all that people write is back, endpoints still have their own, longer time. */
static void
test_wiped_twice(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gate g;
    struct gw_object *e = endpoint("x.1");

    (void)need_redis();
    redis_server_start(&server, p->folder, NULL, NULL);
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    (void)put_object(&g, e, GW_WHEN_ANY, 0);
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE);
    (void)put_config(&g, "a", "2");
    uint64_t revision = g.revision;
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, g.revision < revision);
    turn_for(base, GW_SETTLE_MS + 500);
    assert_true(knows(&g, "a") && knows(&g, "b"));

    (void)put_config(&g, "a", "2");
    (void)put_config(&g, "b", "1");
    turn_for(base, GW_SETTLE_MS + 500);
    assert_non_null(gw_map_get(g.objects, GW_STR("ksgate.io/Endpoint//x.1")));
    assert_int_equal(state_of(&g), GW_SYNC_STALE);
    assert_int_equal(put_object(&g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(state_of(&g), GW_SYNC_FRESH);
    gw_object_unref(e);
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

/* Who deletes what a wiped store does not have any more deletes it for all gateways. */
static void
delete_for_all(struct event_base *base, struct gate *g, struct gate *other)
{
    (void)put_config(g, "c", "1"); /* so that it is a store again */
    WAIT_FOR(base, knows(other, "c"));
    struct gw_object *o = gw_sync_get(g->sync, "/ConfigMap/test/a");
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(o);
    assert_false(knows(g, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE);
    WAIT_FOR(base, !knows(other, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE); /* not settled, but told */
    assert_true(knows(g, "b") && knows(other, "b"));
    assert_int_equal(remove_config(other, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    WAIT_FOR(base, !knows(g, "b"));
    assert_int_equal(state_of(g), GW_SYNC_FRESH);
    assert_int_equal(remove_config(g, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_NOT_FOUND);
}

static void
test_delete_of_lost(void **state)
{
    struct paths *p = *state;
    struct paths other_paths = *p;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gate g;
    struct gate other;

    (void)need_redis();
    redis_server_start(&server, p->folder, NULL, NULL);
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    other_paths.settings = p->settings;
    other_paths.settings.snapshot = NULL;
    gate_open(&g, base, p);
    gate_open(&other, base, &other_paths);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH && state_of(&other) == GW_SYNC_FRESH);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    WAIT_FOR(base, knows(&other, "b"));
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE && state_of(&other) == GW_SYNC_STALE);
    delete_for_all(base, &g, &other);
    gate_close(&other);
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

/* Killed before the end of what was lost was on disk: what was deleted meanwhile does not come
 * back, by whichever store. */
static void
restart_from_old_snapshot(struct event_base *base, struct gate *g, const struct paths *p)
{
    char old[128];

    (void)snprintf(old, sizeof(old), "%s.old", p->snapshot);
    (void)put_config(g, "c", "1");
    assert_int_equal(remove_config(g, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    gate_close(g);
    assert_int_equal(rename(old, p->snapshot), 0);
    gate_open(g, base, p);
    assert_true(knows(g, "a") && knows(g, "b"));
    WAIT_FOR(base, knows(g, "c"));
    WAIT_FOR(base, !knows(g, "a"));
    assert_true(knows(g, "b")); /* lost, and nobody has said anything of it */
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

static void
start_with_old_snapshot(struct event_base *base, struct gate *g, const struct paths *p)
{
    char old[128];

    (void)snprintf(old, sizeof(old), "%s.old", p->snapshot);
    gate_open(g, base, p);
    WAIT_FOR(base, state_of(g) == GW_SYNC_FRESH);
    (void)put_config(g, "a", "1");
    (void)put_config(g, "b", "1");
    gate_close(g);
    assert_int_equal(link(p->snapshot, old), 0);
}

static void
test_old_snapshot_redis(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct redis_server server = {0};
    struct gate g;

    (void)need_redis();
    redis_server_start(&server, p->folder, NULL, NULL);
    p->settings.driver = 1;
    p->settings.redis.url = server.url;
    start_with_old_snapshot(base, &g, p);
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    REDIS_DO(&server, "FLUSHALL");
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE);
    restart_from_old_snapshot(base, &g, p);
    gate_close(&g);
    redis_server_stop(&server, SIGKILL);
    event_base_free(base);
}

static void
test_old_snapshot_sqlite(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;

    start_with_old_snapshot(base, &g, p);
    assert_int_equal(unlink(p->db), 0);
    gate_open(&g, base, p);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_STALE && g.revision == 0);
    restart_from_old_snapshot(base, &g, p);
    gate_close(&g);
    event_base_free(base);
}

/* Another database in its place: what both have is compared, the rest is kept and settles. */
static void
test_replaced_file(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;
    struct gw_buf command = {0};

    gate_open(&g, base, p);
    (void)put_config(&g, "a", "1");
    gw_buf_printf(&command, "cp '%s' '%s.backup'", p->db, p->db);
    gate_close(&g);
    assert_int_equal(system(command.p), 0); /* closed: all is in the one file */
    gate_open(&g, base, p);
    (void)put_config(&g, "a", "2");
    (void)put_config(&g, "b", "1");
    gate_close(&g);
    gw_buf_reset(&command);
    gw_buf_printf(&command, "rm -f '%s'-* && mv '%s.backup' '%s'", p->db, p->db, p->db);
    assert_int_equal(system(command.p), 0);

    gate_open(&g, base, p); /* the restored backup: the same epoch, an older revision */
    WAIT_FOR(base, strcmp(value_at(&g, "a"), "1") == 0);
    assert_int_equal(state_of(&g), GW_SYNC_STALE);
    assert_true(knows(&g, "b"));
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_false(knows(&g, "b"));
    gw_buf_fini(&command);
    gate_close(&g);
    event_base_free(base);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_paths, drop_paths)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life),
        TEST(test_restart),
        TEST(test_saves_while_running),
        TEST(test_files_win),
        TEST(test_wiped),
        TEST(test_redis_down_at_start),
        TEST(test_replaced_file),
        TEST(test_wiped_twice),
        TEST(test_delete_of_lost),
        TEST(test_put_back_and_restart),
        TEST(test_old_snapshot_redis),
        TEST(test_old_snapshot_sqlite),

    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
