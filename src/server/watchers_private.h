/*
 * watchers_private.h - one who watches, as watchers.c (who there is, and what is for them) and
 * watch_tell.c (what one of them is told, and when) see it.  Worker.
 */
#ifndef GW_SERVER_WATCHERS_PRIVATE_H
#define GW_SERVER_WATCHERS_PRIVATE_H

#include "gateway/conf.h"
#include "gateway/stream.h"
#include "server/watch_sight.h"
#include "server/watchers.h"

/* Looked at for one watcher at a time; then it is the others' turn. */
#define GW_WATCH_TURN_ITEMS 64

struct gw_watch_queued {
    struct gw_watch_queued *next;
    struct gw_news *news; /* a reference */
};

struct gw_watcher {
    struct gw_watcher *next, **prev;
    struct gw_req *req;
    struct gw_stream *stream; /* NULL: not begun */
    struct gw_watch_wish wish;
    struct gw_watch_queued *first, **last; /* news to be told, the oldest first */
    size_t at;                             /* in the first: the next item */
    size_t backlog;                        /* bytes of those behind the first */
    uint64_t latest;                       /* the registry's revision with all that is queued */
    struct gw_timer timer;
    uint64_t end_ms, bookmark_ms, ahead_ms; /* UINT64_MAX: never */
    struct gw_watch_sight sight;            /* what it saw when it was last told something */
    bool in_doubt;                          /* roles have changed: may it still watch? */
    bool broken; /* the store was replaced: the client's revisions mean nothing any more */
    bool ahead;  /* it came from a gateway that knew more than we did */
    bool held;   /* and wants a list that is as new as what it knows: until we have that */
};

static inline const struct gw_settings *
gw_watcher_settings(const struct gw_watcher *w)
{
    return &((const struct gw_conf *)w->req->snapshot)->settings;
}

/* The news that it was told last are not needed any more. */
void gw_watcher_drop_first(struct gw_watcher *w);

/* watch_tell.c.  Its end, its bookmarks, and how long it waits for what it knows already: from now
 * on, as it wished. */
void gw_watcher_set_clock(struct gw_watcher *w);

/* As much as one turn may have.  The watcher may be gone afterwards. */
void gw_watcher_go(struct gw_watcher *w);

/* It is told the error as a last event, and is gone.  end: static, for the log. */
void gw_watcher_fail(struct gw_watcher *w, enum gw_err err, const char *end);

#endif
