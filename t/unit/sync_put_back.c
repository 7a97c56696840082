/* sync_put_back.c - a registry whose store is set back: to a backup, or with a state on disk that
 * is older.  What is missing was lost or deleted, and both are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/lost.h"

#define BACK_UP                                                           \
    "for _, k in ipairs({'epoch', 'revision', 'objects', 'changes'}) do " \
    "redis.call('COPY', '{ksgate}:' .. k, 'backup:' .. k) end"
#define PUT_BACK                                                          \
    "for _, k in ipairs({'epoch', 'revision', 'objects', 'changes'}) do " \
    "redis.call('RENAME', 'backup:' .. k, '{ksgate}:' .. k) end"

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
        LOST_TEST(test_replaced_file),
        LOST_TEST(test_put_back_and_restart),
        LOST_TEST(test_old_snapshot_redis),
        LOST_TEST(test_old_snapshot_sqlite),
        LOST_TEST(test_backup_after_an_empty_file),
        LOST_TEST(test_backup_after_a_wipe),
        LOST_TEST(test_put_back_amid_recall),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("sync_put_back", tests, NULL, NULL);
}
