/*
 * watch_tell.c - what one who watches is told, and when: news at its turn, bookmarks, and the end.
 */
#include "base/clock.h"
#include "gateway/explain.h"
#include "gateway/explain_attrs.h"
#include "gateway/worlds.h"
#include "server/watch_text.h"
#include "server/watchers_private.h"

/* Sent at a time; then it is the others' turn. */
#define TURN_BYTES ((size_t)32 * 1024)
/* Another gateway may know a revision a moment before we do (Kubernetes waits as long). */
#define AHEAD_MS 3000

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

/* What has been told is whole, so an ERROR ends it as a last event. */
void
gw_watcher_fail(struct gw_watcher *w, enum gw_err err, const char *end)
{
    struct gw_buf out = {0};

    if (err == GW_ERR_TOO_NEW) {
        gw_watch_text_too_new(&out, w->wish.after, w->latest);
    } else {
        gw_watch_text_error(&out, err);
    }
    gw_stream_write(w->stream, gw_buf_text(&out));
    gw_buf_fini(&out);
    gw_stream_end(w->stream, end, err);
}

/* -- telling ----------------------------------------------------------------------------------- */

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
        gw_watcher_fail(w, GW_ERR_FORBIDDEN, "revoked");
        return true;
    }
    if (w->broken) {
        gw_watcher_fail(w, GW_ERR_TOO_OLD, "expired");
        return true;
    }
    w->in_doubt = false;
    if (w->backlog > (size_t)gw_watcher_settings(w)->limits.watch_backlog) {
        atomic_fetch_add_explicit(&gw_world_stats(w->req->world)->watches_too_slow, 1,
                                  memory_order_relaxed);
        gw_watcher_fail(w, GW_ERR_WATCH_TOO_SLOW, "watch_too_slow");
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
    for (unsigned n = 0; w->first != NULL && n < GW_WATCH_TURN_ITEMS && out->n < TURN_BYTES; n++) {
        if (w->at < w->first->news->n) {
            tell_item(w, &viewer, &w->first->news->items[w->at++], out);
        } else {
            gw_watcher_drop_first(w);
        }
    }
    gw_arena_free(arena);
}

/* As much as one turn may have.  The watcher may be gone afterwards. */
void
gw_watcher_go(struct gw_watcher *w)
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

/* -- deadlines --------------------------------------------------------------------------------- */

static void
set_timer(struct gw_watcher *w)
{
    uint64_t due = w->end_ms < w->bookmark_ms ? w->end_ms : w->bookmark_ms;

    due = due < w->ahead_ms ? due : w->ahead_ms;
    gw_wheel_set(gw_world_wheel(w->req->world), &w->timer, due);
}

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
            gw_watcher_fail(w, GW_ERR_TOO_NEW, "too_new");
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
        w->bookmark_ms = now + (uint64_t)gw_watcher_settings(w)->timeouts.watch_bookmark;
    }
    set_timer(w);
}

/* Not all who began together shall list again together. */
static uint64_t
end_of(const struct gw_watcher *w, uint64_t now)
{
    uint64_t most = (uint64_t)gw_watcher_settings(w)->timeouts.watch;
    uint64_t asked = (uint64_t)w->wish.timeout_ms;

    return now + (asked > 0 && asked < most ? asked : most - gw_clock_mono_us() % (most / 4));
}

void
gw_watcher_set_clock(struct gw_watcher *w)
{
    uint64_t now_ms = gw_world_now_ms(w->req->world);

    w->end_ms = end_of(w, now_ms);
    w->bookmark_ms = w->wish.bookmarks
                         ? now_ms + (uint64_t)gw_watcher_settings(w)->timeouts.watch_bookmark
                         : UINT64_MAX;
    w->ahead_ms = w->wish.after > w->latest ? now_ms + AHEAD_MS : UINT64_MAX;
    w->timer.fire = on_timer;
    set_timer(w);
}
