#include "modules/basic_failures.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define PLACES 4096 /* a power of two; chains stay short: to fill one takes a check each */

struct entry {
    struct entry *chain;
    struct entry *before, *after; /* in the order in which windows began */
    uint64_t key, since_ms;
    unsigned failures, under_way;
};

struct gw_basic_failures {
    struct entry *table[PLACES];
    atomic_uint kept[PLACES]; /* how long its chain is */
    struct entry *oldest, *newest;
    size_t n;
};

struct gw_basic_failures *
gw_basic_failures_new(void)
{
    return gw_mem_alloc(sizeof(struct gw_basic_failures));
}

uint64_t
gw_basic_failures_key(enum gw_basic_whose whose, struct gw_str text)
{
    return gw_hash(text) ^ (whose == GW_BASIC_OF_USER ? 0 : UINT64_C(0x9e3779b97f4a7c15));
}

static struct entry **
place_of(struct gw_basic_failures *f, uint64_t key)
{
    return &f->table[key & (PLACES - 1)];
}

static struct entry *
find(struct gw_basic_failures *f, uint64_t key)
{
    struct entry *e = *place_of(f, key);

    while (e != NULL && e->key != key) {
        e = e->chain;
    }
    return e;
}

static void
unchain(struct gw_basic_failures *f, const struct entry *e)
{
    struct entry **at = place_of(f, e->key);

    while (*at != e) {
        at = &(*at)->chain;
    }
    *at = e->chain;
    atomic_fetch_sub_explicit(&f->kept[e->key & (PLACES - 1)], 1, memory_order_relaxed);
    f->n--;
}

static void
take_oldest(struct gw_basic_failures *f)
{
    struct entry *e = f->oldest;

    unchain(f, e);
    f->oldest = e->after;
    *(e->after == NULL ? &f->newest : &e->after->before) = NULL;
    free(e);
}

static void
take_out(struct gw_basic_failures *f, struct entry *e)
{
    if (e == f->oldest) {
        take_oldest(f);
        return;
    }
    unchain(f, e);
    e->before->after = e->after;
    *(e->after == NULL ? &f->newest : &e->after->before) = e->before;
    free(e);
}

void
gw_basic_failures_free(struct gw_basic_failures *f)
{
    if (f == NULL) {
        return;
    }
    while (f->oldest != NULL) {
        take_oldest(f);
    }
    free(f);
}

static bool
is_over(const struct entry *e, const struct gw_basic_window *w)
{
    return w->now_ms - e->since_ms >= w->window_ms;
}

static struct entry *
put_in(struct gw_basic_failures *f, uint64_t key, uint64_t now_ms)
{
    struct entry *e = gw_mem_alloc(sizeof(*e));
    struct entry **at = place_of(f, key);

    e->key = key;
    e->since_ms = now_ms;
    e->chain = *at;
    *at = e;
    e->before = f->newest;
    *(f->newest == NULL ? &f->oldest : &f->newest->after) = e;
    f->newest = e;
    atomic_fetch_add_explicit(&f->kept[key & (PLACES - 1)], 1, memory_order_relaxed);
    f->n++;
    return e;
}

/* The entry of the key in a window that is not over, made when there is none.  Windows are as long
 * as each other, so those that are over are the oldest. */
static struct entry *
current(struct gw_basic_failures *f, uint64_t key, const struct gw_basic_window *w)
{
    struct entry *e = find(f, key);
    unsigned under_way = e == NULL ? 0 : e->under_way;

    while (f->oldest != NULL && is_over(f->oldest, w)) {
        take_oldest(f);
    }
    e = find(f, key);
    if (e == NULL) {
        while (f->oldest != NULL && f->n >= w->tracked) {
            take_oldest(f);
        }
        e = put_in(f, key, w->now_ms);
        e->under_way = under_way; /* what began before ends in this window */
    }
    return e;
}

uint64_t
gw_basic_failures_wait(struct gw_basic_failures *f, uint64_t key, long long limit,
                       const struct gw_basic_window *w)
{
    const struct entry *e = limit == 0 ? NULL : find(f, key);

    if (e == NULL) {
        return 0;
    }
    unsigned failures = is_over(e, w) ? 0 : e->failures;
    if (failures >= limit) {
        return e->since_ms + w->window_ms - w->now_ms;
    }
    return (long long)failures + e->under_way >= limit;
}

bool
gw_basic_failures_none(const struct gw_basic_failures *f, uint64_t key)
{
    return atomic_load_explicit(&f->kept[key & (PLACES - 1)], memory_order_relaxed) == 0;
}

void
gw_basic_failures_begin(struct gw_basic_failures *f, uint64_t key, const struct gw_basic_window *w)
{
    current(f, key, w)->under_way++;
}

void
gw_basic_failures_end(struct gw_basic_failures *f, uint64_t key)
{
    struct entry *e = find(f, key);

    if (e == NULL) {
        return; /* it was the oldest of too many */
    }
    e->under_way -= e->under_way > 0;
    if (e->under_way == 0 && e->failures == 0) {
        take_out(f, e);
    }
}

void
gw_basic_failures_add(struct gw_basic_failures *f, uint64_t key, const struct gw_basic_window *w)
{
    current(f, key, w)->failures++;
}

size_t
gw_basic_failures_count(const struct gw_basic_failures *f)
{
    return f->n;
}
