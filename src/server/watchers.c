#include "server/watchers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/explain.h"
#include "gateway/explain_attrs.h"
#include "gateway/stream.h"
#include "gateway/worlds.h"
#include "server/watch_sight.h"
#include "server/watch_text.h"

/* Looked at, and sent, for one watcher at a time; then it is the others' turn. */
#define TURN_ITEMS 64
#define TURN_BYTES ((size_t)32 * 1024)
/* Another gateway may know a revision a moment before we do (Kubernetes waits as long). */
#define AHEAD_MS 3000

struct queued {
    struct queued *next;
    struct gw_news *news; /* a reference */
};

struct gw_watcher {
    struct gw_watcher *next, **prev;
    struct gw_req *req;
    struct gw_stream *stream; /* NULL: not begun */
    struct gw_watch_wish wish;
    struct queued *first, **last; /* news to be told, the oldest first */
    size_t at;                    /* in the first: the next item */
    size_t backlog;               /* bytes of those behind the first */
    uint64_t latest;              /* the registry's revision with all that is queued */
    struct gw_timer timer;
    uint64_t end_ms, bookmark_ms, ahead_ms; /* UINT64_MAX: never */
    struct gw_watch_sight sight;            /* what it saw when it was last told something */
    bool in_doubt;                          /* roles have changed: may it still watch? */
    bool broken; /* the store was replaced: the client's revisions mean nothing any more */
    bool ahead;  /* it came from a gateway that knew more than we did */
    bool held;   /* and wants a list that is as new as what it knows: until we have that */
};

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

static const struct gw_settings *
settings_of(const struct gw_watcher *w)
{
    return &((const struct gw_conf *)w->req->snapshot)->settings;
}

/* -- who watches ------------------------------------------------------------------------------- */

static void
drop_first(struct gw_watcher *w)
{
    struct queued *q = w->first;

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
        drop_first(w);
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

/* -- the end ----------------------------------------------------------------------------------- */

/* What has been told is whole, so an ERROR ends it as a last event. */
static void
fail(struct gw_watcher *w, enum gw_err err, const char *end)
{
    struct gw_buf out = {0};

    gw_watch_text_error(&out, err);
    gw_stream_write(w->stream, gw_buf_text(&out));
    gw_buf_fini(&out);
    gw_stream_end(w->stream, end, err);
}

static void
on_forbid(void *arg, enum gw_err why)
{
    fail(arg, why, "revoked");
}

static void
on_drain(void *arg)
{
    struct gw_watcher *w = arg;

    gw_stream_end(w->stream, "drained", GW_ERR_OK);
}

/* -- may it still? ----------------------------------------------------------------------------- */

/* The question that let it in, asked again. */
static bool
may_watch(const struct gw_watcher *w)
{
    const struct gw_req *req = w->req;

    if (req->subject.trusted) {
        return true;
    }
    json_t *attrs = gw_explain_attrs_of(&req->info);
    struct gw_question q = {.user = req->subject.name,
                            .groups = req->subject.groups,
                            .n_groups = req->subject.n_groups,
                            .attrs = attrs};
    struct gw_req *asked = gw_explain_run(gw_world_conf(req->world), req->world, &q);
    bool yes = asked->decision.allowed == GW_ALLOWED;
    gw_arena_free(asked->arena);
    json_decref(attrs);
    return yes;
}

/* -- telling ----------------------------------------------------------------------------------- */

static void
set_timer(struct gw_watcher *w)
{
    uint64_t due = w->end_ms < w->bookmark_ms ? w->end_ms : w->bookmark_ms;

    due = due < w->ahead_ms ? due : w->ahead_ms;
    gw_wheel_set(gw_world_wheel(w->req->world), &w->timer, due);
}

/* May it be told of this one? */
static bool
is_told(const struct gw_watcher *w, struct gw_viewer *v, const struct gw_object *o)
{
    return o != NULL && gw_selection_matches(&w->wish.selection, o) && gw_admin_sees(v, o);
}

static void
tell_item(struct gw_watcher *w, struct gw_viewer *v, const struct gw_news_item *i,
          struct gw_buf *out)
{
    const struct gw_watch_wish *wish = &w->wish;

    if (w->ahead && w->first->news->how == GW_NEWS_NUMBERED && i->revision <= wish->after) {
        return; /* another gateway has told the client of it already */
    }
    if (!gw_news_item_is_of(i, wish->kind, wish->ns)) {
        return;
    }
    bool was = is_told(w, v, i->before);
    bool is = is_told(w, v, i->object);
    if (is) {
        gw_watch_text_event(out, was ? "MODIFIED" : "ADDED", i->object,
                            i->revision != 0 ? i->revision : w->first->news->revision,
                            &wish->table);
    } else if (was) {
        gw_watch_text_deleted(out, i->before, i->revision, &wish->table);
    }
    atomic_fetch_add_explicit(&gw_world_stats(w->req->world)->watch_events, is || was,
                              memory_order_relaxed);
}

static void
tell_bookmark(struct gw_watcher *w, struct gw_buf *out)
{
    uint64_t revision = w->latest > w->wish.after ? w->latest : w->wish.after;

    gw_watch_text_bookmark(out, w->wish.kind, revision, w->wish.initial_end, &w->wish.table);
    w->wish.initial_end = false;
}

/* True: it is gone. */
static bool
end_if_it_must(struct gw_watcher *w)
{
    if (w->in_doubt && !may_watch(w)) { /* first: who lists anew would only be refused then */
        fail(w, GW_ERR_FORBIDDEN, "revoked");
        return true;
    }
    if (w->broken) {
        fail(w, GW_ERR_TOO_OLD, "expired");
        return true;
    }
    w->in_doubt = false;
    if (w->backlog > (size_t)settings_of(w)->limits.watch_backlog) {
        atomic_fetch_add_explicit(&gw_world_stats(w->req->world)->watches_too_slow, 1,
                                  memory_order_relaxed);
        fail(w, GW_ERR_WATCH_TOO_SLOW, "watch_too_slow");
        return true;
    }
    return false;
}

static void
tell_some(struct gw_watcher *w, struct gw_buf *out)
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_viewer viewer;

    gw_viewer_init_in(&viewer, w->req, arena);
    for (unsigned n = 0; w->first != NULL && n < TURN_ITEMS && out->n < TURN_BYTES; n++) {
        if (w->at < w->first->news->n) {
            tell_item(w, &viewer, &w->first->news->items[w->at++], out);
        } else {
            drop_first(w);
        }
    }
    gw_arena_free(arena);
}

/* As much as one turn may have.  The watcher may be gone afterwards. */
static void
go(struct gw_watcher *w)
{
    struct gw_buf out = {0};

    w->held = w->held && w->latest < w->wish.after;
    if (end_if_it_must(w) || w->held || !gw_stream_has_room(w->stream)) {
        return;
    }
    tell_some(w, &out);
    if (w->first == NULL && w->wish.initial_end) {
        tell_bookmark(w, &out);
    }
    gw_stream_write(w->stream, gw_buf_text(&out));
    gw_buf_fini(&out);
    if (w->first != NULL && gw_stream_has_room(w->stream)) {
        gw_stream_later(w->stream); /* else it is called when there is room */
    }
}

static void
on_go(void *arg)
{
    go(arg);
}

/* Not from within one mail for all: each may have to be asked about, and the loop lets requests in
 * between.  One whose head is not out yet goes on when it is. */
static void
go_soon(struct gw_watcher *w)
{
    if (w->stream->open) {
        gw_stream_later(w->stream);
    }
}

/* -- deadlines --------------------------------------------------------------------------------- */

static void
on_timer(struct gw_timer *t)
{
    struct gw_watcher *w = (struct gw_watcher *)((char *)t - offsetof(struct gw_watcher, timer));
    uint64_t now = gw_world_now_ms(w->req->world);
    bool over = now >= w->end_ms;
    struct gw_buf out = {0};

    if (!w->stream->open) { /* a step before the answer's head takes its time */
        gw_wheel_set(gw_world_wheel(w->req->world), t, now + GW_WHEEL_TICK_MS);
        return;
    }
    if (end_if_it_must(w)) { /* its turn has not come yet, and no bookmark may go before it */
        return;
    }
    if (now >= w->ahead_ms) {
        if (w->latest < w->wish.after) {
            fail(w, GW_ERR_TOO_OLD, "expired");
            return;
        }
        w->ahead_ms = UINT64_MAX;
    }
    if ((over || now >= w->bookmark_ms) && w->wish.bookmarks && w->first == NULL &&
        gw_stream_has_room(w->stream)) {
        tell_bookmark(w, &out);
        gw_stream_write(w->stream, gw_buf_text(&out));
        gw_buf_fini(&out);
    }
    if (over) {
        gw_stream_end(w->stream, "watch_over", GW_ERR_OK);
        return;
    }
    if (now >= w->bookmark_ms) {
        w->bookmark_ms = now + (uint64_t)settings_of(w)->timeouts.watch_bookmark;
    }
    set_timer(w);
}

/* Not all who began together shall list again together. */
static uint64_t
end_of(const struct gw_watcher *w, uint64_t now)
{
    uint64_t most = (uint64_t)settings_of(w)->timeouts.watch;
    uint64_t asked = (uint64_t)w->wish.timeout_ms;

    return now + (asked > 0 && asked < most ? asked : most - gw_clock_mono_us() % (most / 4));
}

/* -- the way in -------------------------------------------------------------------------------- */

static void
queue(struct gw_watcher *w, struct gw_news *news)
{
    struct queued *q = gw_mem_alloc(sizeof(*q));

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
    uint64_t now_ms = gw_world_now_ms(w->req->world);

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
    w->end_ms = end_of(w, now_ms);
    w->bookmark_ms =
        wish->bookmarks ? now_ms + (uint64_t)settings_of(w)->timeouts.watch_bookmark : UINT64_MAX;
    w->in_doubt = true; /* roles may have changed while control was asked */
    w->held = wish->all && wish->after > now;
    w->ahead = !wish->all && wish->after > now;
    w->ahead_ms = wish->after > now ? now_ms + AHEAD_MS : UINT64_MAX;
    w->timer.fire = on_timer;
    set_timer(w);
    return gw_stream_reply(w->req, GW_STR("application/json"), &events, w, &w->stream);
}

/* Of large news it is found out bit by bit. */
static bool
are_for(const struct gw_news *news, const struct gw_watcher *w)
{
    for (size_t i = 0; i < news->n && i < TURN_ITEMS; i++) {
        if (gw_news_item_is_of(&news->items[i], w->wish.kind, w->wish.ns)) {
            return true;
        }
    }
    return news->n > TURN_ITEMS;
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
