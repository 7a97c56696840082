/* store_sqlite.c - the embedded store: what every driver does, and what only a file can suffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "t/lib/folder.h"
#include "t/lib/no_inotify.h"
#include "t/lib/store_cases.h"

static char path[128];

static void
open_store(struct watcher *w, struct event_base *base)
{
    struct gw_registry_sqlite conf = {.path = path};

    watcher_open(w, &gw_store_sqlite, &conf, base);
}

static int
set_up(void **state)
{
    (void)make_folder(state);
    (void)snprintf(path, sizeof(path), "%s/deep/er/registry.db", folder);
    return 0;
}

/* Runs SQL as another program would. */
static void
sql(const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Opening fails with the path, the reason and what to do. */
static void
assert_refused(const char *at, const char *reason, const char *advice)
{
    static const struct gw_store_events no_events;
    struct event_base *base = event_base_new();
    struct gw_registry_sqlite conf = {.path = at};
    struct gw_diag diag = {0};
    struct gw_buf text = {0};

    assert_null(gw_store_sqlite.open(&conf, base, &no_events, NULL, &diag));
    gw_diag_format(&diag, &text);
    assert_non_null(strstr(text.p, at));
    if (strstr(text.p, reason) == NULL || strstr(text.p, advice) == NULL) {
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", text.p, reason, advice);
    }
    gw_buf_fini(&text);
    gw_diag_fini(&diag);
    event_base_free(base);
}

static void
test_refuses_what_is_no_registry(void **state)
{
    (void)state;
    write_file(in_folder("text.db"),
               "this is a text that is long enough to be taken for a database header, no?\n"
               "this is a text that is long enough to be taken for a database header, no?\n");
    assert_refused(in_folder("text.db"), "not a database", "restore it from a backup");

    assert_int_equal(mkdir(in_folder("folder.db"), 0700), 0);
    assert_refused(in_folder("folder.db"), "directory", "writable");
    assert_refused(in_folder("text.db/below.db"), "Not a directory", "writable");
}

static void
test_refuses_other_programs_and_versions(void **state)
{
    (void)state;
    char keep[128];
    memcpy(keep, path, sizeof(keep));
    (void)snprintf(path, sizeof(path), "%s/other.db", folder);
    sql("CREATE TABLE songs (name TEXT)");
    assert_refused(path, "another program", "another file");
    (void)snprintf(path, sizeof(path), "%s/newer.db", folder);
    sql("PRAGMA user_version = 99");
    assert_refused(path, "newer version", "another file");
    memcpy(path, keep, sizeof(path));
}

static void
test_folder_and_file_are_private(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct stat st;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in_folder("deep/er"), &st), 0);
    assert_int_equal(st.st_mode & 0777 & ~0750U, 0);
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

/* A row that is no object breaks nothing else. */
static void
test_rubbish_is_skipped(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "good", "1");
    sql("INSERT INTO objects VALUES ('/ConfigMap/test/bad', 1, 'u', 'c', '{\"no\": 1'),"
        " ('/ConfigMap/test/other', 1, 'u', 'c', '{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
        "\"metadata\":{\"name\":\"x\",\"namespace\":\"test\"}}')");
    watcher_close(&w);
    open_store(&w, base);
    WAIT_FOR(base, w.lists == 1);
    assert_int_equal(gw_map_count(w.objects), 1);
    assert_non_null(watcher_get(&w, "/ConfigMap/test/good"));

    /* and can be written over */
    (void)put_value(&w, "bad", "now good");
    assert_string_equal(value_of(watcher_get(&w, "/ConfigMap/test/bad")), "now good");
    sql("DELETE FROM objects WHERE key = '/ConfigMap/test/other'");
    (void)remove_with(&w, "/ConfigMap/test/bad", GW_WHEN_ANY, 0);
    (void)remove_with(&w, "/ConfigMap/test/good", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

/* Another process' lock makes a write fail soon, with words, and nothing is lost. */
static void
test_locked(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    sqlite3 *db;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct gw_object *o = config_map("a", "2");
    struct told t = put_with(&w, o, GW_WHEN_ANY, 0, 0); /* is answered while it is locked */
    assert_int_equal(t.answer.result, GW_STORE_UNAVAILABLE);
    assert_non_null(strstr(t.text, "locked"));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 0).answer.result, GW_STORE_OK);
    gw_object_unref(o);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

/* Nobody tells of writes: they are looked for. */
static void
test_without_inotify(void **state)
{
    static struct no_inotify all;
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    no_inotify_begin(&all);
    open_store(&w, base);
    no_inotify_end(&all);
    (void)put_value(&w, "a", "1");
    sql("UPDATE meta SET value = 'unseen' WHERE name = 'epoch'");
    WAIT_FOR(base, w.lists == 2);
    assert_words("text", w.reason, "epoch");
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

/* A lease ends also where there is always something else to write. */
static void
test_busy(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_object *leased = config_map("leased", "1");
    struct gw_object *o = config_map("a", "1");
    uint64_t end = gw_clock_mono_ms() + LONG_MS;
    struct watcher w;

    (void)state;
    open_store(&w, base);
    assert_int_equal(put_with(&w, leased, GW_WHEN_ANY, 0, 200).answer.result, GW_STORE_OK);
    while (watcher_get(&w, "/ConfigMap/test/leased") != NULL) {
        assert_true(gw_clock_mono_ms() < end);
        assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 0).answer.result, GW_STORE_OK);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    gw_object_unref(leased);
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

/* The file is removed, and another one put there. */
static void
test_replaced_file(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    char epoch[64];
    struct gw_buf command = {0};

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    memcpy(epoch, w.epoch, sizeof(epoch));
    gw_buf_printf(&command, "rm '%s'*", path);
    assert_int_equal(system(command.p), 0);
    gw_buf_fini(&command);
    WAIT_FOR(base, w.reachable == 0);
    assert_non_null(strstr(w.text, "gone"));
    assert_int_equal(w.lists, 1); /* nothing was said to be empty */

    struct gw_object *o = config_map("a", "2");
    assert_int_equal(put_with(&w, o, GW_WHEN_ANY, 0, 0).answer.result, GW_STORE_UNAVAILABLE);
    gw_object_unref(o);
    write_file(path, ""); /* becomes a new database */
    WAIT_FOR(base, w.lists == 2);
    assert_int_equal(w.reachable, 1);
    assert_string_not_equal(w.epoch, epoch);
    assert_non_null(strstr(w.reason, "replaced"));
    assert_int_equal(gw_map_count(w.objects), 0);
    watcher_close(&w);
    event_base_free(base);
}

/* Changes that are no longer kept, an older revision, another epoch: listed anew, with reason. */
static void
test_broken_line(void **state)
{
    static const struct {
        const char *sql, *reason;
    } cases[] = {
        {"UPDATE meta SET value = value + 10 WHERE name = 'revision'; DELETE FROM changes",
         "no longer kept"},
        {"UPDATE meta SET value = 0 WHERE name = 'revision'; DELETE FROM changes", "older"},
        {"UPDATE meta SET value = 'other' WHERE name = 'epoch'", "epoch"},
    };
    struct event_base *base = event_base_new();
    struct watcher w;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t lists = w.lists;
        sql(cases[i].sql);
        WAIT_FOR(base, w.lists > lists);
        assert_words("text", w.reason, cases[i].reason);
        assert_int_equal(gw_map_count(w.objects), 1);
    }
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

/* While no gateway ran nobody could renew: leases get their time again. */
static void
test_leases_outlive_a_restart(void **state)
{
    static const char *const meanwhile[] = {
        "UPDATE leases SET deadline_ms = deadline_ms - 3600000", /* it was away for an hour */
        "UPDATE leases SET deadline_ms = deadline_ms + 3600000", /* the clock was set back */
    };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct event_base *base = event_base_new();
        struct watcher w;
        struct gw_object *o = endpoint("e.1");

        open_store(&w, base);
        (void)put_with(&w, o, GW_WHEN_ANY, 0, 700);
        watcher_close(&w);
        sql(meanwhile[i]);
        open_store(&w, base);
        WAIT_FOR(base, w.lists == 1);
        turn(base);
        turn(base);
        turn(base);
        assert_non_null(watcher_get(&w, o->key));
        WAIT_FOR(base, watcher_get(&w, o->key) == NULL); /* but not for ever */
        gw_object_unref(o);
        watcher_close(&w);
        event_base_free(base);
    }
}

/* One of hours was never going to be renewed: it is a time at which something ends. */
static void
test_a_long_lease_ends_in_time(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct gw_object *o = config_map("long", "1");

    (void)state;
    open_store(&w, base);
    (void)put_with(&w, o, GW_WHEN_ANY, 0, 7200000);
    watcher_close(&w);
    sql("UPDATE leases SET deadline_ms = deadline_ms - 7200000");
    open_store(&w, base);
    WAIT_FOR(base, w.lists == 1 && watcher_get(&w, o->key) == NULL);
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

/* Leases that no object has, of keys that are none: they go, once, and hold nobody up. */
static void
test_rubbish_leases(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    struct gw_object *o = endpoint("e.1");

    (void)state;
    open_store(&w, base);
    (void)put_with(&w, o, GW_WHEN_ANY, 0, 300);
    sql("INSERT INTO leases VALUES (x'00ff', 1, 1), ('a' || char(0) || 'b', 1, 1), ('', 1, 1),"
        " ('ksgate.io/Endpoint//nobody', 1, 1), (7, 1, 1)");
    WAIT_FOR(base, watcher_get(&w, o->key) == NULL);
    uint64_t revision = put_value(&w, "a", "1");
    assert_in_range(revision, 3, 20);
    gw_object_unref(o);
    watcher_close(&w);
    event_base_free(base);
}

static void
test_trims(void **state)
{
    struct event_base *base = event_base_new();
    struct watcher w;
    sqlite3 *db;
    sqlite3_stmt *s;

    (void)state;
    open_store(&w, base);
    (void)put_value(&w, "a", "1");
    sql("UPDATE meta SET value = 300000 WHERE name = 'revision'");
    for (int i = 0; i < 300; i++) {
        char value[16];
        (void)snprintf(value, sizeof(value), "%d", i + 2);
        (void)put_value(&w, "a", value);
    }
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT min(revision) FROM changes", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_in_range(sqlite3_column_int64(s, 0), 300001 - 256, 300001);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    (void)remove_with(&w, "/ConfigMap/test/a", GW_WHEN_ANY, 0);
    watcher_close(&w);
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_CASES(cmocka_unit_test),
        cmocka_unit_test(test_refuses_what_is_no_registry),
        cmocka_unit_test(test_refuses_other_programs_and_versions),
        cmocka_unit_test(test_folder_and_file_are_private),
        cmocka_unit_test(test_rubbish_is_skipped),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_broken_line),
        cmocka_unit_test(test_leases_outlive_a_restart),
        cmocka_unit_test(test_a_long_lease_ends_in_time),
        cmocka_unit_test(test_rubbish_leases),
        cmocka_unit_test(test_trims),
        cmocka_unit_test(test_without_inotify),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_replaced_file),
    };

    return cmocka_run_group_tests_name("store_sqlite", tests, set_up, drop_folder);
}
