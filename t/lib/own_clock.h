/*
 * own_clock.h - a test whose time passes when it says so: an hour at once, or none.
 *
 * For one program: it takes the place of base/clock.c.
 */
#ifndef GW_T_OWN_CLOCK_H
#define GW_T_OWN_CLOCK_H

#include "base/clock.h"
#include "net/loop.h"

static uint64_t own_now_us = UINT64_C(1000000000);

uint64_t
gw_clock_mono_us(void)
{
    return own_now_us;
}

uint64_t
gw_clock_mono_ms(void)
{
    return own_now_us / 1000;
}

uint64_t
gw_clock_wall_ms(void)
{
    return own_now_us / 1000;
}

void
gw_clock_rfc3339(struct gw_buf *out, uint64_t wall_ms)
{
    gw_buf_printf(out, "%llu", (unsigned long long)wall_ms);
}

/* No timer fires by it. */
static inline void
own_clock_pass(struct gw_loop *l, uint64_t ms)
{
    own_now_us += ms * 1000;
    gw_loop_turn(l);
}

/* A loop whose wheel turns when the test turns it. */
static inline struct gw_loop *
own_clock_loop(void)
{
    struct gw_loop *l = gw_loop_new();

    event_del(l->tick);
    return l;
}

#endif
