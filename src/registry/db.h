/*
 * db.h - the SQLite file of the embedded registry: its tables and its transactions.
 *
 * Knows no event loop and no callbacks.  Another process may have the same file open; each
 * call is one transaction.  A call that can't be made answers GW_STORE_UNAVAILABLE (or false),
 * has changed nothing, and gw_db_why() says why.
 */
#ifndef GW_REGISTRY_DB_H
#define GW_REGISTRY_DB_H

#include "registry/files.h"
#include "registry/store.h"

#define GW_DB_KEPT_CHANGES 100000

struct gw_db;

/* Makes folder, file and tables when they are missing.  NULL: see diag, which says what to do.
 * anew: leases get their whole time again, because while no gateway ran nobody could renew them. */
struct gw_db *gw_db_open(const char *path, bool anew, struct gw_diag *diag);
void gw_db_close(struct gw_db *db); /* NULL is fine */

const char *gw_db_why(const struct gw_db *db); /* of the last call that failed; borrowed */
bool gw_db_is_full(const struct gw_db *db);    /* that was for want of room */

/* True when another process has committed something since the last call. */
bool gw_db_touched(struct gw_db *db);

void gw_db_put(struct gw_db *db, const struct gw_store_put *put, struct gw_store_answer *answer);
/* All or none; no two have the same key. */
void gw_db_put_all(struct gw_db *db, const struct gw_store_put *puts, size_t n,
                   struct gw_store_answer *answer);
void gw_db_remove(struct gw_db *db, const char *key, enum gw_store_when when, uint64_t revision,
                  struct gw_store_answer *answer);
void gw_db_renew(struct gw_db *db, const char *key, uint64_t revision, long long lease_ms,
                 struct gw_store_answer *answer);

/* Deletes, each with a revision, what has a lease that ended before now_ms. */
bool gw_db_expire(struct gw_db *db, uint64_t now_ms);
/* Gives all leases that are renewed (they last an hour at most) their whole time again: nobody
 * could renew, or the clock was set. */
bool gw_db_lease_anew(struct gw_db *db, uint64_t now_ms);
/* When the next lease ends; UINT64_MAX: there is none. */
bool gw_db_next_deadline(struct gw_db *db, uint64_t *wall_ms);

/* When each key's lease ends; 0: it has none. */
bool gw_db_leases(struct gw_db *db, const char *const *keys, size_t n, uint64_t *until_ms);

/* The state at one revision.  Start with {0}. */
struct gw_db_state {
    char epoch[33];
    uint64_t revision;
    uint64_t oldest;           /* the first revision whose change is kept */
    struct gw_change *changes; /* owned, as are keys and objects */
    size_t n, size;
    size_t skipped; /* rows that are no objects */
};

/* All objects, each as a change. */
bool gw_db_list(struct gw_db *db, struct gw_db_state *state);
/* The last change of each key after `since`, in order.  Without changes when some are no longer
 * kept or since is ahead: compare with epoch, revision and oldest. */
bool gw_db_changes(struct gw_db *db, uint64_t since, struct gw_db_state *state);
void gw_db_state_fini(struct gw_db_state *state);

#endif
