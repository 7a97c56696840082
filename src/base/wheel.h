/*
 * wheel.h - very many deadlines, very cheap.
 *
 * A hashed timing wheel: setting and cancelling a timer links and unlinks a list node and
 * costs no system call.  Whoever owns the wheel calls gw_wheel_run() about every
 * GW_WHEEL_TICK_MS.  A timer fires within two ticks after its deadline, never before.
 */
#ifndef GW_BASE_WHEEL_H
#define GW_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_WHEEL_TICK_MS 50
#define GW_WHEEL_SLOTS   1024

struct gw_timer {
    struct gw_timer *next, **prev; /* prev: NULL when not set */
    uint64_t due_ms;
    void (*fire)(struct gw_timer *t); /* the timer is no longer set when it is called */
};

struct gw_wheel {
    struct gw_timer *slots[GW_WHEEL_SLOTS];
    uint64_t done_tick; /* all ticks up to this one have been run */
};

void gw_wheel_init(struct gw_wheel *w, uint64_t now_ms);

/* Sets t, anew when it is set already.  t->fire was filled in before. */
void gw_wheel_set(struct gw_wheel *w, struct gw_timer *t, uint64_t due_ms);

void gw_wheel_cancel(struct gw_timer *t); /* fine when it is not set */

static inline bool
gw_wheel_is_set(const struct gw_timer *t)
{
    return t->prev != NULL;
}

/* Fires what is due.  A timer may set or cancel any timer from its fire(). */
void gw_wheel_run(struct gw_wheel *w, uint64_t now_ms);

#endif
