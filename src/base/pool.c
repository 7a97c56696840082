#include "base/pool.h"

#include <malloc.h>
#include <stdatomic.h>

static atomic_llong pools[GW_N_POOLS];

void
gw_pool_count(enum gw_pool pool, long long bytes)
{
    (void)atomic_fetch_add_explicit(&pools[pool], bytes, memory_order_relaxed);
}

void
gw_pool_joined(enum gw_pool pool, void *p)
{
    gw_pool_count(pool, (long long)malloc_usable_size(p)); /* of NULL: 0 */
}

void
gw_pool_left(enum gw_pool pool, void *p)
{
    gw_pool_count(pool, -(long long)malloc_usable_size(p));
}

long long
gw_pool_bytes(enum gw_pool pool)
{
    return atomic_load_explicit(&pools[pool], memory_order_relaxed);
}
