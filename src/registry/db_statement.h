/*
 * db_statement.h - what db.c, db_read.c and db_open.c share: the prepared statements.
 */
#ifndef GW_REGISTRY_DB_STATEMENT_H
#define GW_REGISTRY_DB_STATEMENT_H

#include <sqlite3.h>

#include "registry/db.h"

/* clang-format off */
#define GW_DB_STATEMENTS(X)                                                                       \
    X(BEGIN,       "BEGIN IMMEDIATE")                                                             \
    X(READ,        "BEGIN")                                                                       \
    X(COMMIT,      "COMMIT")                                                                      \
    X(ROLLBACK,    "ROLLBACK")                                                                    \
    X(VERSION,     "PRAGMA data_version")                                                         \
    X(META,        "SELECT (SELECT value FROM meta WHERE name = 'epoch'),"                        \
                   " (SELECT value FROM meta WHERE name = 'revision'),"                           \
                   " (SELECT min(revision) FROM changes)")                                        \
    X(NEXT,        "UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value")   \
    X(GET,         "SELECT revision, uid, created, json FROM objects WHERE key = ?1")             \
    X(PUT,         "INSERT OR REPLACE INTO objects (key, revision, uid, created, json)"           \
                   " VALUES (?1, ?2, ?3, ?4, ?5)")                                                \
    X(DELETE,      "DELETE FROM objects WHERE key = ?1")                                          \
    X(CHANGE,      "INSERT INTO changes (revision, op, key) VALUES (?1, ?2, ?3)")                 \
    X(TRIM,        "DELETE FROM changes WHERE revision <= ?1")                                    \
    X(LEASE,       "INSERT OR REPLACE INTO leases (key, deadline_ms, lease_ms)"                   \
                   " VALUES (?1, ?2, ?3)")                                                        \
    X(UNLEASE,     "DELETE FROM leases WHERE key = ?1")                                           \
    X(DUE,         "SELECT key FROM leases WHERE deadline_ms <= ?1"                               \
                   " ORDER BY deadline_ms")                                                       \
    X(UNDUE,       "DELETE FROM leases WHERE deadline_ms <= ?1")                                  \
    X(ANEW,        "UPDATE leases SET deadline_ms = ?1 + lease_ms WHERE lease_ms <= 3600000")     \
    X(UNTIL,       "SELECT deadline_ms FROM leases WHERE key = ?1")                               \
    X(DEADLINE,    "SELECT min(deadline_ms) FROM leases")                                         \
    X(LIST,        "SELECT revision, key, json FROM objects ORDER BY key")                        \
    X(CHANGES,     "SELECT max(c.revision), c.key, o.json FROM changes c"                         \
                   " LEFT JOIN objects o ON o.key = c.key"                                        \
                   " WHERE c.revision > ?1 GROUP BY c.key ORDER BY 1")
/* clang-format on */

enum gw_db_statement {
#define X(name, sql) GW_DB_##name,
    GW_DB_STATEMENTS(X)
#undef X
    GW_DB_N_STATEMENTS
};

struct gw_db {
    sqlite3 *sqlite;
    sqlite3_stmt *statements[GW_DB_N_STATEMENTS];
    sqlite3_int64 data_version;
    char why[200];
};

/* Why its tables are none of ours, or of a newer version; "": SQLite says it; NULL: they are ours,
 * or (empty) there are none. */
const char *gw_db_not_ours(sqlite3 *sqlite, bool *empty);

/* The statement with nothing bound. */
sqlite3_stmt *gw_db_fresh(struct gw_db *db, enum gw_db_statement which);

/* Keeps SQLite's words; returns false. */
bool gw_db_failed(struct gw_db *db);

/* The text must live until the statement is reset. */
void gw_db_bind_text(sqlite3_stmt *s, int at, const char *text);
void gw_db_bind_number(sqlite3_stmt *s, int at, uint64_t n);

/* Runs a statement to its end and resets it; *first (may be NULL) is its first row's number. */
bool gw_db_finish(struct gw_db *db, sqlite3_stmt *s, sqlite3_int64 *first);
bool gw_db_run(struct gw_db *db, enum gw_db_statement which);
bool gw_db_run_key(struct gw_db *db, enum gw_db_statement which, const char *key);
bool gw_db_run_number(struct gw_db *db, enum gw_db_statement which, uint64_t n);

/* Adds a change, whose key and object are the state's from now on. */
void gw_db_state_add(struct gw_db_state *state, struct gw_change change);

/* A text of the row, in heap memory of the caller. */
char *gw_db_column(sqlite3_stmt *s, int at);

/* Ends a transaction: by commit only when all went well. */
bool gw_db_end(struct gw_db *db, bool ok);

#endif
