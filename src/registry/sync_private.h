/* sync_private.h - what sync.c (what is known, and what becomes of it) and sync_calls.c (who asks
 * and writes) share. */
#ifndef GW_REGISTRY_SYNC_PRIVATE_H
#define GW_REGISTRY_SYNC_PRIVATE_H

#include "registry/known.h"
#include "registry/saver.h"
#include "registry/settle.h"
#include "registry/sync.h"
#include "registry/watch.h"

struct gw_sync {
    const struct gw_store_driver *driver;
    void *store; /* NULL while it is being opened */
    struct gw_known *known;
    struct gw_watch *watch; /* NULL: no files */
    struct gw_saver *saver;
    bool dirty; /* not on disk yet */
    struct event *save;
    struct gw_settle *settle;
    gw_sync_batch_fn *batch;
    void *owner;
    struct gw_history *history;
    struct gw_news *news;         /* of the batch that is being given; NULL: none */
    uint64_t told;                /* the revision of the last one */
    uint64_t batches;             /* so far */
    uint64_t begins;              /* the first one of the registry that is followed now */
    uint64_t live, live_revision; /* the last one that all workers have applied, and its revision */
    bool given;                   /* the owner got its first batch */
    bool listed;                  /* by the store, in this life */
    bool knows;                   /* that was so, or the last state was on disk */
    bool told_knows;              /* the owner got a batch that said so */
    size_t shadowed;              /* objects of the store that a file has, too */
    bool counted;                 /* they were since the last change */
    char away_for[200];           /* why the store can't be reached, as it said; "": it can */
    struct gw_sync_status status;
};

#endif
