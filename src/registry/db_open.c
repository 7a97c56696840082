#include "registry/db_statement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "registry/snapshot.h"

#define FORMAT       1    /* PRAGMA user_version */
#define OPEN_BUSY_MS 5000 /* two gateways that start at once */
#define CALL_BUSY_MS 200  /* a call waits in the event loop */

static const char schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;"
    "CREATE TABLE objects (key TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL,"
    " uid TEXT NOT NULL, created TEXT NOT NULL, json TEXT NOT NULL);"
    "CREATE TABLE changes (revision INTEGER PRIMARY KEY NOT NULL, op TEXT NOT NULL,"
    " key TEXT NOT NULL);"
    "CREATE TABLE leases (key TEXT PRIMARY KEY NOT NULL, deadline_ms INTEGER NOT NULL,"
    " lease_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX leases_by_deadline ON leases (deadline_ms);"
    "INSERT INTO meta VALUES ('revision', 0);"
    "PRAGMA user_version = 1;";

static bool
run(struct gw_db *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The first column of the first row as a number; -1 when there is none. */
static sqlite3_int64
number(sqlite3 *sqlite, const char *sql)
{
    sqlite3_stmt *s = NULL;
    sqlite3_int64 n = -1;

    if (sqlite3_prepare_v2(sqlite, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        n = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return n;
}

static bool
make_tables(struct gw_db *db)
{
    unsigned char random[16];
    char sql[128];
    int at = snprintf(sql, sizeof(sql), "INSERT INTO meta VALUES ('epoch', '");

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        perror("ksgate: getrandom");
        abort();
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        at += snprintf(sql + at, sizeof(sql) - (size_t)at, "%02x", random[i]);
    }
    (void)snprintf(sql + at, sizeof(sql) - (size_t)at, "');");
    return run(db, schema) && run(db, sql);
}

const char *
gw_db_not_ours(sqlite3 *sqlite, bool *empty)
{
    sqlite3_int64 format = number(sqlite, "PRAGMA user_version");
    sqlite3_int64 tables = number(sqlite, "SELECT count(*) FROM sqlite_master");

    *empty = format == 0 && tables == 0;
    return format < 0 || tables < 0     ? ""
           : format > FORMAT            ? "it was made by a newer version of ksgate"
           : format == 0 && tables != 0 ? "it is the database of another program"
                                        : NULL;
}

/* NULL, or what is wrong beside SQLite's own error ("" for only that). */
static const char *
check_tables(struct gw_db *db)
{
    bool empty;

    if (!run(db, "BEGIN IMMEDIATE")) {
        return "";
    }
    const char *wrong = gw_db_not_ours(db->sqlite, &empty);
    if (wrong == NULL && empty && !make_tables(db)) {
        wrong = "";
    }
    if (wrong == NULL && !run(db, "COMMIT")) {
        wrong = "";
    }
    if (wrong != NULL) {
        (void)snprintf(db->why, sizeof(db->why), "%s",
                       wrong[0] != '\0' ? wrong : sqlite3_errmsg(db->sqlite));
        (void)run(db, "ROLLBACK");
    }
    return wrong == NULL ? NULL : db->why;
}

static bool
prepare(struct gw_db *db)
{
    static const char *const sql[] = {
#define X(name, text) text,
        GW_DB_STATEMENTS(X)
#undef X
    };

    for (int i = 0; i < GW_DB_N_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(db->sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

/* NULL: all is well. */
static const char *
set_up(struct gw_db *db, const char *path, bool anew)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* it holds secrets */

    if (fd < 0) {
        return strerror(errno);
    }
    (void)close(fd);
    if (sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(db->sqlite, OPEN_BUSY_MS) != SQLITE_OK ||
        !run(db, "PRAGMA journal_mode = WAL") || !run(db, "PRAGMA synchronous = NORMAL")) {
        return sqlite3_errmsg(db->sqlite);
    }
    const char *wrong = check_tables(db);
    if (wrong == NULL && (!prepare(db) || (anew && !gw_db_lease_anew(db, gw_clock_wall_ms())) ||
                          sqlite3_busy_timeout(db->sqlite, CALL_BUSY_MS) != SQLITE_OK)) {
        wrong = sqlite3_errmsg(db->sqlite);
    }
    return wrong;
}

static const char *
advice(const struct gw_db *db)
{
    int code = db->sqlite == NULL ? SQLITE_CANTOPEN : sqlite3_errcode(db->sqlite);

    switch (code) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return "restore it from a backup, or move it away (with its -wal and -shm): ksgate then "
               "makes a new one and keeps what it knew from the snapshot";
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return "look at the disk and its free space";
    case SQLITE_BUSY:
        return "another program has it locked";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "the file and its folder must be writable for the user that ksgate runs as";
    default:
        return "set registry.sqlite.path to another file, or move this one away";
    }
}

struct gw_db *
gw_db_open(const char *path, bool anew, struct gw_diag *diag)
{
    struct gw_db *db = gw_mem_alloc(sizeof(*db));
    const char *wrong = gw_snapshot_folder(path) ? set_up(db, path, anew) : strerror(errno);

    if (wrong == NULL) {
        (void)gw_db_touched(db);
        return db;
    }
    gw_diag_error(diag, (struct gw_place){.file = path}, "the registry can't be opened: %s; %s",
                  wrong, advice(db));
    gw_db_close(db);
    return NULL;
}

void
gw_db_close(struct gw_db *db)
{
    if (db == NULL) {
        return;
    }
    for (int i = 0; i < GW_DB_N_STATEMENTS; i++) {
        (void)sqlite3_finalize(db->statements[i]);
    }
    (void)sqlite3_close(db->sqlite);
    free(db);
}
