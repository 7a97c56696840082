#include "registry/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct gw_history {
    struct gw_news **list; /* the oldest at `at` */
    size_t at, n, size;
    size_t bytes, most_bytes;
    uint64_t base; /* who knows this revision can be told all that came later */
    uint64_t lost; /* the last number of a store that was replaced */
};

/* -- news -------------------------------------------------------------------------------------- */

static size_t
weight(const struct gw_object *o)
{
    return o == NULL ? 0 : sizeof(*o) + strlen(o->key) + strlen(o->ns) + 2 + o->json_bytes;
}

static struct gw_news *
make(size_t n, uint64_t revision, enum gw_news_how how)
{
    size_t bytes = sizeof(struct gw_news) + n * sizeof(struct gw_news_item);
    struct gw_news *news = gw_mem_alloc(bytes);

    atomic_init(&news->refs, 1);
    news->how = how;
    news->revision = revision;
    news->since = revision;
    news->whole = true;
    news->bytes = bytes;
    news->n = n;
    return news;
}

static bool
is_deletion(const struct gw_news_item *i)
{
    return i->object == NULL;
}

/* A deletion may only be known to be no later than the revision that it has. */
static int
by_revision(const void *a, const void *b)
{
    const struct gw_news_item *x = a;
    const struct gw_news_item *y = b;

    if (x->revision != y->revision) {
        return x->revision > y->revision ? 1 : -1;
    }
    return is_deletion(y) - is_deletion(x);
}

/* What follows from a listing stands in no order, and has each object once; what was followed is
 * in order already, and may have one several times. */
static void
put_in_order(struct gw_news *news)
{
    for (size_t i = 1; i < news->n; i++) {
        if (by_revision(&news->items[i], &news->items[i - 1]) < 0) {
            qsort(news->items, news->n, sizeof(struct gw_news_item), by_revision);
            return;
        }
    }
}

/* Is there a change for each revision since the news before?  Else the store has had some that we
 * never saw: of an object that was changed again, or was made and is gone. */
static bool
is_whole(const struct gw_news *news)
{
    for (size_t i = 0; i < news->n; i++) {
        if (news->items[i].revision != news->since + i + 1) {
            return false;
        }
    }
    return news->since + news->n == news->revision;
}

/* Whoever was told of one of those with the same revision is not to think that it has all: only the
 * last has it, and the others the one before, at which nobody can go on (is_whole() has said no).
 */
static void
tell_apart(struct gw_news *news)
{
    for (size_t i = 1; i < news->n; i++) {
        struct gw_news_item *one = &news->items[i - 1];

        if (one->revision == news->items[i].revision && one->revision > news->since + 1) {
            one->revision--;
        }
    }
}

struct gw_news *
gw_news_new(const struct gw_change *changes, size_t n, uint64_t since, uint64_t revision,
            enum gw_news_how how)
{
    struct gw_news *news = make(n, revision, how);

    for (size_t i = 0; i < n; i++) {
        const struct gw_change *c = &changes[i];

        news->items[i] =
            (struct gw_news_item){.object = c->object == NULL ? NULL : gw_object_ref(c->object),
                                  .before = c->before == NULL ? NULL : gw_object_ref(c->before),
                                  .revision = c->revision};
        news->bytes += weight(c->object) + weight(c->before);
    }
    put_in_order(news);
    if (how == GW_NEWS_NUMBERED) {
        news->since = since;
        news->whole = is_whole(news);
        tell_apart(news);
    }
    return news;
}

struct gw_news *
gw_news_of_objects(struct gw_object *const *objects, size_t n, uint64_t revision)
{
    struct gw_news *news = make(n, revision, GW_NEWS_NUMBERED);

    for (size_t i = 0; i < n; i++) {
        news->items[i] =
            (struct gw_news_item){.object = objects[i], .revision = objects[i]->revision};
        news->bytes += weight(objects[i]);
    }
    return news;
}

struct gw_news *
gw_news_ref(struct gw_news *n)
{
    (void)atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    return n;
}

void
gw_news_unref(struct gw_news *n)
{
    if (n == NULL || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        gw_object_unref(n->items[i].object);
        gw_object_unref(n->items[i].before);
    }
    free(n);
}

bool
gw_news_item_is_of(const struct gw_news_item *i, const struct gw_kind *kind, struct gw_str ns)
{
    const struct gw_object *o = i->object != NULL ? i->object : i->before;

    return o != NULL && o->kind == kind && (ns.n == 0 || gw_str_eq(ns, gw_str_of(o->ns)));
}

/* -- the history ------------------------------------------------------------------------------- */

struct gw_history *
gw_history_new(size_t most_bytes)
{
    struct gw_history *h = gw_mem_alloc(sizeof(*h));

    h->most_bytes = most_bytes;
    return h;
}

static void
drop_oldest(struct gw_history *h)
{
    struct gw_news *oldest = h->list[h->at++];
    /* a loose change may be unknown at its very revision */
    uint64_t base = oldest->revision + (oldest->how == GW_NEWS_LOOSE);

    h->n--;
    h->bytes -= oldest->bytes;
    h->base = base > h->base ? base : h->base;
    gw_news_unref(oldest);
}

void
gw_history_start(struct gw_history *h, uint64_t revision)
{
    while (h->n > 0) {
        drop_oldest(h);
    }
    h->at = 0;
    h->base = revision;
}

void
gw_history_break(struct gw_history *h, uint64_t was, uint64_t revision)
{
    gw_history_start(h, revision);
    h->lost = was;
}

void
gw_history_free(struct gw_history *h)
{
    if (h != NULL) {
        gw_history_start(h, 0);
        free(h->list);
        free(h);
    }
}

void
gw_history_add(struct gw_history *h, struct gw_news *news)
{
    if (h->at + h->n == h->size) {
        if (h->at > h->size / 2) { /* what was dropped makes room */
            memmove(h->list, h->list + h->at, h->n * sizeof(struct gw_news *));
            h->at = 0;
        } else {
            h->size = h->size == 0 ? 64 : h->size * 2;
            h->list = gw_mem_resize(h->list, h->size * sizeof(struct gw_news *));
        }
    }
    h->list[h->at + h->n++] = gw_news_ref(news);
    h->bytes += news->bytes;
    while (h->bytes > h->most_bytes) {
        drop_oldest(h);
    }
}

/* Whoever was told of a loose change, and whoever was not, may be at the same revision: rather
 * twice than never. */
static bool
is_after(const struct gw_news *news, const struct gw_news_item *i, uint64_t revision)
{
    return i->revision > revision || (news->how == GW_NEWS_LOOSE && i->revision == revision);
}

/* Counts them; with `to`, puts them there, too. */
static size_t
pick(const struct gw_history *h, uint64_t revision, const struct gw_kind *kind, struct gw_str ns,
     struct gw_news *to)
{
    size_t n = 0;

    for (size_t k = h->at; k < h->at + h->n; k++) {
        const struct gw_news *news = h->list[k];

        for (size_t i = 0; news->revision >= revision && i < news->n; i++) {
            const struct gw_news_item *item = &news->items[i];

            if (!is_after(news, item, revision) || !gw_news_item_is_of(item, kind, ns)) {
                continue;
            }
            if (to != NULL) {
                to->items[n] = (struct gw_news_item){
                    .object = item->object == NULL ? NULL : gw_object_ref(item->object),
                    .before = item->before == NULL ? NULL : gw_object_ref(item->before),
                    .revision = item->revision};
            }
            n++;
        }
    }
    return n;
}

/* Is it between two news, where another gateway may have known of what we never saw? */
static bool
is_in_a_gap(const struct gw_history *h, uint64_t revision)
{
    for (size_t k = h->at; k < h->at + h->n; k++) {
        const struct gw_news *news = h->list[k];

        if (!news->whole && news->since < revision && revision < news->revision) {
            return true;
        }
    }
    return false;
}

enum gw_store_result
gw_history_since(const struct gw_history *h, uint64_t revision, uint64_t now,
                 const struct gw_kind *kind, struct gw_str ns, struct gw_news **out)
{
    if (revision < h->base || (revision > now && revision <= h->lost) || is_in_a_gap(h, revision)) {
        return GW_STORE_TOO_OLD;
    }
    *out = make(pick(h, revision, kind, ns, NULL), now, GW_NEWS_NUMBERED);
    (void)pick(h, revision, kind, ns, *out);
    return GW_STORE_OK;
}
