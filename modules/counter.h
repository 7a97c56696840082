/*
 * counter.h - a number that one worker counts and others may read; and how all workers' are told.
 */
#ifndef GW_MODULES_COUNTER_H
#define GW_MODULES_COUNTER_H

#include <stdatomic.h>

#include "base/buf.h"
#include "gateway/world.h"

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

/* A line of /-/metrics: the sum of all workers' counters. */
struct gw_counted {
    const char *name; /* NULL: another line of the row before's, by another label */
    const char *type; /* "counter", "gauge" */
    const char *help;
    const char *label; /* "result=\"cached\"", or NULL */
    size_t at;         /* where the counter is in the module's state of a worker */
    bool shared;       /* all workers have the same: no sum */
};

/* Rows up to {0}.  key and size: of the state, as gw_world_state() has them. */
void gw_counted_write(struct gw_buf *out, const struct gw_counted *rows,
                      struct gw_world *const *worlds, size_t n, const void *key, size_t size);

#endif
