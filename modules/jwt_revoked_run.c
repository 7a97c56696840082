#include "modules/jwt_revoked_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/refs.h"

#define PART_ENTRIES 8 /* of a part of the directory, about */

static int
compare_keys(const struct gw_revoked_key *a, const struct gw_revoked_key *b)
{
    if (a->high != b->high) {
        return a->high < b->high ? -1 : 1;
    }
    return a->low == b->low ? 0 : a->low < b->low ? -1 : 1;
}

static int
compare(const struct gw_revoked_entry *a, const struct gw_revoked_entry *b)
{
    int by_key = compare_keys(&a->key, &b->key);

    if (by_key != 0) {
        return by_key;
    }
    if (a->before_s != b->before_s) {
        return a->before_s < b->before_s ? -1 : 1;
    }
    return a->until_s == b->until_s ? 0 : a->until_s < b->until_s ? -1 : 1;
}

int
gw_revoked_compare(const void *a, const void *b)
{
    return compare(a, b);
}

void
gw_revoked_cancel(struct gw_revoked_list *a, struct gw_revoked_list *b)
{
    size_t kept_a = 0;
    size_t kept_b = 0;
    size_t i = 0;
    size_t j = 0;

    while (i < a->n || j < b->n) {
        int order = i == a->n ? 1 : j == b->n ? -1 : compare(&a->entries[i], &b->entries[j]);

        if (order < 0) {
            a->entries[kept_a++] = a->entries[i++];
        } else if (order > 0) {
            b->entries[kept_b++] = b->entries[j++];
        } else {
            i++;
            j++;
        }
    }
    a->n = kept_a;
    b->n = kept_b;
}

struct gw_revoked_list
gw_revoked_merge(const struct gw_revoked_list *a, const struct gw_revoked_list *b)
{
    struct gw_revoked_list out = {.entries =
                                      gw_mem_alloc((a->n + b->n + 1) * sizeof(*out.entries))};
    size_t i = 0;
    size_t j = 0;

    while (i < a->n || j < b->n) {
        bool from_a = j == b->n || (i < a->n && compare(&a->entries[i], &b->entries[j]) <= 0);

        out.entries[out.n++] = from_a ? a->entries[i++] : b->entries[j++];
    }
    return out;
}

/* The first entry whose key is not below, or (above) the first whose key is greater. */
static size_t
bound(const struct gw_revoked_list *l, const struct gw_revoked_key *key, bool above)
{
    size_t low = 0;
    size_t high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_keys(&l->entries[middle].key, key);

        if (order < 0 || (above && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
gw_revoked_range(const struct gw_revoked_list *l, struct gw_revoked_key key, size_t *at,
                 size_t *end)
{
    *at = bound(l, &key, false);
    *end = bound(l, &key, true);
}

/* -- a run ---------------------------------------------------------------------------------- */

/* The three lists side by side, in order. */
struct walk {
    const struct gw_revoked_entry *base, *base_end, *more, *more_end, *less, *less_end;
    uint64_t now_s;
};

static struct walk
walk_of(const struct gw_revoked_run *base, const struct gw_revoked_list *more,
        const struct gw_revoked_list *less, uint64_t now_s)
{
    return (struct walk){
        .base = base == NULL ? NULL : base->entries,
        .base_end = base == NULL ? NULL : base->entries + base->n,
        .more = more->entries,
        .more_end = more->entries == NULL ? NULL : more->entries + more->n,
        .less = less->entries,
        .less_end = less->entries == NULL ? NULL : less->entries + less->n,
        .now_s = now_s,
    };
}

/* The next one of base and more. */
static const struct gw_revoked_entry *
next_of_both(struct walk *w)
{
    if (w->base == w->base_end && w->more == w->more_end) {
        return NULL;
    }
    bool from_base =
        w->more == w->more_end || (w->base < w->base_end && compare(w->base, w->more) <= 0);
    return from_base ? w->base++ : w->more++;
}

/* One of `less` takes one away that is equal; those that find none are stale. */
static bool
is_taken(struct walk *w, const struct gw_revoked_entry *e)
{
    while (w->less < w->less_end && compare(w->less, e) < 0) {
        w->less++;
    }
    if (w->less == w->less_end || compare(w->less, e) != 0) {
        return false;
    }
    w->less++;
    return true;
}

static const struct gw_revoked_entry *
next_of_all(struct walk *w)
{
    const struct gw_revoked_entry *e = next_of_both(w);

    while (e != NULL && (is_taken(w, e) || e->until_s <= w->now_s)) {
        e = next_of_both(w);
    }
    return e;
}

static void
make_directory(struct gw_revoked_run *r)
{
    unsigned bits = 0;

    while (bits < 32 && (r->n >> bits) > PART_ENTRIES) {
        bits++;
    }
    size_t parts = (size_t)1 << bits;
    r->shift = 64 - bits;
    r->starts = gw_mem_alloc((parts + 1) * sizeof(*r->starts));
    size_t at = 0;
    for (size_t part = 0; part < parts; part++) {
        while (at < r->n && bits > 0 && (r->entries[at].key.high >> r->shift) < part) {
            at++;
        }
        r->starts[part] = (uint32_t)at;
    }
    r->starts[parts] = (uint32_t)r->n;
}

struct gw_revoked_run *
gw_revoked_run_new(const struct gw_revoked_run *base, const struct gw_revoked_list *more,
                   const struct gw_revoked_list *less, uint64_t now_s)
{
    struct walk w = walk_of(base, more, less, now_s);
    size_t n = 0;

    while (next_of_all(&w) != NULL) {
        n++;
    }
    assert(n < UINT32_MAX);
    struct gw_revoked_run *r = gw_mem_alloc(sizeof(*r) + n * sizeof(r->entries[0]));
    atomic_init(&r->refs, 1);
    w = walk_of(base, more, less, now_s);
    for (const struct gw_revoked_entry *e = next_of_all(&w); e != NULL; e = next_of_all(&w)) {
        r->entries[r->n++] = *e;
    }
    make_directory(r);
    return r;
}

struct gw_revoked_run *
gw_revoked_run_ref(struct gw_revoked_run *r)
{
    gw_refs_take(&r->refs);
    return r;
}

void
gw_revoked_run_unref(struct gw_revoked_run *r)
{
    if (r != NULL && gw_refs_drop(&r->refs)) {
        free(r->starts);
        free(r);
    }
}

void
gw_revoked_run_range(const struct gw_revoked_run *r, struct gw_revoked_key key, size_t *at,
                     size_t *end)
{
    size_t part = r->shift == 64 ? 0 : (size_t)(key.high >> r->shift);
    size_t last = r->starts[part + 1];

    *at = r->starts[part];
    while (*at < last && compare_keys(&r->entries[*at].key, &key) < 0) {
        (*at)++;
    }
    *end = *at;
    while (*end < last && compare_keys(&r->entries[*end].key, &key) == 0) {
        (*end)++;
    }
}

size_t
gw_revoked_run_bytes(const struct gw_revoked_run *r)
{
    size_t parts = r->shift == 64 ? 1 : (size_t)1 << (64 - r->shift);

    return sizeof(*r) + r->n * sizeof(r->entries[0]) + (parts + 1) * sizeof(*r->starts);
}
