/*
 * pool.h - what much memory is for, as the metrics say it.
 *
 * Memory comes from the heap as all does (mem.h); whoever has very much of it says so here.  Any
 * thread.
 */
#ifndef GW_BASE_POOL_H
#define GW_BASE_POOL_H

#define GW_POOLS(X)                                                              \
    X(registry)    /* objects, as text */                                        \
    X(rbac)        /* roles, bindings, namespaces, and what they are found by */ \
    X(connections) /* clients', backends' and tunnels' own state */

enum gw_pool {
#define X(name) GW_POOL_##name,
    GW_POOLS(X)
#undef X
    GW_N_POOLS
};

void gw_pool_count(enum gw_pool pool, long long bytes);

/* A piece of the heap, with all that it really takes; NULL is fine. */
void gw_pool_joined(enum gw_pool pool, void *p);
void gw_pool_left(enum gw_pool pool, void *p); /* before it is freed */

long long gw_pool_bytes(enum gw_pool pool);

#endif
