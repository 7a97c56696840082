#include "registry/claim_queue.h"

#include <stdlib.h>

#include "base/mem.h"

static bool
comes_before(const struct gw_claim_wait *a, const struct gw_claim_wait *b)
{
    return gw_claims_order(a->claims, b->claims) < 0;
}

static void
place(struct gw_claim_queue *q, size_t at, struct gw_claim_wait *w)
{
    q->heap[at] = w;
    w->at = at;
}

static void
rise(struct gw_claim_queue *q, struct gw_claim_wait *w, size_t at)
{
    for (; at > 0 && comes_before(w, q->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        place(q, at, q->heap[(at - 1) / 2]);
    }
    place(q, at, w);
}

static void
sink(struct gw_claim_queue *q, struct gw_claim_wait *w, size_t at)
{
    for (size_t child = 2 * at + 1; child < q->n; child = 2 * at + 1) {
        if (child + 1 < q->n && comes_before(q->heap[child + 1], q->heap[child])) {
            child++;
        }
        if (!comes_before(q->heap[child], w)) {
            break;
        }
        place(q, at, q->heap[child]);
        at = child;
    }
    place(q, at, w);
}

void
gw_claim_queue_fini(struct gw_claim_queue *q)
{
    free(q->heap);
    *q = (struct gw_claim_queue){0};
}

void
gw_claim_queue_add(struct gw_claim_queue *q, struct gw_claim_wait *w)
{
    if (w->waits) {
        return;
    }
    q->heap = gw_mem_room(q->heap, q->n, &q->size, sizeof(struct gw_claim_wait *));
    w->waits = true;
    rise(q, w, q->n++);
}

void
gw_claim_queue_remove(struct gw_claim_queue *q, struct gw_claim_wait *w)
{
    struct gw_claim_wait *last = NULL;

    if (!w->waits) {
        return;
    }
    w->waits = false;
    last = q->heap[--q->n];
    if (last == w) {
        return;
    }
    if (comes_before(last, w)) {
        rise(q, last, w->at);
    } else {
        sink(q, last, w->at);
    }
}

void *
gw_claim_queue_take(struct gw_claim_queue *q)
{
    struct gw_claim_wait *first = q->n == 0 ? NULL : q->heap[0];

    if (first == NULL) {
        return NULL;
    }
    gw_claim_queue_remove(q, first);
    return first->owner;
}
