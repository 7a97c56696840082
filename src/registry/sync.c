#include "registry/sync_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void
set_state(struct gw_sync *s, enum gw_sync_state state, const char *text)
{
    if (state != s->status.state) {
        s->status.since_ms = gw_clock_wall_ms();
    }
    s->status.state = state;
    (void)snprintf(s->status.text, sizeof(s->status.text), "%s", text);
}

/* Fresh, unless something of a store that was replaced is still kept. */
static void
set_reached(struct gw_sync *s)
{
    char text[200];
    size_t orphans = gw_known_orphans(s->known);

    if (s->away_for[0] != '\0') { /* it can be read, and not all is well: what that is was said */
        set_state(s, GW_SYNC_STALE, s->away_for);
        return;
    }
    if (orphans == 0) {
        set_state(s, GW_SYNC_FRESH, "");
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "the registry was wiped or replaced: %zu objects that it does not have are kept "
                   "until it is written to and %d s have passed",
                   orphans, GW_SETTLE_MS / 1000);
    set_state(s, GW_SYNC_STALE, text);
}

static void
mark_dirty(struct gw_sync *s)
{
    s->dirty = true;
    if (s->saver != NULL && event_pending(s->save, EV_TIMEOUT, NULL) == 0) {
        const struct timeval tv = gw_clock_timeval(gw_saver_rest_ms(s->saver));
        (void)event_add(s->save, &tv);
    }
}

/* Also what nobody changes any more has to be on disk, once that takes it. */
static void
on_save_failed(void *owner)
{
    mark_dirty(owner);
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
    struct gw_sync *s = arg;
    struct gw_snapshot snapshot = {0};

    (void)fd;
    (void)what;
    if (gw_saver_is_busy(s->saver)) {
        mark_dirty(s); /* a slow disk: later */
        return;
    }
    s->dirty = false;
    gw_known_save(s->known, &snapshot);
    gw_saver_save(s->saver, &snapshot);
}

/* Files win: what they hold is not changed by the store. */
static void
hide_shadowed(struct gw_sync *s, struct gw_changes *changes)
{
    size_t n = 0;

    for (size_t i = 0; i < changes->n; i++) {
        if (gw_watch_get(s->watch, changes->items[i].key) == NULL) {
            changes->items[n++] = changes->items[i];
        } else {
            free(changes->items[i].key);
            gw_object_unref(changes->items[i].object);
            gw_object_unref(changes->items[i].before);
        }
    }
    changes->n = n;
}

/* Gives the owner a batch, and those who watch the news. */
static void
tell(struct gw_sync *s, const struct gw_changes *changes, enum gw_news_how how)
{
    uint64_t revision = gw_known_revision(s->known);
    bool reset = !s->given;
    bool first = reset || s->knows != s->told_knows; /* before it, nobody can have watched */

    for (size_t i = 0; i < changes->n && gw_watch_count(s->watch) > 0; i++) {
        changes->items[i].from_file = gw_watch_get(s->watch, changes->items[i].key) != NULL;
    }
    if (first) {
        gw_history_start(s->history, revision);
    } else {
        s->news = gw_news_new(changes->items, changes->n, s->told, revision, how);
        if (how != GW_NEWS_BROKEN) {
            gw_history_add(s->history, s->news);
        }
    }
    s->given = true;
    s->told_knows = s->knows;
    s->told = revision;
    s->batches++;
    s->batch(s->owner, changes->items, changes->n, revision, reset, s->knows);
    gw_news_unref(s->news);
    s->news = NULL;
}

/* Gives the owner the changes of the store, and frees them. */
static void
give(struct gw_sync *s, struct gw_changes *changes, enum gw_news_how how)
{
    if (changes->n > 0) {
        mark_dirty(s);
        s->counted = false;
    }
    hide_shadowed(s, changes);
    if (!s->given) {
        struct gw_object *o;
        size_t at = 0;

        while (gw_watch_next(s->watch, &at, &o)) {
            gw_changes_add(changes, o->key, o, NULL, o->revision);
        }
    }
    /* who watches has to know the revision, even if what led to it was never seen here */
    if (changes->n > 0 || !s->given || s->knows != s->told_knows || how == GW_NEWS_BROKEN ||
        gw_known_revision(s->known) > s->told) {
        tell(s, changes, how);
    }
    gw_changes_fini(changes);
}

/* Orphans that were dropped. */
static void
on_gone(void *owner, struct gw_changes *changes)
{
    struct gw_sync *s = owner;

    set_reached(s);
    give(s, changes, GW_NEWS_LOOSE);
}

static void
tell_live(struct gw_sync *s)
{
    if (s->driver->live != NULL) {
        s->driver->live(s->store, s->live >= s->begins ? s->live_revision : 0);
    }
}

static uint64_t
on_listed(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
          const char *epoch, const char *reason)
{
    struct gw_sync *s = owner;
    struct gw_changes changes = {0};
    bool known = gw_known_count(s->known) > 0;
    uint64_t was = gw_known_revision(s->known);
    bool new_epoch = gw_known_is_new(s->known, epoch);
    bool other = gw_known_list(s->known, objects, n, revision, epoch, &changes);
    bool broken = other && (known || was > 0); /* else there was nothing to continue */
    bool replaced = other && known;

    s->listed = true;
    s->knows = true;
    if (other) {
        s->begins = s->batches + 1; /* what is live is of another one */
    }
    if (!replaced && reason != NULL) {
        gw_log_info("registry: listed again, because %s: %zu objects, %zu changes", reason, n,
                    changes.n);
    }
    gw_settle_listed(s->settle, objects, n, replaced, reason);
    set_reached(s);
    mark_dirty(s); /* the epoch or the revision is new, if nothing else */
    if (broken) {
        gw_history_break(s->history, was, revision);
    }
    give(s, &changes, broken ? GW_NEWS_BROKEN : GW_NEWS_NUMBERED);
    tell_live(s);
    return gw_known_orphans(s->known) == 0 ? GW_STORE_ALL_TOLD
           : new_epoch                     ? 0
           : other                         ? revision /* since when is not known here */
                                           : was;
}

static void
on_changed(void *owner, const struct gw_change *changes, size_t n, uint64_t revision)
{
    struct gw_sync *s = owner;
    struct gw_changes out = {0};
    bool newer = revision > gw_known_revision(s->known); /* else: of what was listed */

    gw_known_change(s->known, changes, n, revision, &out);
    gw_settle_changed(s->settle, changes, n);
    set_reached(s);
    give(s, &out, newer ? GW_NEWS_NUMBERED : GW_NEWS_LOOSE);
}

static size_t
on_holds(void *owner)
{
    const struct gw_sync *s = owner;

    return gw_known_count(s->known) - gw_known_orphans(s->known);
}

static void
on_put_back(void *owner)
{
    struct gw_sync *s = owner;

    gw_known_put_back(s->known);
}

static void
on_reachable(void *owner, bool yes, const char *text)
{
    struct gw_sync *s = owner;

    gw_settle_reachable(s->settle, yes);
    s->status.reachable = yes;
    (void)snprintf(s->away_for, sizeof(s->away_for), "%s", yes ? "" : text);
    if (!yes) {
        gw_log_warn("registry: can't be reached: %s; %zu objects that are known stay in use", text,
                    gw_known_count(s->known));
        set_state(s, s->knows ? GW_SYNC_STALE : GW_SYNC_STARTING, text);
        return;
    }
    gw_log_info("registry: reached");
    if (s->listed) {
        set_reached(s);
    }
}

/* What the files hold now wins; what they no longer hold is the store's again. */
static void
on_files(void *owner, const struct gw_change *changes, size_t n)
{
    struct gw_sync *s = owner;
    struct gw_changes out = {0};

    s->counted = false;
    for (size_t i = 0; i < n; i++) {
        struct gw_object *stored = gw_known_get(s->known, changes[i].key);
        struct gw_object *o = changes[i].object != NULL ? changes[i].object : stored;
        struct gw_object *before = changes[i].before != NULL ? changes[i].before : stored;

        gw_changes_add(&out, changes[i].key, o, before, gw_known_revision(s->known));
    }
    if (s->given) {
        tell(s, &out, GW_NEWS_LOOSE);
    }
    gw_changes_fini(&out);
}

static void
load(struct gw_sync *s, const char *path)
{
    struct gw_snapshot snapshot = {0};
    struct gw_diag diag = {0};
    struct gw_changes changes = {0};
    struct gw_buf when = {0};
    char text[200];

    switch (gw_snapshot_load(&snapshot, path, &diag)) {
    case GW_SNAPSHOT_LOADED:
        gw_known_load(s->known, &snapshot, &changes);
        s->knows = true;
        s->status.loaded_ms = snapshot.saved_ms;
        gw_clock_rfc3339(&when, snapshot.saved_ms);
        (void)snprintf(text, sizeof(text),
                       "the state of %s from disk; the registry was not reached since the start",
                       when.p);
        set_state(s, GW_SYNC_STALE, text);
        gw_log_info("registry: %zu objects from %s, saved %s", snapshot.objects.n, path, when.p);
        if (snapshot.orphans > 0) {
            gw_log_warn("registry: %zu of them had been lost by the registry, and are still kept",
                        snapshot.orphans);
        }
        give(s, &changes, GW_NEWS_NUMBERED);
        s->dirty = false; /* that is where it comes from */
        break;
    case GW_SNAPSHOT_NONE:
        break;
    case GW_SNAPSHOT_BROKEN:
        gw_log_warn("registry: %s: %s", path, gw_diag_first(&diag));
        break;
    }
    gw_changes_fini(&changes);
    gw_buf_fini(&when);
    gw_snapshot_fini(&snapshot);
    gw_diag_fini(&diag);
}

static void
free_sync(struct gw_sync *s)
{
    gw_watch_close(s->watch);
    event_free(s->save);
    gw_settle_free(s->settle);
    gw_history_free(s->history);
    gw_known_free(s->known);
    free(s);
}

struct gw_sync *
gw_sync_open(const struct gw_registry_settings *settings, struct event_base *base,
             gw_sync_batch_fn *batch, void *owner, struct gw_diag *diag)
{
    static const struct gw_store_events events = {.listed = on_listed,
                                                  .changed = on_changed,
                                                  .holds = on_holds,
                                                  .put_back = on_put_back,
                                                  .reachable = on_reachable};
    bool redis = settings->driver == 1;
    const void *conf = redis ? (const void *)&settings->redis : (const void *)&settings->sqlite;
    struct gw_sync *s = gw_mem_alloc(sizeof(*s));

    s->driver = redis ? &gw_store_redis : &gw_store_sqlite;
    s->batch = batch;
    s->owner = owner;
    s->known = gw_known_new();
    s->history = gw_history_new((size_t)settings->history);
    s->save = event_new(base, -1, 0, on_save, s);
    s->settle = gw_settle_new(base, s->known, on_gone, s);
    assert(s->save != NULL);
    set_state(s, GW_SYNC_STARTING, "the registry was not reached yet");
    s->status.since_ms = gw_clock_wall_ms();
    if (settings->files != NULL && settings->files[0] != NULL) {
        s->watch = gw_watch_open(settings->files, base, on_files, s);
    }
    s->store = s->driver->open(conf, base, &events, s, diag);
    if (s->store == NULL) {
        free_sync(s);
        return NULL;
    }
    if (settings->snapshot != NULL) {
        load(s, settings->snapshot);
        s->saver = gw_saver_open(settings->snapshot, base, on_save_failed, s);
    }
    if (!s->given && gw_watch_count(s->watch) > 0) {
        struct gw_changes none = {0};
        give(s, &none, GW_NEWS_LOOSE);
    }
    return s;
}

void
gw_sync_close(struct gw_sync *s)
{
    struct gw_snapshot last = {0};

    if (s == NULL) {
        return;
    }
    s->driver->close(s->store);
    if (s->dirty) {
        gw_known_save(s->known, &last);
    }
    gw_saver_close(s->saver, s->dirty ? &last : NULL);
    gw_snapshot_fini(&last);
    free_sync(s);
}

/* Asked for ten times a second, so only after a change, and by a walk over the smaller side. */
static void
count_shadowed(struct gw_sync *s)
{
    struct gw_object *o;
    size_t at = 0;

    s->counted = true;
    s->shadowed = 0;
    if (gw_watch_count(s->watch) < gw_known_count(s->known)) {
        while (gw_watch_next(s->watch, &at, &o)) {
            s->shadowed += gw_known_get(s->known, o->key) != NULL;
        }
    } else {
        while (gw_known_next(s->known, &at, &o)) {
            s->shadowed += gw_watch_get(s->watch, o->key) != NULL;
        }
    }
}

void
gw_sync_status(struct gw_sync *s, struct gw_sync_status *out)
{
    if (!s->counted) {
        count_shadowed(s);
    }
    *out = s->status;
    out->revision = gw_known_revision(s->known);
    out->objects = gw_known_count(s->known) + gw_watch_count(s->watch) - s->shadowed;
    if (s->driver->status != NULL) {
        s->driver->status(s->store, &out->store);
        if (!out->reachable && out->store.text[0] != '\0') { /* said once, but it may change */
            memcpy(out->text, out->store.text, sizeof(out->text));
        }
    }
}

struct gw_news *
gw_sync_news(const struct gw_sync *s)
{
    return s->news;
}

enum gw_store_result
gw_sync_since(const struct gw_sync *s, uint64_t revision, const struct gw_kind *kind,
              struct gw_str ns, struct gw_news **out)
{
    return gw_history_since(s->history, revision, gw_known_revision(s->known), kind, ns, out);
}

void
gw_sync_live(struct gw_sync *s, uint64_t n, uint64_t revision)
{
    s->live = n;
    s->live_revision = revision;
    tell_live(s);
}
