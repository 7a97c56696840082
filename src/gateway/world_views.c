/*
 * world_views.c - the modules' views of what is registered: their indexes, and what comes into
 * them.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/conf.h"
#include "gateway/world_private.h"

#define ITEMS_AT_ONCE 32 /* between two looks at the clock: some microseconds each */

/* Of a view that has next(), the index is a piece that all share. */
static void *
open_index(struct gw_world *w, const struct gw_view *view)
{
    return view->next != NULL ? view->next(NULL, NULL, 0) : view->open(w);
}

static void
close_index(const struct gw_view *view, void *index)
{
    if (view->next != NULL) {
        gw_piece_unref(index);
    } else {
        view->close(index);
    }
}

static void
put_item(const struct gw_view *view, void **index, const struct gw_batch_item *item)
{
    if (view->next == NULL) {
        view->put(*index, item->key, item->piece);
        return;
    }
    void *before = *index;
    *index = gw_piece_ref(item->piece);
    gw_piece_unref(before);
}

void
gw_world_open_views(struct gw_world *w)
{
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            assert(w->n_views < GW_WORLD_VIEWS_MAX);
            w->views[w->n_views].view = *v;
            w->views[w->n_views++].index = open_index(w, *v);
        }
    }
}

void
gw_world_close_views(struct gw_world *w)
{
    for (size_t i = 0; i < w->n_views; i++) {
        close_index(w->views[i].view, w->views[i].index);
    }
}

void *
gw_world_index(const struct gw_world *w, const struct gw_view *view)
{
    for (size_t i = 0; i < w->n_views; i++) {
        if (w->views[i].view == view) {
            return w->views[i].index;
        }
    }
    abort(); /* not a view of a built-in module */
}

/* Of the view, from at->item on.  False: the time is over. */
static bool
put_items(struct gw_world *w, const struct gw_batch *batch, struct gw_world_part *at,
          uint64_t until_us)
{
    size_t done = 0;

    for (; at->item < batch->n; at->item++) {
        const struct gw_batch_item *item = &batch->items[at->item];

        if (item->view != w->views[at->view].view) {
            continue;
        }
        if (done == ITEMS_AT_ONCE && until_us != UINT64_MAX) {
            done = 0;
            if (gw_clock_mono_us() >= until_us) {
                return false;
            }
        }
        put_item(item->view, &w->views[at->view].index, item);
        done++;
    }
    return true;
}

/* A reset fills a new index and closes the old one after it: what both hold (endpoints and
 * their pools) lives on. */
bool
gw_world_apply_part(struct gw_world *w, const struct gw_batch *batch, struct gw_world_part *at,
                    uint64_t until_us)
{
    for (; at->view < w->n_views; at->view++, at->item = 0) {
        void **index = &w->views[at->view].index;

        if (batch->reset && !at->open) {
            at->old = *index;
            *index = open_index(w, w->views[at->view].view);
            at->open = true;
        }
        bool done = put_items(w, batch, at, until_us);
        if (w->views[at->view].view->settle != NULL) {
            w->views[at->view].view->settle(*index);
        }
        if (!done) {
            return false;
        }
        if (at->open) {
            close_index(w->views[at->view].view, at->old);
            at->open = false;
        }
    }
    w->revision = batch->revision;
    w->known = batch->known;
    return true;
}

void
gw_world_apply(struct gw_world *w, const struct gw_batch *batch)
{
    struct gw_world_part all = {0};

    (void)gw_world_apply_part(w, batch, &all, UINT64_MAX);
}
