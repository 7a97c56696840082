#include "gateway/world.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/module.h"
#include "gateway/session.h"
#include "gateway/world_private.h"

struct gw_world *
gw_world_new(unsigned id, struct gw_loop *loop, struct gw_world *const *all, size_t n_all)
{
    struct gw_world *w = gw_mem_alloc(sizeof(*w));

    w->id = id;
    w->loop = loop;
    w->known = loop == NULL; /* offline, what files hold is all that there is */
    w->all = all;
    w->n_all = n_all;
    w->endpoints = gw_map_new();
    gw_wheel_init(&w->no_wheel, gw_clock_mono_ms());
    gw_world_open_views(w);
    return w;
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
    gw_world_close_views(w);
    gw_world_drop_endpoints(w);
    gw_world_drop_confs(w);
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
        assert(n < GW_WORLD_STATES_MAX);
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

void
gw_world_doubt(struct gw_world *w)
{
    w->doubtful = true;
}

void
gw_world_sessions(struct gw_world *w, struct gw_sessions *sessions)
{
    w->sessions = sessions;
}

/* What comes from now on is reviewed once more.  An exchange: so that what was done before it was
 * sent is seen, by whomever. */
static void
run_review(struct gw_mail *mail, void *receiver)
{
    struct gw_world *w = (struct gw_world *)((char *)mail - offsetof(struct gw_world, review));

    (void)receiver;
    (void)atomic_exchange(&w->review_sent, false);
    gw_world_doubt(w);
    gw_sessions_review(w->sessions);
}

void
gw_world_review(struct gw_world *w)
{
    if (!atomic_exchange(&w->review_sent, true)) {
        w->review.run = run_review;
        gw_world_send(w, &w->review);
    }
}

bool
gw_world_take_doubt(struct gw_world *w)
{
    bool doubtful = w->doubtful;

    w->doubtful = false;
    return doubtful;
}

bool
gw_world_knows(const struct gw_world *w)
{
    return w->known;
}

uint64_t
gw_world_revision(const struct gw_world *w)
{
    return w->revision;
}
