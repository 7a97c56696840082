/*
 * admin_watch.c - `?watch=true`: what is asked for, and where it begins (Kubernetes API concepts,
 * "Efficient detection of changes").
 *
 * Control says what is there, or what came since, and from then on sends this worker the news:
 * both on one thread and through one mailbox, so that nothing is missed and nothing told twice.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "server/admin_errand.h"
#include "server/watchers.h"

enum from {
    FROM_ALL,   /* all that is there, as if it had just been made; then what comes */
    FROM_SINCE, /* what came after a revision */
    FROM_NOW,
};

struct watch {
    struct gw_watcher *watcher;
    struct gw_watch_wish wish;
    enum from from;
};

static bool
says(const struct gw_admin_call *call, const char *parameter, const char *word)
{
    return gw_str_eq(gw_admin_query(call, parameter), gw_str_of(word));
}

static enum gw_verdict
read_wish(struct gw_admin_call *call, struct watch *w)
{
    uint64_t revision = 0;
    uint64_t seconds = 0;
    enum gw_verdict v = gw_admin_number(call, "resourceVersion", &revision);

    if (v == GW_NEXT) {
        v = gw_admin_number(call, "timeoutSeconds", &seconds);
    }
    if (v == GW_NEXT) {
        v = gw_selection_read(&w->wish.selection, call);
    }
    v = v == GW_NEXT ? gw_admin_table_read(&w->wish.table, call) : v;
    if (v != GW_NEXT) {
        return v;
    }
    bool initial = says(call, "sendInitialEvents", "true") ||
                   (revision == 0 && !says(call, "sendInitialEvents", "false"));
    w->wish.all = initial;
    w->from = initial ? FROM_ALL : revision == 0 ? FROM_NOW : FROM_SINCE;
    w->wish.kind = call->kind;
    w->wish.ns = call->ns;
    w->wish.after = revision;
    w->wish.timeout_ms = seconds > INT32_MAX ? 0 : (long long)seconds * 1000;
    w->wish.bookmarks =
        says(call, "allowWatchBookmarks", "true") || says(call, "allowWatchBookmarks", "1");
    w->wish.initial_end = w->wish.bookmarks && says(call, "sendInitialEvents", "true");
    return GW_NEXT;
}

/* Control. */
static void
subscribe(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);
    struct gw_sync_status status;

    if (!gw_errand_registry_known(e)) {
        gw_errand_return(e);
        return;
    }
    gw_sync_status(sync, &status);
    e->result = GW_STORE_OK;
    switch ((enum from)e->from) {
    case FROM_ALL:
        gw_sync_list(sync, e->kind, gw_str_of(e->ns), gw_errand_collect, e);
        break;
    case FROM_SINCE:
        e->result = gw_sync_since(sync, e->revision, e->kind, gw_str_of(e->ns), &e->news);
        break;
    case FROM_NOW:
        break;
    }
    e->revision = status.revision;
    gw_errand_return(e);
}

/* Worker. */
static enum gw_verdict
begin(struct gw_errand *e, struct gw_admin_call *call)
{
    struct watch *w = call->watch;
    struct gw_news *first = e->news;

    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    if (first == NULL) {
        first = gw_news_of_objects(e->objects, e->n_objects, e->revision);
        e->n_objects = 0; /* theirs are the references now */
    }
    e->news = NULL;
    return gw_watcher_begin(w->watcher, &w->wish, first, e->revision);
}

enum gw_verdict
gw_admin_watch(struct gw_admin_call *call)
{
    struct watch *w = gw_arena_alloc(call->req->arena, sizeof(*w));
    struct gw_errand *e;
    enum gw_verdict v = read_wish(call, w);

    if (v != GW_NEXT) {
        return v;
    }
    call->watch = w;
    w->watcher = gw_watcher_new(call->req);
    e = gw_errand_new(call, subscribe, begin);
    e->kind = call->kind;
    e->ns = gw_mem_strndup(call->ns);
    e->from = w->from;
    e->revision = w->wish.after;
    return gw_errand_send(e);
}
