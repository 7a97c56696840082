#include "modules/login_ended.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/log.h"

#define TOGETHER 32 /* places where a number may stand: numbers are random, so few are full */

static struct place {
    atomic_uint_fast64_t id, until_ms; /* 0: free */
} places[2][GW_LOGIN_ENDED_MAX];

static struct place *
places_of(enum gw_login_ended what, uint64_t id)
{
    uint64_t mixed = id * 0x9e3779b97f4a7c15ULL >> 32; /* not all of its bytes have 8 random bits */

    return &places[what][mixed % (GW_LOGIN_ENDED_MAX / TOGETHER) * TOGETHER];
}

/* The one that is over soonest: free, if any is. */
static struct place *
soonest(struct place *all, uint64_t *until_ms)
{
    struct place *best = NULL;

    for (size_t i = 0; i < TOGETHER; i++) {
        uint64_t ms = atomic_load(&all[i].until_ms);

        if (best == NULL || ms < *until_ms) {
            best = &all[i];
            *until_ms = ms;
        }
    }
    return best;
}

/* Whoever has changed the time has the place. */
bool
gw_login_ended_add(enum gw_login_ended what, uint64_t id, uint64_t until_ms, uint64_t now_ms)
{
    struct place *all = places_of(what, id);
    uint64_t before_ms = 0;
    struct place *p;

    if (id == 0 || gw_login_ended_has(what, id)) {
        return false;
    }
    do {
        p = soonest(all, &before_ms);
    } while (!atomic_compare_exchange_weak(&p->until_ms, &before_ms, until_ms));
    atomic_store(&p->id, id);
    if (before_ms > now_ms && what == GW_LOGIN_SESSIONS) {
        gw_log_warn("login: more logouts than can be remembered: a copy of a cookie of before an "
                    "earlier one is good again");
    }
    return true;
}

bool
gw_login_ended_has(enum gw_login_ended what, uint64_t id)
{
    struct place *all = places_of(what, id);

    for (size_t i = 0; id != 0 && i < TOGETHER; i++) {
        if (atomic_load_explicit(&all[i].id, memory_order_acquire) == id) {
            return true;
        }
    }
    return false;
}
