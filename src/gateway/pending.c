#include "gateway/pending.h"

#include <assert.h>
#include <stdlib.h>

#include <event2/event_struct.h>

#include "base/mem.h"

/* Made when somebody waits for the first time: most endpoints never need it. */
struct gw_queue {
    struct gw_endpoint *endpoint;
    struct gw_waiter *first, **last;
    struct event event;
    bool called;
};

#define COUNT(e, field, n) \
    atomic_fetch_add_explicit(&gw_world_stats((e)->world)->field, (n), memory_order_relaxed)

/* Who has waited longest of those for whom there is room. */
static struct gw_waiter *
next_of(const struct gw_endpoint *e)
{
    struct gw_waiter *w = e->queue->first;

    while (w != NULL && e->busy >= w->max) {
        w = w->next;
    }
    return w;
}

bool
gw_pending_must_wait(const struct gw_endpoint *e, unsigned max)
{
    return e->busy >= max || (e->n_pending > 0 && next_of(e) != NULL);
}

void
gw_pending_leave(struct gw_waiter *w)
{
    struct gw_endpoint *e = w->endpoint;

    if (e == NULL) {
        return;
    }
    gw_wheel_cancel(&w->timer);
    *w->prev = w->next;
    *(w->next == NULL ? &e->queue->last : &w->next->prev) = w->prev;
    w->endpoint = NULL;
    e->n_pending--;
    COUNT(e, pending, -1);
}

/* Each takes a connection, so that the loop ends. */
static void
on_call(evutil_socket_t fd, short what, void *arg)
{
    struct gw_queue *q = arg;
    struct gw_endpoint *e = q->endpoint;
    struct gw_waiter *w;

    (void)fd;
    (void)what;
    gw_loop_turn(gw_world_loop(e->world));
    q->called = false;
    gw_endpoint_ref(e); /* the last request of all may end below us */
    while (e->n_pending > 0 && (w = next_of(e)) != NULL) {
        gw_pending_leave(w);
        w->turn(w);
    }
    gw_world_endpoint_release(e->world, e);
}

static void
on_late(struct gw_timer *t)
{
    struct gw_waiter *w = (struct gw_waiter *)((char *)t - offsetof(struct gw_waiter, timer));

    gw_pending_leave(w);
    w->late(w);
}

static struct gw_queue *
queue_of(struct gw_endpoint *e)
{
    struct gw_queue *q = e->queue;

    if (q == NULL) {
        q = gw_mem_alloc(sizeof(*q));
        q->endpoint = e;
        q->last = &q->first;
        event_assign(&q->event, gw_world_loop(e->world)->base, -1, 0, on_call, q);
        e->queue = q;
    }
    return q;
}

void
gw_pending_wait(struct gw_waiter *w, struct gw_endpoint *e, unsigned max, long long ms)
{
    struct gw_queue *q = queue_of(e);

    assert(w->endpoint == NULL && max > 0);
    w->endpoint = e;
    w->max = max;
    w->next = NULL;
    w->prev = q->last;
    *q->last = w;
    q->last = &w->next;
    e->n_pending++;
    COUNT(e, pending, 1);
    COUNT(e, pending_total, 1);
    w->timer.fire = on_late;
    gw_wheel_set(gw_world_wheel(e->world), &w->timer, gw_world_now_ms(e->world) + (uint64_t)ms);
}

void
gw_pending_call(struct gw_endpoint *e)
{
    if (e->n_pending > 0 && !e->queue->called) {
        e->queue->called = true;
        event_active(&e->queue->event, 0, 0);
    }
}

void
gw_pending_fini(struct gw_endpoint *e)
{
    assert(e->n_pending == 0);
    if (e->queue != NULL) {
        event_del(&e->queue->event);
        free(e->queue);
    }
}
