#include "registry/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "registry/db_statement.h"
#include "registry/splice.h"

#define TRIM_EVERY 256 /* changes */

const char *
gw_db_why(const struct gw_db *db)
{
    return db->why;
}

bool
gw_db_is_full(const struct gw_db *db)
{
    return strcmp(db->why, sqlite3_errstr(SQLITE_FULL)) == 0;
}

/* What is stored under a key. */
struct row {
    bool found;
    uint64_t revision;
    char *uid, *created, *json; /* owned */
};

static bool
get_row(struct gw_db *db, const char *key, struct row *row)
{
    sqlite3_stmt *s = gw_db_fresh(db, GW_DB_GET);

    gw_db_bind_text(s, 1, key);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        row->found = true;
        row->revision = (uint64_t)sqlite3_column_int64(s, 0);
        row->uid = gw_db_column(s, 1);
        row->created = gw_db_column(s, 2);
        row->json = gw_db_column(s, 3);
    }
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || gw_db_failed(db);
    (void)sqlite3_reset(s);
    return ok;
}

static void
row_fini(struct row *row)
{
    free(row->uid);
    free(row->created);
    free(row->json);
}

/* Writes the change down and gives it its revision. */
static bool
add_change(struct gw_db *db, const char *op, const char *key, uint64_t *revision)
{
    sqlite3_int64 next = 0;
    bool ok = gw_db_finish(db, gw_db_fresh(db, GW_DB_NEXT), &next);

    *revision = (uint64_t)next;
    if (ok) {
        sqlite3_stmt *s = gw_db_fresh(db, GW_DB_CHANGE);
        gw_db_bind_number(s, 1, *revision);
        gw_db_bind_text(s, 2, op);
        gw_db_bind_text(s, 3, key);
        ok = gw_db_finish(db, s, NULL);
    }
    if (ok && *revision > GW_DB_KEPT_CHANGES && *revision % TRIM_EVERY == 0) {
        ok = gw_db_run_number(db, GW_DB_TRIM, *revision - GW_DB_KEPT_CHANGES);
    }
    return ok;
}

/* Sets or takes away the lease of a key. */
static bool
set_lease(struct gw_db *db, const char *key, long long lease_ms, uint64_t *until_ms)
{
    *until_ms = 0;
    if (lease_ms <= 0) {
        return gw_db_run_key(db, GW_DB_UNLEASE, key);
    }
    *until_ms = gw_clock_wall_ms() + (uint64_t)lease_ms;
    sqlite3_stmt *s = gw_db_fresh(db, GW_DB_LEASE);
    gw_db_bind_text(s, 1, key);
    gw_db_bind_number(s, 2, *until_ms);
    gw_db_bind_number(s, 3, (uint64_t)lease_ms);
    return gw_db_finish(db, s, NULL);
}

/* Whether a write of that kind may go on. */
static enum gw_store_result
judge(const struct row *row, enum gw_store_when when, uint64_t revision)
{
    switch (when) {
    case GW_WHEN_ANY:
        return GW_STORE_OK;
    case GW_WHEN_ABSENT:
        return row->found ? GW_STORE_EXISTS : GW_STORE_OK;
    case GW_WHEN_PRESENT:
        return row->found ? GW_STORE_OK : GW_STORE_NOT_FOUND;
    case GW_WHEN_REVISION:
        if (!row->found) {
            return GW_STORE_NOT_FOUND;
        }
        return row->revision == revision ? GW_STORE_OK : GW_STORE_CONFLICT;
    }
    return GW_STORE_CONFLICT;
}

static void
refuse(struct gw_store_answer *answer, enum gw_store_result result, uint64_t revision)
{
    static const char *const texts[] = {
        [GW_STORE_CONFLICT] = "the object was changed meanwhile",
        [GW_STORE_EXISTS] = "the object exists already",
        [GW_STORE_NOT_FOUND] = "there is no such object",
    };

    *answer =
        (struct gw_store_answer){.result = result, .revision = revision, .text = texts[result]};
}

static bool
store_row(struct gw_db *db, const struct gw_store_put *put, const struct row *row, const char *bare,
          struct gw_store_answer *answer)
{
    const char *key = put->object->key;
    char uid[37];
    struct gw_buf created = {0};
    struct gw_buf json = {0};

    if (row->found) {
        gw_splice(&json, bare, row->uid, row->created, row->revision);
        if (strcmp(json.p, row->json) == 0) { /* nothing new: no change for anybody */
            gw_buf_fini(&json);
            answer->revision = row->revision;
            return set_lease(db, key, put->lease_ms, &answer->lease_until_ms);
        }
        gw_buf_reset(&json);
    }
    gw_object_uid(uid);
    gw_clock_rfc3339(&created, gw_clock_wall_ms() / 1000 * 1000);
    const char *its_uid = row->found ? row->uid : put->uid != NULL ? put->uid : uid;
    const char *its_time = row->found             ? row->created
                           : put->created != NULL ? put->created
                                                  : created.p;
    bool ok = add_change(db, "put", key, &answer->revision);
    gw_splice(&json, bare, its_uid, its_time, answer->revision);
    if (ok) {
        sqlite3_stmt *s = gw_db_fresh(db, GW_DB_PUT);
        gw_db_bind_text(s, 1, key);
        gw_db_bind_number(s, 2, answer->revision);
        gw_db_bind_text(s, 3, its_uid);
        gw_db_bind_text(s, 4, its_time);
        gw_db_bind_text(s, 5, json.p);
        ok =
            gw_db_finish(db, s, NULL) && set_lease(db, key, put->lease_ms, &answer->lease_until_ms);
    }
    gw_buf_fini(&json);
    gw_buf_fini(&created);
    return ok;
}

static void
unavailable(struct gw_db *db, struct gw_store_answer *answer)
{
    *answer = (struct gw_store_answer){.result = GW_STORE_UNAVAILABLE, .text = db->why};
}

/* In a transaction.  False: it failed; else the answer says what came of it. */
static bool
put_one(struct gw_db *db, const struct gw_store_put *put, struct gw_store_answer *answer)
{
    struct row row = {0};
    char *bare = gw_object_bare(put->object);
    bool ok = get_row(db, put->object->key, &row);
    enum gw_store_result result = judge(&row, put->when, put->revision);

    *answer = (struct gw_store_answer){.result = GW_STORE_OK};
    if (ok && result == GW_STORE_OK) {
        ok = store_row(db, put, &row, bare, answer);
    } else if (ok) {
        refuse(answer, result, row.revision);
    }
    row_fini(&row);
    free(bare);
    return ok;
}

void
gw_db_put_all(struct gw_db *db, const struct gw_store_put *puts, size_t n,
              struct gw_store_answer *answer)
{
    uint64_t latest = 0;
    size_t i = 0;
    bool ok = gw_db_run(db, GW_DB_BEGIN);

    *answer = (struct gw_store_answer){.result = GW_STORE_OK};
    if (!ok) {
        unavailable(db, answer);
        return;
    }
    for (; ok && i < n && answer->result == GW_STORE_OK; i++) {
        ok = put_one(db, &puts[i], answer);
        latest = answer->revision > latest ? answer->revision : latest;
    }
    if (ok && answer->result != GW_STORE_OK) {
        answer->refused = i - 1;
        (void)gw_db_end(db, false);
        return;
    }
    answer->revision = latest;
    if (!gw_db_end(db, ok)) {
        unavailable(db, answer);
    }
}

void
gw_db_put(struct gw_db *db, const struct gw_store_put *put, struct gw_store_answer *answer)
{
    gw_db_put_all(db, put, 1, answer);
}

/* In a transaction. */
static bool
delete_row(struct gw_db *db, const char *key, uint64_t *revision)
{
    return add_change(db, "delete", key, revision) && gw_db_run_key(db, GW_DB_DELETE, key) &&
           gw_db_run_key(db, GW_DB_UNLEASE, key);
}

void
gw_db_remove(struct gw_db *db, const char *key, enum gw_store_when when, uint64_t revision,
             struct gw_store_answer *answer)
{
    struct row row = {0};

    *answer = (struct gw_store_answer){.result = GW_STORE_OK};
    if (!gw_db_run(db, GW_DB_BEGIN)) {
        unavailable(db, answer);
        return;
    }
    bool ok = get_row(db, key, &row);
    enum gw_store_result result = when == GW_WHEN_ABSENT
                                      ? (row.found ? GW_STORE_CONFLICT : GW_STORE_OK)
                                  : row.found ? judge(&row, when, revision)
                                              : GW_STORE_NOT_FOUND;
    if (ok && result == GW_STORE_OK) {
        ok = delete_row(db, key, &answer->revision);
    } else if (ok) {
        refuse(answer, result, row.revision);
    }
    if (!gw_db_end(db, ok)) {
        unavailable(db, answer);
    }
    row_fini(&row);
}

void
gw_db_renew(struct gw_db *db, const char *key, uint64_t revision, long long lease_ms,
            struct gw_store_answer *answer)
{
    struct row row = {0};

    *answer = (struct gw_store_answer){.result = GW_STORE_OK};
    if (!gw_db_run(db, GW_DB_BEGIN)) {
        unavailable(db, answer);
        return;
    }
    bool ok = get_row(db, key, &row);
    if (ok && !row.found) {
        refuse(answer, GW_STORE_NOT_FOUND, 0);
    } else if (ok && revision != 0 && revision != row.revision) {
        refuse(answer, GW_STORE_CONFLICT, row.revision);
    } else if (ok) {
        answer->revision = row.revision;
        ok = set_lease(db, key, lease_ms, &answer->lease_until_ms);
    }
    if (!gw_db_end(db, ok)) {
        unavailable(db, answer);
    }
    row_fini(&row);
}

/* The keys of the leases that have ended. */
static bool
due_keys(struct gw_db *db, uint64_t now_ms, struct gw_db_state *due)
{
    sqlite3_stmt *s = gw_db_fresh(db, GW_DB_DUE);
    int rc;

    gw_db_bind_number(s, 1, now_ms);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        gw_db_state_add(due, (struct gw_change){.key = gw_db_column(s, 0)});
    }
    bool ok = rc == SQLITE_DONE || gw_db_failed(db);
    (void)sqlite3_reset(s);
    return ok;
}

bool
gw_db_expire(struct gw_db *db, uint64_t now_ms)
{
    struct gw_db_state due = {0};

    if (!gw_db_run(db, GW_DB_BEGIN)) {
        return false;
    }
    bool ok = due_keys(db, now_ms, &due);
    for (size_t i = 0; ok && i < due.n; i++) {
        uint64_t revision;

        ok = delete_row(db, due.changes[i].key, &revision);
    }
    ok = ok &&
         gw_db_run_number(db, GW_DB_UNDUE, now_ms); /* also of what is no text, and no object's */
    gw_db_state_fini(&due);
    return gw_db_end(db, ok);
}

bool
gw_db_lease_anew(struct gw_db *db, uint64_t now_ms)
{
    return gw_db_run_number(db, GW_DB_ANEW, now_ms);
}

bool
gw_db_next_deadline(struct gw_db *db, uint64_t *wall_ms)
{
    sqlite3_int64 first = 0;
    bool ok = gw_db_finish(db, gw_db_fresh(db, GW_DB_DEADLINE), &first);

    *wall_ms = first == 0 ? UINT64_MAX : (uint64_t)first; /* min() of nothing is NULL: 0 */
    return ok;
}
