#include "base/wheel.h"

#include <assert.h>
#include <stddef.h>

void
gw_wheel_init(struct gw_wheel *w, uint64_t now_ms)
{
    *w = (struct gw_wheel){.done_tick = now_ms / GW_WHEEL_TICK_MS};
}

static void
link_at(struct gw_timer **head, struct gw_timer *t)
{
    t->next = *head;
    if (t->next != NULL) {
        t->next->prev = &t->next;
    }
    t->prev = head;
    *head = t;
}

void
gw_wheel_cancel(struct gw_timer *t)
{
    if (t->prev == NULL) {
        return;
    }
    *t->prev = t->next;
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    t->next = NULL;
    t->prev = NULL;
}

void
gw_wheel_set(struct gw_wheel *w, struct gw_timer *t, uint64_t due_ms)
{
    uint64_t tick = due_ms / GW_WHEEL_TICK_MS + (due_ms % GW_WHEEL_TICK_MS != 0);

    assert(t->fire != NULL);
    gw_wheel_cancel(t);
    if (tick <= w->done_tick) {
        tick = w->done_tick + 1; /* too late already: at the next tick */
    }
    t->due_ms = due_ms;
    link_at(&w->slots[tick % GW_WHEEL_SLOTS], t);
}

/* Moves the slot's due timers to the end of a list; those of later rounds stay.  Returns
 * the list's new end. */
static struct gw_timer **
collect(struct gw_timer *slot, uint64_t upto_ms, struct gw_timer **end)
{
    for (struct gw_timer *t = slot; t != NULL;) {
        struct gw_timer *next = t->next;

        if (t->due_ms <= upto_ms) {
            gw_wheel_cancel(t);
            link_at(end, t);
            end = &t->next;
        }
        t = next;
    }
    return end;
}

/* Timers are taken out before the first one fires: a fire() may then unlink any of them,
 * and what it sets anew goes into the slots and is not met again in this run. */
void
gw_wheel_run(struct gw_wheel *w, uint64_t now_ms)
{
    uint64_t last = now_ms / GW_WHEEL_TICK_MS;
    uint64_t tick = w->done_tick + 1;
    struct gw_timer *due = NULL;
    struct gw_timer **end = &due;

    if (tick > last) {
        return;
    }
    if (last - tick >= GW_WHEEL_SLOTS) {
        tick = last - GW_WHEEL_SLOTS + 1; /* once round sees every slot */
    }
    for (; tick <= last; tick++) {
        end = collect(w->slots[tick % GW_WHEEL_SLOTS], last * GW_WHEEL_TICK_MS, end);
    }
    w->done_tick = last;
    while (due != NULL) {
        struct gw_timer *t = due;

        gw_wheel_cancel(t);
        t->fire(t);
    }
}
