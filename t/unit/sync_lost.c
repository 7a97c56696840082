/* sync_lost.c - the registry as the gateway sees it while its store is away, wiped, replaced or set
 * back: nothing is lost that somebody wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/settle.h"
#include "t/lib/redis_server.h"
#include "t/lib/registry_gate.h"

#define BACK_UP                                                           \
    "for _, k in ipairs({'epoch', 'revision', 'objects', 'changes'}) do " \
    "redis.call('COPY', '{ksgate}:' .. k, 'backup:' .. k) end"
#define PUT_BACK                                                          \
    "for _, k in ipairs({'epoch', 'revision', 'objects', 'changes'}) do " \
    "redis.call('RENAME', 'backup:' .. k, '{ksgate}:' .. k) end"

/* What a case has: an empty folder, a gateway's registry, and what it asks for of the rest.  What
 * is there at its end, however it ends, is closed. */
struct lost {
    struct paths *paths;
    struct event_base *base;
    struct gate g;              /* closed at first */
    struct gate other;          /* another gateway of the same store; closed at first */
    struct paths other_paths;   /* where that is: it has no state on disk */
    struct redis_server server; /* runs from keep_in_redis() on */
};

static int
set_up(void **state)
{
    struct lost *l = gw_mem_alloc(sizeof(*l));
    void *paths = NULL;

    (void)make_paths(&paths);
    l->paths = paths;
    l->base = event_base_new();
    *state = l;
    return 0;
}

static int
tear_down(void **state)
{
    struct lost *l = *state;
    void *paths = l->paths;

    if (l->other.sync != NULL) {
        gate_close(&l->other);
    }
    if (l->g.sync != NULL) {
        gate_close(&l->g);
    }
    redis_server_stop(&l->server, SIGKILL);
    event_base_free(l->base);
    (void)drop_paths(&paths);
    free(l);
    return 0;
}

#define LOST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* From now on its registry is in a Redis of this test; skips the test where there is none.  name
 * and value: as redis_server_start() takes them. */
static void
keep_in_redis(struct lost *l, const char *name, const char *value)
{
    if (!redis_server_is_installed()) {
        print_message("# /usr/bin/redis-server is not installed\n");
        skip();
    }
    redis_server_start(&l->server, l->paths->folder, name, value);
    l->paths->settings.driver = 1;
    l->paths->settings.redis.url = l->server.url;
}

static void
open_again(struct lost *l)
{
    gate_open(&l->g, l->base, l->paths);
}

static void
open_fresh(struct lost *l)
{
    open_again(l);
    WAIT_FOR(l->base, state_of(&l->g) == GW_SYNC_FRESH);
}

static void
open_other(struct lost *l)
{
    l->other_paths = *l->paths;
    l->other_paths.settings.snapshot = NULL;
    gate_open(&l->other, l->base, &l->other_paths);
    WAIT_FOR(l->base, state_of(&l->other) == GW_SYNC_FRESH);
}

static void
put_a_and_b(struct lost *l)
{
    (void)put_config(&l->g, "a", "1");
    (void)put_config(&l->g, "b", "1");
}

/* The store is a Redis, and holds a and b. */
static void
begin_in_redis(struct lost *l)
{
    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    put_a_and_b(l);
}

/* Redis has lost all, and the gateways that are there know it. */
static void
wipe(struct lost *l)
{
    REDIS_DO(&l->server, "FLUSHALL");
    WAIT_FOR(l->base, state_of(&l->g) == GW_SYNC_STALE);
    WAIT_FOR(l->base, l->other.sync == NULL || state_of(&l->other) == GW_SYNC_STALE);
}

/* Two gateways have a and b, which are lost. */
static void
begin_with_two(struct lost *l)
{
    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    open_other(l);
    put_a_and_b(l);
    WAIT_FOR(l->base, knows(&l->other, "b"));
    wipe(l);
}

/* Redis is down: a gateway that starts serves what was; it comes back; changes made by another
 * gateway meanwhile arrive. */
static void
test_redis_down_at_start(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, "--appendonly", "yes");
    open_fresh(l);
    (void)put_config(g, "a", "1");
    gate_close(g);
    redis_server_stop(&l->server, SIGTERM);

    open_again(l);
    assert_true(knows(g, "a"));
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE);
    assert_int_equal(put_config(g, "b", "1").answer.result, GW_STORE_UNAVAILABLE);
    redis_server_start(&l->server, l->server.folder, "--appendonly", "yes");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_int_equal(g->batches, 1);

    open_other(l);
    assert_int_equal(put_config(&l->other, "c", "1").answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, knows(g, "c"));
}

/* FLUSHALL: everything is kept; endpoints that register anew change nothing about that; what is
 * written again is kept; what is deleted goes; the rest goes when nobody has written for a while.
 */
static void
test_wiped(void **state)
{
    struct lost *l = *state;
    struct gw_sync_status status;
    struct gate *g = &l->g;
    struct gw_object *e = endpoint("x.1");

    begin_in_redis(l);
    (void)put_config(g, "c", "1");
    wipe(l);
    gw_sync_status(g->sync, &status);
    assert_non_null(strstr(status.text, "3 objects that it does not have are kept"));
    assert_true(knows(g, "a") && knows(g, "b") && knows(g, "c"));

    assert_int_equal(put_object(g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(gw_map_count(g->objects), 4);

    /* a restart in the middle of it: still the same */
    gate_close(g);
    open_again(l);
    assert_int_equal(gw_map_count(g->objects), 4);
    WAIT_FOR(l->base, strstr((gw_sync_status(g->sync, &status), status.text), "3 objects") != NULL);
    assert_int_equal(gw_map_count(g->objects), 4);

    /* a reader that replaces what it read; one that deletes what it read */
    struct gw_object *o = gw_sync_get(g->sync, "/ConfigMap/test/a");
    struct gw_object *changed = config_map("a", "2");
    assert_int_equal(put_object(g, changed, GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(put_object(g, changed, GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(changed);
    gw_object_unref(o);
    assert_int_equal(remove_config(g, "c", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_false(knows(g, "c"));
    assert_true(knows(g, "b"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);

    uint64_t start = gw_clock_mono_ms();
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_true(gw_clock_mono_ms() - start > 1000);
    assert_false(knows(g, "b"));
    assert_string_equal(value_at(g, "a"), "2");
    assert_int_equal(gw_map_count(g->objects), 2);
    assert_int_equal(g->resets, 1);
    gw_object_unref(e);
}

/* The first that a registry hears after it was wiped is that something lost is to go: it goes. */
static void
test_wiped_and_deleted(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    begin_in_redis(l);
    wipe(l);
    assert_int_equal(remove_config(g, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, !knows(g, "a"));
}

static bool
is_said_to_be_away(struct gate *g)
{
    struct gw_sync_status status;

    gw_sync_status(g->sync, &status);
    return strcmp(status.text, "the registry was not reached yet") != 0;
}

/* What files hold is given at once, and is not what is registered: that is known when the store was
 * listed, if there is nothing in it, too. */
static void
test_files_are_not_the_store(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, "--appendonly", "no");
    redis_server_stop(&l->server, SIGTERM);
    l->paths->settings.files = l->paths->file_list;
    write_file(l->paths->files, OBJECT("a", "file"));
    open_again(l);
    assert_string_equal(value_at(g, "a"), "file");
    assert_false(g->known);
    WAIT_FOR(l->base, is_said_to_be_away(g));
    assert_int_equal(state_of(g), GW_SYNC_STARTING);
    write_file(l->paths->files, OBJECT("a", "changed"));
    WAIT_FOR(l->base, strcmp(value_at(g, "a"), "changed") == 0);
    assert_false(g->known);
    redis_server_start(&l->server, l->server.folder, "--appendonly", "no");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_true(g->known);
    assert_int_equal(g->resets, 1);
    assert_string_equal(value_at(g, "a"), "changed");
    redis_server_stop(&l->server, SIGTERM);
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE);
    assert_true(g->known);
}

/* Put back to an older state of itself, so that the epoch is the same: also a gateway that starts
 * then knows that what is missing was lost, and not deleted. */
static void
test_put_back_and_restart(void **state)
{
    struct lost *l = *state;
    struct gw_sync_status status;
    struct gate *g = &l->g;

    begin_in_redis(l);
    REDIS_DO(&l->server, "EVAL",
             "redis.call('DEL', '{ksgate}:changes') redis.call('SET', '{ksgate}:revision', 1) "
             "return redis.call('HDEL', '{ksgate}:objects', '/ConfigMap/test/b')",
             "0");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE);
    assert_true(knows(g, "a") && knows(g, "b"));

    gate_close(g);
    open_again(l);
    WAIT_FOR(l->base, strstr((gw_sync_status(g->sync, &status), status.text), "1 objects") != NULL);
    assert_true(knows(g, "a") && knows(g, "b"));
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
    struct lost *l = *state;
    struct gate *g = &l->g;
    struct gw_object *e = endpoint("x.1");

    begin_in_redis(l);
    (void)put_object(g, e, GW_WHEN_ANY, 0);
    wipe(l);
    (void)put_config(g, "a", "2");
    uint64_t revision = g->revision;
    REDIS_DO(&l->server, "FLUSHALL");
    WAIT_FOR(l->base, g->revision < revision);
    turn_for(l->base, GW_SETTLE_MS + 500);
    assert_true(knows(g, "a") && knows(g, "b"));

    (void)put_config(g, "a", "2");
    (void)put_config(g, "b", "1");
    turn_for(l->base, GW_SETTLE_MS + 500);
    assert_non_null(gw_map_get(g->objects, GW_STR("ksgate.io/Endpoint//x.1")));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
    assert_int_equal(put_object(g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(state_of(g), GW_SYNC_FRESH);
    gw_object_unref(e);
}

/* Who deletes what a wiped store does not have any more deletes it for all gateways. */
static void
delete_for_all(struct lost *l)
{
    struct gate *g = &l->g;
    struct gate *other = &l->other;

    (void)put_config(g, "c", "1"); /* so that it is a store again */
    WAIT_FOR(l->base, knows(other, "c"));
    struct gw_object *o = gw_sync_get(g->sync, "/ConfigMap/test/a");
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(o);
    assert_false(knows(g, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE);
    WAIT_FOR(l->base, !knows(other, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE); /* not settled, but told */
    assert_true(knows(g, "b") && knows(other, "b"));
    assert_int_equal(remove_config(other, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, !knows(g, "b"));
    assert_int_equal(state_of(g), GW_SYNC_FRESH);
    assert_int_equal(remove_config(g, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_NOT_FOUND);
}

static void
test_delete_of_lost(void **state)
{
    begin_with_two(*state);
    delete_for_all(*state);
}

/* Who has listed it before it was gone, at that very revision, is told by a watch. */
static bool
tells_of_a_deletion(const struct gate *g, const char *name)
{
    struct gw_news *news = NULL;
    bool told = false;

    assert_int_equal(gw_sync_since(g->sync, g->revision,
                                   gw_kind_find(GW_STR(""), GW_STR("ConfigMap")), GW_STR(""),
                                   &news),
                     GW_STORE_OK);
    for (size_t i = 0; i < news->n; i++) {
        told |= news->items[i].object == NULL && strcmp(news->items[i].before->name, name) == 0;
    }
    gw_news_unref(news);
    return told;
}

/* Killed before the end of what was lost was on disk: what was deleted meanwhile does not come
 * back, by whichever store. */
static void
restart_from_old_snapshot(struct lost *l)
{
    struct gate *g = &l->g;
    char old[128];

    (void)snprintf(old, sizeof(old), "%s.old", l->paths->snapshot);
    (void)put_config(g, "c", "1");
    assert_int_equal(remove_config(g, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    gate_close(g);
    assert_int_equal(rename(old, l->paths->snapshot), 0);
    open_again(l);
    assert_true(knows(g, "a") && knows(g, "b"));
    WAIT_FOR(l->base, knows(g, "c"));
    WAIT_FOR(l->base, !knows(g, "a"));
    assert_true(tells_of_a_deletion(g, "a"));
    assert_true(knows(g, "b")); /* lost, and nobody has said anything of it */
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

static void
start_with_old_snapshot(struct lost *l)
{
    char old[128];

    (void)snprintf(old, sizeof(old), "%s.old", l->paths->snapshot);
    open_fresh(l);
    put_a_and_b(l);
    gate_close(&l->g);
    assert_int_equal(link(l->paths->snapshot, old), 0);
}

static void
test_old_snapshot_redis(void **state)
{
    struct lost *l = *state;

    keep_in_redis(l, NULL, NULL);
    start_with_old_snapshot(l);
    open_fresh(l);
    wipe(l);
    restart_from_old_snapshot(l);
}

static void
test_old_snapshot_sqlite(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    start_with_old_snapshot(l);
    assert_int_equal(unlink(l->paths->db), 0);
    open_again(l);
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE && g->revision == 0);
    restart_from_old_snapshot(l);
}

/* A gateway that was away while what a wiped store had lost was kept by all: of what was deleted
 * then it keeps nothing, whether the new store had it or not. */
static void
delete_while_away(struct lost *l)
{
    struct gate *g = &l->g;
    struct gate *other = &l->other;

    gate_close(g);
    assert_int_equal(remove_config(other, "d", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_int_equal(remove_config(other, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_true(!knows(other, "a") && knows(other, "b") && !knows(other, "d"));
    open_again(l);
    assert_true(knows(g, "a") && knows(g, "b") && knows(g, "d")); /* as on disk */
    WAIT_FOR(l->base, !knows(g, "a") && !knows(g, "d"));
    assert_true(tells_of_a_deletion(g, "a"));
    assert_true(knows(g, "b") && knows(g, "c"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

static void
test_away_amid_loss(void **state)
{
    struct lost *l = *state;

    begin_with_two(l);
    (void)put_config(&l->g, "c", "1");
    (void)put_config(&l->g, "d", "1");
    WAIT_FOR(l->base, knows(&l->other, "d"));
    delete_while_away(l);
}

/* Another database in its place: what both have is compared, the rest is kept and settles. */
static void
test_replaced_file(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;
    struct gw_buf command = {0};

    open_again(l);
    (void)put_config(g, "a", "1");
    gw_buf_printf(&command, "cp '%s' '%s.backup'", l->paths->db, l->paths->db);
    gate_close(g);
    assert_int_equal(system(command.p), 0); /* closed: all is in the one file */
    open_again(l);
    (void)put_config(g, "a", "2");
    (void)put_config(g, "b", "1");
    gate_close(g);
    gw_buf_reset(&command);
    gw_buf_printf(&command, "rm -f '%s'-* && mv '%s.backup' '%s'", l->paths->db, l->paths->db,
                  l->paths->db);
    assert_int_equal(system(command.p), 0);

    open_again(l); /* the restored backup: the same epoch, an older revision */
    WAIT_FOR(l->base, strcmp(value_at(g, "a"), "1") == 0);
    assert_int_equal(state_of(g), GW_SYNC_STALE);
    assert_true(knows(g, "b"));
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_false(knows(g, "b"));
    gw_buf_fini(&command);
}

static void
run(const char *format, const char *path)
{
    struct gw_buf command = {0};

    gw_buf_printf(&command, "db='%s'; %s", path, format);
    assert_int_equal(system(command.p), 0);
    gw_buf_fini(&command);
}

/* "a" was deleted once, and is there again.  A backup from in between is put back after a while in
 * which there was nothing: "a" is lost, and was not deleted. */
static void
test_backup_after_an_empty_file(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    open_fresh(l);
    (void)put_config(g, "a", "1");
    (void)remove_config(g, "a", GW_WHEN_PRESENT, 0);
    (void)put_config(g, "c", "1");
    gate_close(g);
    run("cp $db $db.backup", l->paths->db);
    open_fresh(l);
    (void)put_config(g, "a", "2");
    gate_close(g);
    run("rm -f $db $db-*", l->paths->db);

    open_again(l);
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE && g->revision == 0);
    assert_true(knows(g, "a") && knows(g, "c"));
    gate_close(g);
    run("mv $db.backup $db", l->paths->db);
    open_again(l);
    WAIT_FOR(l->base, g->revision == 3);
    assert_true(knows(g, "a") && knows(g, "c"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

/* The same with Redis, before the eyes of a gateway. */
static void
test_backup_after_a_wipe(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    (void)put_config(g, "a", "1");
    (void)remove_config(g, "a", GW_WHEN_PRESENT, 0);
    (void)put_config(g, "c", "1");
    REDIS_DO(&l->server, "EVAL", BACK_UP, "0");
    (void)put_config(g, "a", "2");
    REDIS_DO(&l->server, "DEL", "{ksgate}:epoch", "{ksgate}:revision", "{ksgate}:objects",
             "{ksgate}:changes");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE && g->revision == 0);
    assert_true(knows(g, "a") && knows(g, "c"));
    REDIS_DO(&l->server, "EVAL", PUT_BACK, "0");
    WAIT_FOR(l->base, g->revision == 3);
    turn_for(l->base, 1000);
    assert_true(knows(g, "a") && knows(g, "c"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

/* What a gateway is told in pieces: "a" was deleted in it, and is there again. */
static void
write_much(struct lost *l)
{
    char value[16];

    for (int i = 0; i < 1200; i++) {
        (void)snprintf(value, sizeof(value), "%d", i);
        (void)put_config(&l->other, "b", value);
    }
    (void)put_config(&l->other, "a", "1");
    (void)remove_config(&l->other, "a", GW_WHEN_PRESENT, 0);
    REDIS_DO(&l->server, "EVAL", BACK_UP, "0");
    (void)put_config(&l->other, "a", "2");
}

/* Put back to an older state while it is asked for what was deleted: that is no longer what was
 * listed. */
static void
test_put_back_amid_recall(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    (void)put_config(g, "lost", "1");
    gate_close(g);
    REDIS_DO(&l->server, "FLUSHALL");
    open_other(l);
    write_much(l);
    gate_close(&l->other);
    open_again(l);
    WAIT_FOR(l->base, knows(g, "a"));
    REDIS_DO(&l->server, "EVAL", PUT_BACK, "0");
    WAIT_FOR(l->base, g->revision == 1202);
    assert_true(knows(g, "a") && knows(g, "lost"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOST_TEST(test_wiped),
        LOST_TEST(test_redis_down_at_start),
        LOST_TEST(test_files_are_not_the_store),
        LOST_TEST(test_replaced_file),
        LOST_TEST(test_wiped_and_deleted),
        LOST_TEST(test_put_back_and_restart),
        LOST_TEST(test_wiped_twice),
        LOST_TEST(test_delete_of_lost),
        LOST_TEST(test_old_snapshot_redis),
        LOST_TEST(test_old_snapshot_sqlite),
        LOST_TEST(test_away_amid_loss),
        LOST_TEST(test_backup_after_an_empty_file),
        LOST_TEST(test_backup_after_a_wipe),
        LOST_TEST(test_put_back_amid_recall),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("sync_lost", tests, NULL, NULL);
}
