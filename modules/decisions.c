/*
 * decisions.c - keeps the last decisions: all denials, and a sample of the rest.
 *
 * A worker's rings are its own; readers of other threads come now and then, and hold its lock
 * for as long as it takes to count references.
 */
#include "modules/decisions.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/refs.h"

enum which {
    DENIED,   /* to somebody */
    STRANGER, /* denied to nobody known */
    ALLOWED,
    OTHERWISE, /* a candidate set of roles would have decided otherwise */
    N_RINGS
};

struct conf {
    long long kept, sample;
};

struct ring {
    struct gw_kept **at; /* of `size` places, the oldest at `next` once it is full */
    size_t size, next;
};

/* One worker's; the world's memory, which its other threads find by itself. */
struct rings {
    pthread_mutex_t lock;
    struct ring ring[N_RINGS];
    struct gw_buf text;      /* the worker's alone, kept for its memory */
    unsigned long long seen; /* allowed, since one was kept */
    bool made;               /* the lock is */
};

/* clang-format off */
static const struct gw_setting settings[] = {
    {.name = "kept", .set = gw_set_int, .at = offsetof(struct conf, kept), .initial = "1000", .max = 100000,
     .help = "So many decisions each worker keeps, of each sort: denied, denied to strangers, allowed; 0: none."},
    {.name = "sample", .set = gw_set_int, .at = offsetof(struct conf, sample), .initial = "1000", .max = 1000000000,
     .help = "One of so many allowed requests is kept; 0: none."},
    {0},
};
/* clang-format on */

static const char state_key;

static struct rings *
rings_of(struct gw_world *w)
{
    return gw_world_state(w, &state_key, sizeof(struct rings));
}

/* The world's memory, whichever index it is: a reset of the registry opens another and closes the
 * one before, and no decision is to go by that. */
static void *
open_rings(struct gw_world *world)
{
    struct rings *r = rings_of(world);

    if (!r->made) {
        pthread_mutex_init(&r->lock, NULL);
        r->made = true;
    }
    return r;
}

static void
close_rings(void *index)
{
    (void)index; /* stop() does it */
}

static void
unref(struct gw_kept *k)
{
    if (k != NULL && gw_refs_drop(&k->refs)) {
        free(k);
    }
}

static void
empty(struct ring *ring)
{
    for (size_t i = 0; i < ring->size; i++) {
        unref(ring->at[i]);
    }
    free(ring->at);
    *ring = (struct ring){0};
}

/* No other thread asks any more. */
static void
stop(struct gw_world *world)
{
    struct rings *r = rings_of(world);

    for (size_t i = 0; i < N_RINGS; i++) {
        empty(&r->ring[i]);
    }
    gw_buf_fini(&r->text);
}

static const struct gw_view view = {
    .name = "decisions",
    .kinds = (const char *const[]){NULL},
    .open = open_rings,
    .close = close_rings,
};

/* ---- keeping ------------------------------------------------------------------------------- */

/* Which extension it is about, also one of the interface below /-/ ("devops.pod-1" is an Endpoint
 * of devops). */
static struct gw_str
extension_of(const struct gw_req *req)
{
    const struct gw_request_info *info = &req->info;
    struct gw_str name = info->name;
    size_t dot = name.n;

    if (req->decision.extension.n > 0 || !gw_str_eq(info->api_group, GW_STR("ksgate.io"))) {
        return req->decision.extension;
    }
    if (gw_str_eq(info->resource, GW_STR("extensionservices"))) {
        return name;
    }
    if (!gw_str_eq(info->resource, GW_STR("endpoints"))) {
        return GW_STR_NONE;
    }
    while (dot > 0 && name.p[dot - 1] != '.') {
        dot--;
    }
    return (struct gw_str){name.p, dot > 0 ? dot - 1 : 0};
}

static struct gw_kept *
kept_new(const struct gw_req *req, struct gw_buf *text)
{
    struct gw_str id = req->request_id;
    struct gw_str user = req->subject.name;
    struct gw_str extension = extension_of(req);

    gw_buf_reset(text);
    gw_decisions_json(text, req);
    struct gw_kept *k = gw_mem_resize(NULL, sizeof(*k) + id.n + user.n + extension.n + text->n);
    char *at = k->text;
    *k = (struct gw_kept){
        .denied = req->decision.allowed == GW_DENIED,
        .hidden = req->decision.policy != NULL && strcmp(req->decision.policy, "visibility") == 0,
        .otherwise = req->decision.candidate != GW_UNDECIDED,
        .start_us = req->decision.start_us,
        .request_id = gw_str_pack(&at, id),
        .user = gw_str_pack(&at, user),
        .extension = gw_str_pack(&at, extension),
        .json = gw_str_pack(&at, gw_buf_text(text)),
    };
    atomic_init(&k->refs, 1);
    return k;
}

static void
put(struct rings *r, struct ring *ring, struct gw_kept *k, size_t size)
{
    struct gw_kept *old;

    pthread_mutex_lock(&r->lock);
    if (ring->size != size) { /* the first one, or another configuration: it begins anew */
        empty(ring);
        ring->at = gw_mem_alloc(size * sizeof(struct gw_kept *));
        ring->size = size;
    }
    old = ring->at[ring->next];
    ring->at[ring->next] = k;
    ring->next = (ring->next + 1) % size;
    pthread_mutex_unlock(&r->lock);
    unref(old);
}

static enum gw_verdict
keep(struct gw_req *req, const void *conf)
{
    const struct conf *c = conf;
    enum gw_allowed allowed = req->decision.allowed;
    struct rings *r = gw_world_index(req->world, &view);
    enum which which = req->subject.anonymous ? STRANGER : DENIED;

    if (c->kept == 0 || allowed == GW_UNDECIDED) {
        return GW_NEXT;
    }
    if (req->decision.candidate != GW_UNDECIDED) {
        which = OTHERWISE;
    } else if (allowed == GW_ALLOWED) {
        if (c->sample == 0 || ++r->seen < (unsigned long long)c->sample) {
            return GW_NEXT;
        }
        r->seen = 0;
        which = ALLOWED;
    }
    put(r, &r->ring[which], kept_new(req, &r->text), (size_t)c->kept);
    return GW_NEXT;
}

/* ---- asking -------------------------------------------------------------------------------- */

static void
take(struct gw_kept_list *all, struct rings *r)
{
    size_t most = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < N_RINGS; i++) {
        most += r->ring[i].size;
    }
    all->list = gw_mem_resize(all->list, (all->n + most + 1) * sizeof(struct gw_kept *));
    for (size_t i = 0; i < N_RINGS; i++) {
        for (size_t k = 0; k < r->ring[i].size; k++) {
            if (r->ring[i].at[k] != NULL) {
                all->list[all->n] = r->ring[i].at[k];
                gw_refs_take(&all->list[all->n++]->refs);
            }
        }
    }
    pthread_mutex_unlock(&r->lock);
}

static int
by_time(const void *a, const void *b)
{
    const struct gw_kept *x = *(struct gw_kept *const *)a;
    const struct gw_kept *y = *(struct gw_kept *const *)b;

    return x->start_us == y->start_us ? 0 : x->start_us < y->start_us ? 1 : -1;
}

struct gw_kept_list
gw_decisions_take(struct gw_world *const *worlds, size_t n_worlds)
{
    struct gw_kept_list all = {0};

    for (size_t i = 0; i < n_worlds; i++) {
        take(&all, rings_of(worlds[i]));
    }
    if (all.n > 0) {
        qsort(all.list, all.n, sizeof(struct gw_kept *), by_time);
    }
    return all;
}

void
gw_decisions_give(struct gw_kept_list *all)
{
    for (size_t i = 0; i < all->n; i++) {
        unref(all->list[i]);
    }
    free(all->list);
    *all = (struct gw_kept_list){0};
}

const struct gw_module gw_mod_decisions = {
    .name = "decisions",
    .about = "Keeps the last denials, and some of what was allowed, for whoever asks why.",
    .section = "decisions",
    .settings = settings,
    .conf_size = sizeof(struct conf),
    .routes = GW_ON_ALL,
    .views = (const struct gw_view *const[]){&view, NULL},
    .on = {[GW_LOG] = keep},
    .stop = stop,
};
