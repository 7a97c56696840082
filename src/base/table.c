#include "base/table.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/map.h"
#include "base/mem.h"

#define FEWEST    16 /* slots */
#define HUGE_PAGE ((size_t)2 << 20)
#define LINE      64 /* bytes of the cache */

struct slot {
    void *value; /* NULL: the slot is free */
    uint64_t hash;
};

/* Open addressing, linear probing, a power of two of slots, at most seven eighths full. */
struct gw_table {
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t n;
    gw_table_key_fn *key;
};

/* Of many slots, a search would miss the TLB, too: so they get huge pages if there are any. */
static struct slot *
new_slots(size_t n)
{
    size_t bytes = n * sizeof(struct slot);

    if (bytes >= HUGE_PAGE) {
        void *p = aligned_alloc(HUGE_PAGE, bytes);

        if (p != NULL) {
            (void)madvise(p, bytes, MADV_HUGEPAGE);
            return memset(p, 0, bytes);
        }
    }
    return gw_mem_alloc(bytes);
}

struct gw_table *
gw_table_new(gw_table_key_fn *key)
{
    struct gw_table *t = gw_mem_alloc(sizeof(*t));

    *t = (struct gw_table){.slots = new_slots(FEWEST), .mask = FEWEST - 1, .key = key};
    return t;
}

void
gw_table_free(struct gw_table *t, void (*free_value)(void *))
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; free_value != NULL && i <= t->mask; i++) {
        if (t->slots[i].value != NULL) {
            free_value(t->slots[i].value);
        }
    }
    free(t->slots);
    free(t);
}

/* The slot with the key, or the free one where it would go. */
static struct slot *
find(const struct gw_table *t, struct gw_str key, uint64_t hash)
{
    struct slot *s = &t->slots[hash & t->mask];

    while (s->value != NULL) {
        if (s->hash == hash) {
            /* the key may be at the value's end, and is wanted as soon as its beginning */
            __builtin_prefetch((const char *)s->value + LINE);
            if (gw_str_eq(t->key(s->value), key)) {
                break;
            }
        }
        s = s == &t->slots[t->mask] ? t->slots : s + 1;
    }
    return s;
}

void *
gw_table_get(const struct gw_table *t, struct gw_str key)
{
    return find(t, key, gw_hash(key))->value;
}

static void
grow(struct gw_table *t)
{
    struct slot *old = t->slots;
    size_t n_old = t->mask + 1;

    t->mask = n_old * 2 - 1;
    t->slots = new_slots(n_old * 2);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].value != NULL) {
            size_t at = old[i].hash & t->mask;

            while (t->slots[at].value != NULL) {
                at = (at + 1) & t->mask;
            }
            t->slots[at] = old[i];
        }
    }
    free(old);
}

void *
gw_table_put(struct gw_table *t, void *value)
{
    struct gw_str key = t->key(value);
    uint64_t hash = gw_hash(key);
    struct slot *s = find(t, key, hash);
    void *before = s->value;

    if (before == NULL && (t->n + 1) * 8 > (t->mask + 1) * 7) {
        grow(t);
        s = find(t, key, hash);
    }
    *s = (struct slot){.value = value, .hash = hash};
    t->n += before == NULL;
    return before;
}

/* Closes the gap, so that no search ends too early: whatever follows and may stand at the
 * gap, because its own slot is not behind it, moves there. */
static void
close_gap(struct gw_table *t, size_t gap)
{
    for (size_t at = (gap + 1) & t->mask; t->slots[at].value != NULL; at = (at + 1) & t->mask) {
        size_t home = t->slots[at].hash & t->mask;

        if (((at - home) & t->mask) >= ((at - gap) & t->mask)) {
            t->slots[gap] = t->slots[at];
            gap = at;
        }
    }
    t->slots[gap].value = NULL;
}

void *
gw_table_take(struct gw_table *t, struct gw_str key)
{
    struct slot *s = find(t, key, gw_hash(key));
    void *value = s->value;

    if (value != NULL) {
        close_gap(t, (size_t)(s - t->slots));
        t->n--;
    }
    return value;
}

size_t
gw_table_count(const struct gw_table *t)
{
    return t->n;
}

size_t
gw_table_bytes(const struct gw_table *t)
{
    return sizeof(*t) + (t->mask + 1) * sizeof(struct slot);
}
