/* refs.h - counts of references to what threads share and nobody changes.  The first reference is
 * atomic_init()'s; whose threads do not share has a plain number. */
#ifndef GW_BASE_REFS_H
#define GW_BASE_REFS_H

#include <stdatomic.h>
#include <stdbool.h>

/* One more.  Who takes it has one, or what has one, so it can't be the first. */
static inline void
gw_refs_take(atomic_uint *refs)
{
    (void)atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* One less.  True: it was the last, and all that others have done with theirs is seen by now, so
 * that it may be freed. */
static inline bool
gw_refs_drop(atomic_uint *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

#endif
