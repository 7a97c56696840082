#include "server/watchers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "server/watchers_private.h"

/* Of one worker. */
struct watchers {
    struct gw_watcher *all;
};

static struct watchers *
watchers_of(struct gw_world *world)
{
    static const char key;

    return gw_world_state(world, &key, sizeof(struct watchers));
}

/* -- who watches ------------------------------------------------------------------------------- */

void
gw_watcher_drop_first(struct gw_watcher *w)
{
    struct gw_watch_queued *q = w->first;

    w->first = q->next;
    if (w->first == NULL) {
        w->last = &w->first;
    } else {
        w->backlog -= w->first->news->bytes;
    }
    w->at = 0;
    gw_news_unref(q->news);
    free(q);
}

static void
leave(void *arg)
{
    struct gw_watcher *w = arg;

    while (w->first != NULL) {
        gw_watcher_drop_first(w);
    }
    gw_wheel_cancel(&w->timer);
    if (w->prev != NULL) {
        *w->prev = w->next;
        if (w->next != NULL) {
            w->next->prev = w->prev;
        }
    }
    atomic_fetch_sub_explicit(&gw_world_stats(w->req->world)->watches, 1, memory_order_relaxed);
}

struct gw_watcher *
gw_watcher_new(struct gw_req *req)
{
    struct gw_watcher *w = gw_arena_alloc(req->arena, sizeof(*w));

    w->req = req;
    w->last = &w->first;
    atomic_fetch_add_explicit(&gw_world_stats(req->world)->watches, 1, memory_order_relaxed);
    gw_arena_defer(req->arena, leave, w);
    return w;
}

bool
gw_watchers_are_there(struct gw_world *world)
{
    return atomic_load_explicit(&gw_world_stats(world)->watches, memory_order_relaxed) > 0;
}

/* -- what its stream says ---------------------------------------------------------------------- */

static void
on_go(void *arg)
{
    gw_watcher_go(arg);
}

static void
on_forbid(void *arg, enum gw_err why)
{
    gw_watcher_fail(arg, why, "revoked");
}

static void
on_drain(void *arg)
{
    struct gw_watcher *w = arg;

    gw_stream_end(w->stream, "drained", GW_ERR_OK);
}

/* -- the way in -------------------------------------------------------------------------------- */

static void
queue(struct gw_watcher *w, struct gw_news *news)
{
    struct gw_watch_queued *q = gw_mem_alloc(sizeof(*q));

    q->news = gw_news_ref(news);
    *w->last = q;
    w->last = &q->next;
    w->backlog += w->first == q ? 0 : news->bytes;
}

static struct gw_watch_sight
sight_of(const struct gw_watcher *w)
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_viewer viewer;

    gw_viewer_init_in(&viewer, w->req, arena);
    struct gw_watch_sight sight = gw_watch_sight_now(&viewer);
    gw_arena_free(arena);
    return sight;
}

enum gw_verdict
gw_watcher_begin(struct gw_watcher *w, const struct gw_watch_wish *wish, struct gw_news *first,
                 uint64_t now)
{
    static const struct gw_stream_events events = {
        .go = on_go, .drain = on_drain, .forbid = on_forbid};
    struct watchers *all = watchers_of(w->req->world);

    w->wish = *wish;
    w->latest = now;
    w->sight = sight_of(w);
    queue(w, first);
    gw_news_unref(first);
    w->next = all->all;
    w->prev = &all->all;
    if (w->next != NULL) {
        w->next->prev = &w->next;
    }
    all->all = w;
    w->in_doubt = true; /* roles may have changed while control was asked */
    w->held = wish->all && wish->after > now;
    w->ahead = !wish->all && wish->after > now;
    gw_watcher_set_clock(w);
    return gw_stream_reply(w->req, GW_STR("application/json"), &events, w, &w->stream);
}

/* -- news -------------------------------------------------------------------------------------- */

/* Not from within one mail for all: each may have to be asked about, and the loop lets requests in
 * between.  One whose head is not out yet goes on when it is. */
static void
go_soon(struct gw_watcher *w)
{
    if (w->stream->open) {
        gw_stream_later(w->stream);
    }
}

/* Of large news it is found out bit by bit. */
static bool
are_for(const struct gw_news *news, const struct gw_watcher *w)
{
    for (size_t i = 0; i < news->n && i < GW_WATCH_TURN_ITEMS; i++) {
        if (gw_news_item_is_of(&news->items[i], w->wish.kind, w->wish.ns)) {
            return true;
        }
    }
    return news->n > GW_WATCH_TURN_ITEMS;
}

/* It sees other extensions than before: there are no events for that, but it can list again. */
static bool
sees_others(struct gw_watcher *w, const struct gw_watch_turn *turn)
{
    struct gw_viewer viewer;

    if (turn == NULL || w->req->subject.trusted || !gw_admin_is_of_extensions(w->wish.kind)) {
        return false;
    }
    struct gw_arena *arena = gw_arena_new();
    gw_viewer_init_in(&viewer, w->req, arena);
    bool yes = gw_watch_sight_turns(&viewer, turn, w->wish.kind, &w->sight);
    gw_arena_free(arena);
    return yes;
}

static void
hear(struct gw_watcher *w, struct gw_news *news)
{
    if (are_for(news, w)) {
        queue(w, news);
    }
    w->latest = news->revision;
    go_soon(w);
}

void
gw_watchers_review(struct gw_world *world)
{
    for (struct gw_watcher *w = watchers_of(world)->all; w != NULL; w = w->next) {
        w->in_doubt = true;
        go_soon(w);
    }
}

void
gw_watchers_tell(struct gw_world *world, struct gw_news *news)
{
    struct gw_watcher *first = watchers_of(world)->all;

    if (first == NULL) {
        return;
    }
    struct gw_arena *arena = gw_arena_new();
    const struct gw_watch_turn *turn = gw_watch_turn_read(news, arena);
    for (struct gw_watcher *w = first; w != NULL; w = w->next) {
        w->in_doubt |= turn != NULL && turn->of_roles;
        w->broken |= news->how == GW_NEWS_BROKEN || sees_others(w, turn);
        hear(w, news);
    }
    gw_arena_free(arena);
}
