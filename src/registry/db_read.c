#include "registry/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "registry/db_statement.h"
#include "registry/splice.h"

bool
gw_db_touched(struct gw_db *db)
{
    sqlite3_int64 version = db->data_version;

    if (!gw_db_finish(db, gw_db_fresh(db, GW_DB_VERSION), &version) ||
        version == db->data_version) {
        return false;
    }
    db->data_version = version;
    return true;
}

void
gw_db_state_add(struct gw_db_state *state, struct gw_change change)
{
    state->changes = gw_mem_room(state->changes, state->n, &state->size, sizeof(*state->changes));
    state->changes[state->n++] = change;
}

/* Rows of revision, key, json (NULL: deleted). */
static bool
read_rows(struct gw_db *db, sqlite3_stmt *s, struct gw_db_state *state)
{
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct gw_change change = {.revision = (uint64_t)sqlite3_column_int64(s, 0),
                                   .key = gw_db_column(s, 1)};
        struct gw_diag diag = {0};

        if (sqlite3_column_type(s, 2) != SQLITE_NULL) {
            char *json = gw_db_column(s, 2);
            change.object = gw_splice_read(gw_str_of(json), change.key, &diag);
            free(json);
        }
        if (diag.errors > 0) {
            gw_log_warn("registry: what is stored as %s is no object and is skipped: %s",
                        change.key, gw_diag_first(&diag));
            state->skipped++;
            free(change.key);
        } else {
            gw_db_state_add(state, change);
        }
        gw_diag_fini(&diag);
    }
    bool ok = rc == SQLITE_DONE || gw_db_failed(db);
    (void)sqlite3_reset(s);
    return ok;
}

static bool
read_meta(struct gw_db *db, struct gw_db_state *state)
{
    sqlite3_stmt *s = gw_db_fresh(db, GW_DB_META);
    bool ok = sqlite3_step(s) == SQLITE_ROW || gw_db_failed(db);

    if (ok) {
        const unsigned char *epoch = sqlite3_column_text(s, 0);
        (void)snprintf(state->epoch, sizeof(state->epoch), "%s",
                       epoch == NULL ? "" : (const char *)epoch);
        state->revision = (uint64_t)sqlite3_column_int64(s, 1);
        state->oldest = sqlite3_column_type(s, 2) == SQLITE_NULL
                            ? state->revision + 1
                            : (uint64_t)sqlite3_column_int64(s, 2);
    }
    (void)sqlite3_reset(s);
    return ok;
}

bool
gw_db_list(struct gw_db *db, struct gw_db_state *state)
{
    bool ok = gw_db_run(db, GW_DB_READ) && read_meta(db, state) &&
              read_rows(db, gw_db_fresh(db, GW_DB_LIST), state);

    return gw_db_end(db, ok);
}

bool
gw_db_changes(struct gw_db *db, uint64_t since, struct gw_db_state *state)
{
    bool ok = gw_db_run(db, GW_DB_READ) && read_meta(db, state);

    if (ok && state->revision > since && state->oldest <= since + 1) {
        sqlite3_stmt *s = gw_db_fresh(db, GW_DB_CHANGES);
        gw_db_bind_number(s, 1, since);
        ok = read_rows(db, s, state);
    }
    return gw_db_end(db, ok);
}

void
gw_db_state_fini(struct gw_db_state *state)
{
    for (size_t i = 0; i < state->n; i++) {
        free(state->changes[i].key);
        gw_object_unref(state->changes[i].object);
    }
    free(state->changes);
    *state = (struct gw_db_state){0};
}

bool
gw_db_leases(struct gw_db *db, const char *const *keys, size_t n, uint64_t *until_ms)
{
    bool ok = gw_db_run(db, GW_DB_READ);

    if (!ok) {
        return false;
    }
    for (size_t i = 0; ok && i < n; i++) {
        sqlite3_stmt *s = gw_db_fresh(db, GW_DB_UNTIL);
        sqlite3_int64 until = 0;

        gw_db_bind_text(s, 1, keys[i]);
        ok = gw_db_finish(db, s, &until);
        until_ms[i] = until > 0 ? (uint64_t)until : 0;
    }
    return gw_db_end(db, ok);
}
