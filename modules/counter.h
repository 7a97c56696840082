/* counter.h - a number that one worker counts and others may read. */
#ifndef GW_MODULES_COUNTER_H
#define GW_MODULES_COUNTER_H

#include <stdatomic.h>

/* The owner's only: no locked instruction on a request's way. */
static inline void
gw_counter_add(atomic_ullong *c, unsigned long long n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void
gw_counter_set(atomic_ullong *c, unsigned long long n)
{
    atomic_store_explicit(c, n, memory_order_relaxed);
}

/* Anyone's. */
static inline unsigned long long
gw_counter_read(const atomic_ullong *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
