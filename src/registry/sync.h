/*
 * sync.h - the registry as the rest of the gateway sees it.
 *
 * Owns the driver, keeps all objects in memory (control thread), keeps the last good state on
 * disk (snapshot.h), merges read-only objects from files over the store's, and tells one
 * subscriber every change as a batch.  Nothing expires and nothing is forgotten while the
 * store can't be reached; a store that comes back empty, with another epoch or an older
 * revision is reconciled with a warning, never taken as "no routes" in silence.
 */
#ifndef GW_REGISTRY_SYNC_H
#define GW_REGISTRY_SYNC_H

#include "config/schema.h"
#include "registry/history.h"

struct gw_registry_settings {
    int driver; /* 0 sqlite, 1 redis */
    struct gw_registry_sqlite sqlite;
    struct gw_registry_redis redis;
    const char *const *files; /* files and folders of objects: read-only, win over the store */
    const char *snapshot;     /* path of the last good state */
    long long history;        /* bytes that the last changes may keep alive */
    long long waiters;        /* requests that may wait for their writes at a time */
};

extern const struct gw_setting gw_registry_rows[]; /* the `registry:` section */

/* Do they fit together, as far as that is known before the store is opened?  False: see diag. */
bool gw_registry_check(const struct gw_registry_settings *s, struct gw_diag *diag);

enum gw_sync_state {
    GW_SYNC_STARTING, /* nothing known of the store yet, not even from disk */
    GW_SYNC_STALE,    /* from disk, or the store is lost since since_ms */
    GW_SYNC_FRESH
};

struct gw_sync_status {
    enum gw_sync_state state;
    uint64_t since_ms; /* wall clock of the last change of state */
    uint64_t revision;
    size_t objects;
    char text[200]; /* why it is not fresh */
    bool reachable; /* the store, now */
    uint64_t
        loaded_ms; /* wall clock: when what was on disk at the start was saved; 0: nothing was */
    struct gw_store_status store;
};

struct gw_sync;

/* A batch is applied together or not at all.  reset: what is not in the batch is gone.  known: with
 * it, what is not there is not registered; else it may be in the store, of which nothing is known
 * yet, and all that was given is from files. */
typedef void gw_sync_batch_fn(void *owner, const struct gw_change *changes, size_t n,
                              uint64_t revision, bool reset, bool known);

/* NULL: see diag.  Calls `batch` from within for what is on disk and in files. */
struct gw_sync *gw_sync_open(const struct gw_registry_settings *s, struct event_base *base,
                             gw_sync_batch_fn *batch, void *owner, struct gw_diag *diag);
void gw_sync_close(struct gw_sync *s); /* writes the snapshot */

void gw_sync_status(struct gw_sync *s, struct gw_sync_status *out);

/* Reads from memory.  get: a new reference, or NULL.  list: calls each in key order. */
struct gw_object *gw_sync_get(struct gw_sync *s, const char *key);
void gw_sync_list(struct gw_sync *s, const struct gw_kind *kind, struct gw_str ns,
                  void (*each)(void *arg, struct gw_object *o), void *arg);

/* The same changes as the batch that is being given, for those who watch; borrowed, only within
 * `batch`.  NULL: it is the first, before which nobody can have watched. */
struct gw_news *gw_sync_news(const struct gw_sync *s);

/* What came after a revision (history.h). */
enum gw_store_result gw_sync_since(const struct gw_sync *s, uint64_t revision,
                                   const struct gw_kind *kind, struct gw_str ns,
                                   struct gw_news **out);

/* Is it in a file (registry.files)?  Then all writes of it are GW_STORE_READ_ONLY. */
bool gw_sync_is_read_only(const struct gw_sync *s, const char *key);

/* Writes go to the store; done is called once the store has answered AND the change has been
 * given to `batch` (so that whoever gets the answer sees it live). */
void gw_sync_put(struct gw_sync *s, const struct gw_store_put *put, gw_store_done_fn *done,
                 void *arg);
/* All or none, and `batch` is given all at once; no two have the same key. */
void gw_sync_put_all(struct gw_sync *s, const struct gw_store_put *puts, size_t n,
                     gw_store_done_fn *done, void *arg);
void gw_sync_remove(struct gw_sync *s, const char *key, enum gw_store_when when, uint64_t revision,
                    gw_store_done_fn *done, void *arg);
void gw_sync_renew(struct gw_sync *s, const char *key, uint64_t revision, long long lease_ms,
                   gw_store_done_fn *done, void *arg);

/* When the leases of these keys end, asked of the store now; at once, and not told, while it is
 * known to be away. */
void gw_sync_leases(struct gw_sync *s, const char *const *keys, size_t n, gw_store_leases_fn *done,
                    void *arg);

/* All workers have applied the n-th batch (from 1), which made them route by the revision. */
void gw_sync_live(struct gw_sync *s, uint64_t n, uint64_t revision);

/* Before a write whose answer waits for all gateways. */
void gw_sync_await(struct gw_sync *s);

/* Has the write (its answer's mark, or NULL) been given to `batch`? */
bool gw_sync_has(struct gw_sync *s, const struct gw_store_mark *mark);

/* Calls done once all gateways that share the store, and live, route by the write, as this one
 * does, or have not for too long; at once where the store knows of no others. */
void gw_sync_when_fleet(struct gw_sync *s, const struct gw_store_mark *mark,
                        gw_store_fleet_fn *done, void *arg);
/* Nobody waits any more: done is not called.  False: there is none of that arg. */
bool gw_sync_forget_fleet(struct gw_sync *s, const void *arg);

/* This gateway is about to end: the others need not wait for it. */
void gw_sync_part(struct gw_sync *s);

#endif
