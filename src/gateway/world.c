#include "gateway/world.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/health.h"
#include "gateway/upstream.h"
#include "gateway/worlds.h"
#include "net/dns.h"

#define VIEWS_MAX     32
#define ITEMS_AT_ONCE 32 /* between two looks at the clock: some microseconds each */

struct gw_world {
    unsigned id;
    struct gw_loop *loop;       /* borrowed; NULL offline */
    struct gw_mailbox *mailbox; /* the same */
    struct gw_world *const *all;
    size_t n_all;
    uint64_t revision;
    bool stopped; /* modules have let go of what they hold elsewhere */
    bool doubtful;
    struct {
        const struct gw_view *view;
        void *index;
    } views[VIEWS_MAX];
    size_t n_views;
    size_t shed_at;           /* in the next: where an idle connection was closed last */
    struct gw_map *endpoints; /* URL to struct gw_endpoint; each counted by its users */
    struct {
        const void *module;
        void *memory;
    } states[VIEWS_MAX];
    atomic_size_t n_states; /* what stands before it is there, and never changes */
    struct conf_use {
        struct gw_conf *conf;
        size_t users;
    } * confs; /* [0] is in force; the others still have requests (or tunnels) */
    size_t n_confs;
    struct gw_endpoint *core, *console;       /* a reference each; console may be NULL */
    const struct gw_health_check *core_check; /* of the core; its configuration's */
    struct gw_world_stats stats;
    struct gw_wheel no_wheel; /* offline: nothing ever fires */
    struct gw_slab slabs[GW_N_SLABS];
};

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

static void
open_views(struct gw_world *w)
{
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            assert(w->n_views < VIEWS_MAX);
            w->views[w->n_views].view = *v;
            w->views[w->n_views++].index = open_index(w, *v);
        }
    }
}

struct gw_world *
gw_world_new(unsigned id, struct gw_loop *loop, struct gw_world *const *all, size_t n_all)
{
    struct gw_world *w = gw_mem_alloc(sizeof(*w));

    w->id = id;
    w->loop = loop;
    w->all = all;
    w->n_all = n_all;
    w->endpoints = gw_map_new();
    gw_wheel_init(&w->no_wheel, gw_clock_mono_ms());
    open_views(w);
    return w;
}

static void
on_endpoint_left(void *value)
{
    gw_endpoint_free(value);
}

void
gw_world_stop(struct gw_world *w)
{
    for (const struct gw_module *const *m = gw_modules; !w->stopped && *m != NULL; m++) {
        if ((*m)->stop != NULL) {
            (*m)->stop(w);
        }
    }
    w->stopped = true;
}

void
gw_world_free(struct gw_world *w)
{
    gw_world_stop(w);
    for (size_t i = 0; i < w->n_views; i++) {
        close_index(w->views[i].view, w->views[i].index);
    }
    gw_world_endpoint_release(w, w->core);
    gw_world_endpoint_release(w, w->console);
    gw_map_free(w->endpoints, on_endpoint_left); /* with their checks, whoever wanted them */
    for (size_t i = 0; i < w->n_confs; i++) {
        gw_conf_unref(w->confs[i].conf);
    }
    free(w->confs);
    for (size_t i = 0; i < w->n_states; i++) {
        free(w->states[i].memory);
    }
    for (size_t i = 0; i < GW_N_SLABS; i++) {
        gw_slab_fini(&w->slabs[i]);
    }
    free(w);
}

struct gw_slab *
gw_world_slab(struct gw_world *w, enum gw_world_slab kind, size_t size)
{
    struct gw_slab *s = &w->slabs[kind];

    if (s->size == 0) {
        gw_slab_init(s, size);
    }
    return s;
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
    return true;
}

void
gw_world_apply(struct gw_world *w, const struct gw_batch *batch)
{
    struct gw_world_part all = {0};

    (void)gw_world_apply_part(w, batch, &all, UINT64_MAX);
}

void
gw_world_doubt(struct gw_world *w)
{
    w->doubtful = true;
}

bool
gw_world_take_doubt(struct gw_world *w)
{
    bool doubtful = w->doubtful;

    w->doubtful = false;
    return doubtful;
}

uint64_t
gw_world_revision(const struct gw_world *w)
{
    return w->revision;
}

struct gw_endpoint *
gw_world_endpoint(struct gw_world *w, struct gw_str url, const char **why)
{
    struct gw_url parts;
    struct gw_endpoint *e = gw_map_get(w->endpoints, url);

    if (e != NULL) {
        gw_endpoint_ref(e);
        return e;
    }
    if (!gw_url_parse(url, &parts, why)) {
        return NULL;
    }
    if (gw_str_eq(parts.scheme, GW_STR("https"))) {
        *why = "TLS to backends is not supported by this version: use an http:// or unix: URL";
        return NULL;
    }
    e = gw_endpoint_new(w, url, &parts);
    gw_map_put(w->endpoints, url, e);
    return e;
}

void
gw_world_endpoint_release(struct gw_world *w, struct gw_endpoint *e)
{
    if (e == NULL) {
        return;
    }
    assert(e->refs > 0);
    if (--e->refs == 0) {
        gw_map_take(w->endpoints, gw_str_of(e->text));
        gw_endpoint_free(e);
    }
}

void
gw_world_checked(struct gw_world *w, struct gw_str url)
{
    struct gw_endpoint *e = gw_map_get(w->endpoints, url);

    if (e != NULL) {
        gw_health_apply(e);
    }
}

bool
gw_world_shed_backend(struct gw_world *w)
{
    void *e = NULL;

    if (atomic_load_explicit(&w->stats.backend_idle, memory_order_relaxed) <= 0) {
        return false;
    }
    for (int round = 0; round < 2; round++) { /* on from where it ended last time, then all */
        while (gw_map_next(w->endpoints, &w->shed_at, NULL, &e)) {
            if (gw_endpoint_shed(e)) {
                return true;
            }
        }
        w->shed_at = 0;
    }
    return false;
}

struct gw_str
gw_endpoint_url(const struct gw_endpoint *e)
{
    return gw_str_of(e->text);
}

static void *
find_state(struct gw_world *w, const void *module, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w->states[i].module == module) {
            return w->states[i].memory;
        }
    }
    return NULL;
}

/* Whoever sums up all workers' counters may be the first to ask for one. */
static void *
make_state(struct gw_world *w, const void *module, size_t size)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&lock);
    size_t n = atomic_load_explicit(&w->n_states, memory_order_relaxed);
    void *memory = find_state(w, module, n);
    if (memory == NULL) {
        assert(n < VIEWS_MAX);
        memory = gw_mem_alloc(size);
        w->states[n].module = module;
        w->states[n].memory = memory;
        atomic_store_explicit(&w->n_states, n + 1, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return memory;
}

void *
gw_world_state(struct gw_world *w, const void *module, size_t size)
{
    void *memory = find_state(w, module, atomic_load_explicit(&w->n_states, memory_order_acquire));

    return memory != NULL ? memory : make_state(w, module, size);
}

struct gw_world_stats *
gw_world_stats(struct gw_world *w)
{
    return &w->stats;
}

struct event_base *
gw_world_base(const struct gw_world *w)
{
    return w->loop == NULL ? NULL : w->loop->base;
}

void
gw_world_turn(struct gw_world *w)
{
    if (w->loop != NULL) {
        gw_loop_turn(w->loop);
    }
}

struct gw_wheel *
gw_world_wheel(struct gw_world *w)
{
    return w->loop == NULL ? &w->no_wheel : &w->loop->wheel;
}

uint64_t
gw_world_now_ms(const struct gw_world *w)
{
    return w->loop == NULL ? gw_clock_mono_ms() : gw_loop_now_ms(w->loop);
}

unsigned
gw_world_id(const struct gw_world *w)
{
    return w->id;
}

struct gw_world *const *
gw_world_all(const struct gw_world *w, size_t *n)
{
    *n = w->n_all;
    return w->all;
}

unsigned
gw_world_share(const struct gw_world *w, long long limit)
{
    long long n = w->n_all == 0 ? 1 : (long long)w->n_all;

    return (unsigned)((limit + n - 1) / n);
}

void
gw_world_mailbox(struct gw_world *w, struct gw_mailbox *mailbox)
{
    w->mailbox = mailbox;
}

void
gw_world_send(struct gw_world *w, struct gw_mail *mail)
{
    assert(w->mailbox != NULL);
    gw_mailbox_send(w->mailbox, mail);
}

struct gw_loop *
gw_world_loop(struct gw_world *w)
{
    return w->loop;
}

static void
drop_unused_confs(struct gw_world *w)
{
    for (size_t i = w->n_confs; i-- > 1;) {
        if (w->confs[i].users == 0) {
            gw_conf_unref(w->confs[i].conf);
            w->confs[i] = w->confs[--w->n_confs];
        }
    }
}

static struct gw_endpoint *
want(struct gw_world *w, const char *url)
{
    const char *why;
    struct gw_endpoint *e = url == NULL ? NULL : gw_world_endpoint(w, gw_str_of(url), &why);

    if (e != NULL) {
        gw_endpoint_want(e);
    }
    return e;
}

static void
unwant(struct gw_world *w, struct gw_endpoint *e)
{
    if (e != NULL) {
        gw_endpoint_unwant(e);
        gw_world_endpoint_release(w, e);
    }
}

/* New ones first: an endpoint that stays keeps its pool. */
static void
use_core(struct gw_world *w, const struct gw_settings *s)
{
    struct gw_endpoint *core = want(w, s->core.url);
    struct gw_endpoint *console = want(w, s->core.console);

    gw_health_join(core, &s->core.check);
    if (w->core != NULL) {
        gw_health_leave(w->core, w->core_check);
    }
    w->core_check = &s->core.check;
    unwant(w, w->core);
    unwant(w, w->console);
    w->core = core;
    w->console = console;
}

void
gw_world_use(struct gw_world *w, struct gw_conf *conf)
{
    size_t at = 0;

    while (at < w->n_confs && w->confs[at].conf != conf) {
        at++;
    }
    if (at == w->n_confs) { /* else it comes back while requests still use it */
        w->confs = gw_mem_resize(w->confs, (w->n_confs + 1) * sizeof(*w->confs));
        w->confs[w->n_confs++] = (struct conf_use){.conf = gw_conf_ref(conf)};
    }
    struct conf_use before = w->confs[0];
    w->confs[0] = w->confs[at];
    w->confs[at] = before;
    if (w->loop != NULL) {
        gw_dns_use(w->loop, conf->settings.dns.servers, conf->settings.dns.min_ttl,
                   conf->settings.dns.max_ttl);
    }
    use_core(w, &conf->settings);
    drop_unused_confs(w);
}

struct gw_endpoint *
gw_world_core(const struct gw_world *w)
{
    return w->core;
}

struct gw_endpoint *
gw_world_console(const struct gw_world *w)
{
    return w->console;
}

struct gw_conf *
gw_world_conf(const struct gw_world *w)
{
    return w->n_confs == 0 ? NULL : w->confs[0].conf;
}

struct gw_conf *
gw_world_conf_take(struct gw_world *w)
{
    assert(w->n_confs > 0);
    w->confs[0].users++;
    return w->confs[0].conf;
}

void
gw_world_conf_give(struct gw_world *w, struct gw_conf *conf)
{
    for (size_t i = 0; i < w->n_confs; i++) {
        if (w->confs[i].conf == conf) {
            assert(w->confs[i].users > 0);
            w->confs[i].users--;
            if (i > 0) {
                drop_unused_confs(w);
            }
            return;
        }
    }
    abort(); /* given back twice */
}
