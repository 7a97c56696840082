#include "registry/db_statement.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

sqlite3_stmt *
gw_db_fresh(struct gw_db *db, enum gw_db_statement which)
{
    sqlite3_stmt *s = db->statements[which];

    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return s;
}

bool
gw_db_failed(struct gw_db *db)
{
    (void)snprintf(db->why, sizeof(db->why), "%s", sqlite3_errmsg(db->sqlite));
    return false;
}

void
gw_db_bind_text(sqlite3_stmt *s, int at, const char *text)
{
    /* the caller's text lives until the statement is reset */
    if (sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC) != SQLITE_OK) {
        abort(); /* out of memory, or a wrong column: both end the process */
    }
}

void
gw_db_bind_number(sqlite3_stmt *s, int at, uint64_t n)
{
    if (sqlite3_bind_int64(s, at, (sqlite3_int64)n) != SQLITE_OK) {
        abort();
    }
}

bool
gw_db_finish(struct gw_db *db, sqlite3_stmt *s, sqlite3_int64 *first)
{
    int rc = sqlite3_step(s);

    if (rc == SQLITE_ROW && first != NULL) {
        *first = sqlite3_column_int64(s, 0);
    }
    while (rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
    }
    bool ok = rc == SQLITE_DONE || gw_db_failed(db);
    (void)sqlite3_reset(s);
    return ok;
}

bool
gw_db_run(struct gw_db *db, enum gw_db_statement which)
{
    return gw_db_finish(db, gw_db_fresh(db, which), NULL);
}

bool
gw_db_run_key(struct gw_db *db, enum gw_db_statement which, const char *key)
{
    sqlite3_stmt *s = gw_db_fresh(db, which);

    gw_db_bind_text(s, 1, key);
    return gw_db_finish(db, s, NULL);
}

bool
gw_db_run_number(struct gw_db *db, enum gw_db_statement which, uint64_t n)
{
    sqlite3_stmt *s = gw_db_fresh(db, which);

    gw_db_bind_number(s, 1, n);
    return gw_db_finish(db, s, NULL);
}

bool
gw_db_end(struct gw_db *db, bool ok)
{
    if (ok && gw_db_run(db, GW_DB_COMMIT)) {
        return true;
    }
    char why[sizeof(db->why)];
    memcpy(why, db->why, sizeof(why)); /* of the first failure */
    (void)gw_db_run(db, GW_DB_ROLLBACK);
    memcpy(db->why, why, sizeof(why));
    return false;
}

char *
gw_db_column(sqlite3_stmt *s, int at)
{
    const unsigned char *text = sqlite3_column_text(s, at);
    size_t n = (size_t)sqlite3_column_bytes(s, at);

    return gw_mem_strndup((struct gw_str){text == NULL ? "" : (const char *)text, n});
}
