/*
 * watchers.h - those of one worker who watch what is registered (ADR 20).
 *
 * The news come right behind the batch that changes the worker's world, so they are told by the
 * rights that hold since then.  Each watcher has a queue of news that it shares with the others,
 * and a place in it; what its client does not take in time is bounded by limits.watch_backlog.
 */
#ifndef GW_SERVER_WATCHERS_H
#define GW_SERVER_WATCHERS_H

#include "registry/history.h"
#include "server/admin_select.h"
#include "server/admin_table.h"

struct gw_watcher;

/* What is asked for.  Texts are the request's. */
struct gw_watch_wish {
    uint64_t after;       /* the client knows all up to here; with `all`: it is at least of this */
    long long timeout_ms; /* at most timeouts.watch; 0: that */
    bool bookmarks;       /* the client takes them */
    bool all;             /* it begins with all that is there */
    bool initial_end;     /* one of them says when all that was there before has been told */
    struct gw_str ns;     /* "": all */
    const struct gw_kind *kind;
    struct gw_selection selection;
    struct gw_admin_table table; /* the events are rows of it, when it is asked for */
};

/* Worker.  From now on control sends it news (gw_watchers_are_there()); until it is begun, or its
 * request over.  Lives in the request's arena, and leaves with it. */
struct gw_watcher *gw_watcher_new(struct gw_req *req);

/* Worker.  Answers the request by telling `first` (takes the reference), and then all that comes
 * after; `now` is the registry's revision with all of it.  GW_REPLY. */
enum gw_verdict gw_watcher_begin(struct gw_watcher *w, const struct gw_watch_wish *wish,
                                 struct gw_news *first, uint64_t now);

/* Any thread: does anybody watch in this world?  Whoever has sent mail to control is counted. */
bool gw_watchers_are_there(struct gw_world *world);

/* Worker: another configuration is in force.  May they still watch? */
void gw_watchers_review(struct gw_world *world);

/* Worker: after the batch that these news are of. */
void gw_watchers_tell(struct gw_world *world, struct gw_news *news);

#endif
