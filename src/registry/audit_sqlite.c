/* audit_sqlite.c - audits a registry file.  Reads it by itself: gw_db_open() writes to it. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "registry/audit_store.h"
#include "registry/db_statement.h"

#define BUSY_MS 5000

static bool
failed(sqlite3 *db, const struct gw_place_of_store *place, struct gw_diag *diag)
{
    gw_diag_error(diag, (struct gw_place){.file = place->conf.sqlite.path}, "%s",
                  db == NULL ? "no memory" : sqlite3_errmsg(db));
    return false;
}

static bool
open_file(const struct gw_place_of_store *place, int flags, sqlite3 **db, struct gw_diag *diag)
{
    *db = NULL;
    if (sqlite3_open_v2(place->conf.sqlite.path, db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(*db, BUSY_MS) != SQLITE_OK) {
        return failed(*db, place, diag);
    }
    return true;
}

/* Calls each row.  False: SQLite says why. */
static bool
rows(sqlite3 *db, const char *sql, void (*each)(sqlite3_stmt *row, void *arg), void *arg)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW) {
            each(s, arg);
        }
    }
    (void)sqlite3_finalize(s);
    return rc == SQLITE_DONE;
}

static struct gw_str
column(sqlite3_stmt *row, int at)
{
    const void *text = sqlite3_column_blob(row, at); /* text is told from blobs by nobody here */

    return text == NULL ? GW_STR("") : (struct gw_str){text, (size_t)sqlite3_column_bytes(row, at)};
}

static void
on_object(sqlite3_stmt *row, void *arg)
{
    gw_audit_add_entry(arg, column(row, 0), column(row, 1), (uint64_t)sqlite3_column_int64(row, 2));
}

static void
on_lease(sqlite3_stmt *row, void *arg)
{
    gw_audit_add_lease(arg, column(row, 0), (uint64_t)sqlite3_column_int64(row, 1));
}

static void
on_meta(sqlite3_stmt *row, void *arg)
{
    struct gw_audit_store *s = arg;
    struct gw_str epoch = column(row, 0);

    s->epoch = epoch.n == 0 ? NULL : strndup(epoch.p, epoch.n);
    s->counted = sqlite3_column_type(row, 1) == SQLITE_INTEGER;
    s->revision = (uint64_t)sqlite3_column_int64(row, 1);
    s->last_change = (uint64_t)sqlite3_column_int64(row, 2);
}

static void
on_damage(sqlite3_stmt *row, void *arg)
{
    struct gw_str what = column(row, 0);

    if (!gw_str_eq(what, GW_STR("ok"))) {
        gw_audit_add(arg, GW_AUDIT_BY_HAND, NULL, 0,
                     "the file is damaged (%.*s): stop the gateways, and restore it, or make "
                     "another of it with `sqlite3 FILE .recover`",
                     GW_STR_ARG(what));
    }
}

/* What another program keeps, or a newer version, is not judged by what this one knows, and far
 * less mended. */
static bool
is_ours(sqlite3 *db, const struct gw_place_of_store *place, struct gw_diag *diag)
{
    bool empty;
    const char *wrong = gw_db_not_ours(db, &empty);

    wrong = wrong == NULL && empty ? "it is empty: there is no registry in it" : wrong;
    if (wrong == NULL) {
        return true;
    }
    gw_diag_error(diag, (struct gw_place){.file = place->conf.sqlite.path}, "%s",
                  wrong[0] != '\0' ? wrong : sqlite3_errmsg(db));
    return false;
}

static bool
load(const struct gw_place_of_store *place, struct gw_audit_store *s, struct gw_audit *findings,
     struct gw_diag *diag)
{
    sqlite3 *db;
    bool ok = open_file(place, SQLITE_OPEN_READONLY, &db, diag);

    s->now_ms = gw_clock_wall_ms();
    ok = ok && is_ours(db, place, diag);
    if (ok) {
        ok = rows(db, "PRAGMA integrity_check(10)", on_damage, findings) &&
             rows(db, "BEGIN", on_damage, findings) &&
             rows(db,
                  "SELECT (SELECT value FROM meta WHERE name = 'epoch'),"
                  " (SELECT value FROM meta WHERE name = 'revision'),"
                  " (SELECT max(revision) FROM changes)",
                  on_meta, s) &&
             rows(db, "SELECT key, json, revision FROM objects ORDER BY key", on_object, s) &&
             rows(db, "SELECT key, deadline_ms FROM leases ORDER BY key", on_lease, s);
        ok = ok || failed(db, place, diag);
    }
    (void)sqlite3_close(db);
    return ok;
}

/* ---- repairs -------------------------------------------------------------------------------- */

static void
on_nothing(sqlite3_stmt *row, void *arg)
{
    (void)row;
    (void)arg;
}

/* What has no function in db.h: it happens to no gateway. */
static bool
mend_meta(const struct gw_place_of_store *place, const struct gw_audit_finding *f,
          struct gw_diag *diag)
{
    char sql[160];
    sqlite3 *db;

    if (f->repair == GW_AUDIT_MAKE_EPOCH) {
        (void)snprintf(sql, sizeof(sql),
                       "INSERT OR REPLACE INTO meta VALUES ('epoch', lower(hex(randomblob(16))))");
    } else {
        (void)snprintf(sql, sizeof(sql),
                       "INSERT OR REPLACE INTO meta VALUES ('revision', %" PRIu64 ")", f->number);
    }
    bool ok = open_file(place, SQLITE_OPEN_READWRITE, &db, diag) &&
              (rows(db, sql, on_nothing, NULL) || failed(db, place, diag));
    (void)sqlite3_close(db);
    return ok;
}

static bool
unlease(const struct gw_place_of_store *place, const char *key, struct gw_diag *diag)
{
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    bool ok = open_file(place, SQLITE_OPEN_READWRITE, &db, diag);

    if (ok) {
        ok = (sqlite3_prepare_v2(db, "DELETE FROM leases WHERE key = ?1", -1, &s, NULL) ==
                  SQLITE_OK &&
              sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_DONE) ||
             failed(db, place, diag);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return ok;
}

static bool
mend_object(struct gw_db *db, const struct gw_place_of_store *place,
            const struct gw_audit_finding *f, struct gw_diag *diag)
{
    struct gw_store_answer answer;

    if (f->repair == GW_AUDIT_REMOVE) {
        gw_db_remove(db, f->key, GW_WHEN_REVISION, f->entry->revision, &answer);
    } else {
        gw_db_renew(db, f->key, 0, (long long)f->number, &answer);
    }
    if (answer.result == GW_STORE_OK || answer.result == GW_STORE_NOT_FOUND) {
        return true; /* gone by itself is as good */
    }
    gw_diag_error(diag, (struct gw_place){.file = place->conf.sqlite.path}, "%s: %s", f->key,
                  answer.text);
    return false;
}

static bool
mend_one(struct gw_db *db, const struct gw_place_of_store *place, const struct gw_audit_finding *f,
         struct gw_diag *diag)
{
    switch (f->repair) {
    case GW_AUDIT_REMOVE:
    case GW_AUDIT_LEASE:
        return mend_object(db, place, f, diag);
    case GW_AUDIT_UNLEASE:
        return unlease(place, f->key, diag);
    case GW_AUDIT_SET_REVISION:
    case GW_AUDIT_MAKE_EPOCH:
        return mend_meta(place, f, diag);
    case GW_AUDIT_BY_HAND:
        break;
    }
    return true;
}

static bool
mend(const struct gw_place_of_store *place, const struct gw_audit *a, size_t *repaired,
     struct gw_diag *diag)
{
    struct gw_db *db = gw_db_open(place->conf.sqlite.path, false, diag);
    bool ok = db != NULL;

    for (size_t i = 0; ok && i < a->n; i++) {
        ok = mend_one(db, place, &a->list[i], diag);
        *repaired += ok && a->list[i].repair != GW_AUDIT_BY_HAND ? 1 : 0;
    }
    gw_db_close(db);
    return ok;
}

const struct gw_audit_driver gw_audit_sqlite = {.load = load, .mend = mend};
