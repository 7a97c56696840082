#include "modules/rbac_holder.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/refs.h"

#define LEVELS ((unsigned)GW_RBAC_CLUSTER + 1)

int
gw_rbac_holder_order(const struct gw_rbac_binding *a, const struct gw_rbac_binding *b)
{
    if (a->level != b->level) {
        return a->level < b->level ? -1 : 1;
    }
    int c = gw_str_cmp(a->place, b->place);

    return c != 0 ? c : strcmp(a->object.name, b->object.name);
}

uint64_t
gw_rbac_place_hash(enum gw_rbac_level level, struct gw_str place)
{
    return (gw_hash(place) & ~(uint64_t)1) |
           (level == GW_RBAC_NS); /* of the two that have places */
}

/* ---- making ------------------------------------------------------------------------------- */

/* Is the i-th one the first of a place?  What applies everywhere is found by its level. */
static bool
begins_place(const struct gw_rbac_binding *const *list, unsigned i)
{
    const struct gw_rbac_binding *b = list[i];

    return (b->level == GW_RBAC_WORKSPACE || b->level == GW_RBAC_NS) &&
           (i == 0 || b->level != list[i - 1]->level || !gw_str_eq(b->place, list[i - 1]->place));
}

static unsigned
count_places(const struct gw_rbac_bindings *all)
{
    unsigned n = 0;

    for (unsigned i = 0; i < all->n; i++) {
        n += begins_place(all->list, i);
    }
    return n;
}

static int
by_hash(const void *a, const void *b)
{
    const struct gw_rbac_place *x = a;
    const struct gw_rbac_place *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

static void
fill_places(struct gw_rbac_holder *h, struct gw_rbac_place *places)
{
    unsigned n = 0;

    for (unsigned i = h->level_at[GW_RBAC_WORKSPACE]; i < h->level_at[GW_RBAC_CLUSTER]; i++) {
        const struct gw_rbac_binding *b = h->list[i];

        if (begins_place(h->list, i)) {
            places[n++] =
                (struct gw_rbac_place){.hash = gw_rbac_place_hash(b->level, b->place), .at = i};
        }
        places[n - 1].n++;
    }
    qsort(places, h->n_places, sizeof(*places), by_hash);
}

static void
fill_levels(struct gw_rbac_holder *h)
{
    unsigned at = 0;

    for (unsigned level = 0; level <= LEVELS; level++) {
        while (at < h->n && (unsigned)h->list[at]->level < level) {
            at++;
        }
        h->level_at[level] = at;
    }
}

static struct gw_rbac_holder *
holder_new(struct gw_str name, const struct gw_rbac_bindings *all)
{
    const size_t entry = sizeof(all->list[0]); /* NOLINT(bugprone-sizeof-expression) */
    unsigned n_places = count_places(all);
    size_t places_at = sizeof(struct gw_rbac_holder) + all->n * entry;
    size_t name_at = places_at + n_places * sizeof(struct gw_rbac_place);
    struct gw_rbac_holder *h = gw_mem_alloc(name_at + name.n + 1);
    struct gw_rbac_place *places = (struct gw_rbac_place *)(void *)((char *)h + places_at);

    gw_pool_joined(GW_POOL_rbac, h);
    atomic_init(&h->refs, 1);
    h->n = all->n;
    h->n_places = n_places;
    memcpy(h->list, all->list, all->n * entry);
    h->places = places;
    h->name = (struct gw_str){memcpy((char *)h + name_at, name.p, name.n), name.n};
    fill_levels(h);
    fill_places(h, places);
    return h;
}

/* Is it one of those that go?  Both lists have the same order, so *at only goes forward; what has
 * the same name was there for a moment only. */
static bool
goes(const struct gw_rbac_binding *b, const struct gw_rbac_bindings *gone, unsigned *at)
{
    while (*at < gone->n && gw_rbac_holder_order(gone->list[*at], b) < 0) {
        ++*at;
    }
    unsigned i = *at;
    while (i < gone->n && gone->list[i] != b && gw_rbac_holder_order(gone->list[i], b) == 0) {
        i++;
    }
    return i < gone->n && gone->list[i] == b;
}

struct gw_rbac_holder *
gw_rbac_holder_next(const struct gw_rbac_holder *before, struct gw_str name,
                    const struct gw_rbac_bindings *gone, const struct gw_rbac_bindings *come)
{
    unsigned n_before = before == NULL ? 0 : before->n;
    unsigned at_gone = 0;
    unsigned at_come = 0;
    struct gw_rbac_bindings all = {
        .list = gw_mem_alloc(((size_t)n_before + come->n + 1) *
                             sizeof(all.list[0]))}; /* NOLINT(bugprone-sizeof-expression) */

    for (unsigned i = 0; i < n_before; i++) {
        const struct gw_rbac_binding *b = before->list[i];

        if (goes(b, gone, &at_gone)) {
            continue;
        }
        while (at_come < come->n && gw_rbac_holder_order(come->list[at_come], b) < 0) {
            all.list[all.n++] = come->list[at_come++];
        }
        at_come += at_come < come->n && come->list[at_come] == b; /* it has been there all along */
        all.list[all.n++] = b;
    }
    while (at_come < come->n) {
        all.list[all.n++] = come->list[at_come++];
    }
    struct gw_rbac_holder *h = all.n == 0 ? NULL : holder_new(name, &all);
    free(all.list);
    return h;
}

void
gw_rbac_holder_ref(struct gw_rbac_holder *h)
{
    gw_refs_take(&h->refs);
}

void
gw_rbac_holder_unref(struct gw_rbac_holder *h)
{
    if (gw_refs_drop(&h->refs)) {
        gw_pool_left(GW_POOL_rbac, h);
        free(h);
    }
}

/* ---- asking ------------------------------------------------------------------------------- */

struct gw_rbac_cursor
gw_rbac_holder_level(const struct gw_rbac_holder *h, enum gw_rbac_level level)
{
    return (struct gw_rbac_cursor){h->list + h->level_at[level], h->list + h->level_at[level + 1]};
}

struct gw_rbac_cursor
gw_rbac_holder_place(const struct gw_rbac_holder *h, struct gw_str place, uint64_t hash)
{
    unsigned low = 0;
    unsigned high = h->n_places;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (h->places[mid].hash < hash) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (; low < h->n_places && h->places[low].hash == hash; low++) {
        const struct gw_rbac_place *p = &h->places[low];

        if (gw_str_eq(h->list[p->at]->place, place)) { /* hashes can be alike, if they never are */
            return (struct gw_rbac_cursor){h->list + p->at, h->list + p->at + p->n};
        }
    }
    return (struct gw_rbac_cursor){NULL, NULL};
}
