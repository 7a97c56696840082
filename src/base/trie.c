#include "base/trie.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/refs.h"

#define BITS 6  /* of the hash, for each level */
#define LAST 60 /* level that the hash has bits for; below it a node is a list: the bottom */

union slot {
    void *value;
    struct gw_trie_node *node;
};

/* A node has 64 places, of which only those that are in use take room: each is a value or another
 * node.  At the bottom `values` has as many bits as there are values, in no order. */
struct gw_trie_node {
    atomic_uint refs;
    uint64_t values, nodes; /* bit i: place i is in use, as one or the other */
    union slot slots[];
};

static size_t
bytes_of(unsigned slots)
{
    return sizeof(struct gw_trie_node) + slots * sizeof(union slot);
}

/* The number of bits that are set.  By hand: not each x86 has an instruction for it, and without
 * one the compiler's is a table, which would be out of the cache when it is needed. */
static unsigned
count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555U;
    bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fU;
    return (unsigned)(bits * 0x0101010101010101U >> 56);
}

static unsigned
n_slots(const struct gw_trie_node *n)
{
    return count(n->values | n->nodes);
}

static uint64_t
bit_of(uint64_t hash, unsigned level)
{
    return (uint64_t)1 << (hash >> level & ((1U << BITS) - 1));
}

static union slot *
slot_of(struct gw_trie_node *n, uint64_t bit)
{
    return &n->slots[count((n->values | n->nodes) & (bit - 1))];
}

/* ---- memory ------------------------------------------------------------------------------- */

static struct gw_trie_node *
resize(const struct gw_trie_kind *k, struct gw_trie_node *n, unsigned slots)
{
    gw_pool_left(k->pool, n);
    n = gw_mem_resize(n, bytes_of(slots));
    gw_pool_joined(k->pool, n);
    return n;
}

static struct gw_trie_node *
new_node(const struct gw_trie_kind *k)
{
    struct gw_trie_node *n = resize(k, NULL, 0);

    atomic_init(&n->refs, 1);
    n->values = 0;
    n->nodes = 0;
    return n;
}

static void
ref_node(struct gw_trie_node *n)
{
    gw_refs_take(&n->refs);
}

/* Is the slot's place a value's?  Slots stand in the order of their places. */
static bool
next_is_value(const struct gw_trie_node *n, uint64_t *left)
{
    uint64_t bit = *left & -*left;

    *left &= *left - 1;
    return (n->values & bit) != 0;
}

/* Twelve levels at most. */
static void
unref_node(const struct gw_trie_kind *k, struct gw_trie_node *n)
{
    if (n == NULL || !gw_refs_drop(&n->refs)) {
        return;
    }
    uint64_t left = n->values | n->nodes;
    for (unsigned i = 0; left != 0; i++) {
        if (!next_is_value(n, &left)) {
            unref_node(k, n->slots[i].node);
        } else if (k->unref != NULL) {
            k->unref(n->slots[i].value);
        }
    }
    gw_pool_left(k->pool, n);
    free(n);
}

/* Makes the node, which is ours to replace, one that nobody else sees. */
static void
own(const struct gw_trie_kind *k, struct gw_trie_node **at)
{
    struct gw_trie_node *n = *at;
    unsigned slots = n_slots(n);

    if (atomic_load_explicit(&n->refs, memory_order_acquire) == 1) {
        return;
    }
    struct gw_trie_node *copy = resize(k, NULL, slots);
    atomic_init(&copy->refs, 1);
    copy->values = n->values;
    copy->nodes = n->nodes;
    memcpy(copy->slots, n->slots, slots * sizeof(union slot));
    uint64_t left = n->values | n->nodes;
    for (unsigned i = 0; left != 0; i++) {
        if (!next_is_value(n, &left)) {
            ref_node(copy->slots[i].node);
        } else if (k->ref != NULL) {
            k->ref(copy->slots[i].value);
        }
    }
    unref_node(k, n);
    *at = copy;
}

/* ---- slots -------------------------------------------------------------------------------- */

static void
open_slot(const struct gw_trie_kind *k, struct gw_trie_node **at, uint64_t bit, void *value)
{
    unsigned slots = n_slots(*at);
    struct gw_trie_node *n = resize(k, *at, slots + 1);
    union slot *slot = slot_of(n, bit);

    memmove(slot + 1, slot, (size_t)(n->slots + slots - slot) * sizeof(*slot));
    slot->value = value;
    n->values |= bit;
    *at = n;
}

static void
close_slot(const struct gw_trie_kind *k, struct gw_trie_node **at, uint64_t bit)
{
    struct gw_trie_node *n = *at;
    unsigned slots = n_slots(n);
    union slot *slot = slot_of(n, bit);

    memmove(slot, slot + 1, (size_t)(n->slots + slots - slot - 1) * sizeof(*slot));
    n->values &= ~bit;
    n->nodes &= ~bit;
    *at = resize(k, n, slots - 1);
}

static bool
is_at(const struct gw_trie_kind *k, const void *value, struct gw_str key)
{
    return gw_str_eq(k->key(value), key);
}

/* The bit of the value in a node at the bottom; 0: it is not there. */
static uint64_t
bit_at_bottom(const struct gw_trie_kind *k, const struct gw_trie_node *n, struct gw_str key)
{
    for (unsigned i = 0; i < count(n->values); i++) {
        if (is_at(k, n->slots[i].value, key)) {
            return (uint64_t)1 << i;
        }
    }
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

void *
gw_trie_find(const struct gw_trie *t, struct gw_str key, uint64_t hash)
{
    struct gw_trie_node *n = t->root;

    for (unsigned level = 0; n != NULL; level += BITS) {
        uint64_t bit = level <= LAST ? bit_of(hash, level) : bit_at_bottom(t->kind, n, key);

        if ((n->nodes & bit) != 0) {
            n = slot_of(n, bit)->node;
            continue;
        }
        void *value = (n->values & bit) != 0 ? slot_of(n, bit)->value : NULL;
        return value != NULL && is_at(t->kind, value, key) ? value : NULL;
    }
    return NULL;
}

void *
gw_trie_get(const struct gw_trie *t, struct gw_str key)
{
    return t->root == NULL ? NULL : gw_trie_find(t, key, t->kind->hash(key));
}

/* ---- changing ----------------------------------------------------------------------------- */

static void
replace(const struct gw_trie_kind *k, union slot *slot, void *value)
{
    if (k->unref != NULL) {
        k->unref(slot->value);
    }
    slot->value = value;
}

/* True: nothing stood there before. */
static bool
put_at_bottom(const struct gw_trie_kind *k, struct gw_trie_node **at, void *value)
{
    uint64_t bit = bit_at_bottom(k, *at, k->key(value));

    if (bit != 0) {
        replace(k, slot_of(*at, bit), value);
        return false;
    }
    bit = (*at)->values + 1; /* the next one: all before it are set */
    assert(bit != 0);        /* 65 keys with one hash of 64 secret bits */
    open_slot(k, at, bit, value);
    return true;
}

static bool
put(const struct gw_trie_kind *k, struct gw_trie_node **at, unsigned level, uint64_t hash,
    void *value)
{
    uint64_t bit = level <= LAST ? bit_of(hash, level) : 0;

    own(k, at);
    if (level > LAST) {
        return put_at_bottom(k, at, value);
    }
    if (((*at)->nodes & bit) != 0) {
        return put(k, &slot_of(*at, bit)->node, level + BITS, hash, value);
    }
    if (((*at)->values & bit) == 0) {
        open_slot(k, at, bit, value);
        return true;
    }
    union slot *slot = slot_of(*at, bit);
    if (is_at(k, slot->value, k->key(value))) {
        replace(k, slot, value);
        return false;
    }
    struct gw_trie_node *both = new_node(k); /* two that agree in their bits so far */
    (void)put(k, &both, level + BITS, k->hash(k->key(slot->value)), slot->value);
    (void)put(k, &both, level + BITS, hash, value);
    slot->node = both;
    (*at)->values &= ~bit;
    (*at)->nodes |= bit;
    return true;
}

void
gw_trie_put(struct gw_trie *t, void *value)
{
    if (t->root == NULL) {
        t->root = new_node(t->kind);
    }
    t->n += put(t->kind, &t->root, 0, t->kind->hash(t->kind->key(value)), value);
}

/* A node that has only one value left becomes that value. */
static void
pull_up(const struct gw_trie_kind *k, struct gw_trie_node *n, uint64_t bit)
{
    union slot *slot = slot_of(n, bit);
    struct gw_trie_node *child = slot->node;

    if (child->nodes == 0 && count(child->values) == 1) {
        slot->value = child->slots[0].value;
        n->nodes &= ~bit;
        n->values |= bit;
        gw_pool_left(k->pool, child);
        free(child); /* ours alone: the value's reference went with it */
    }
}

static void
drop_at_bottom(const struct gw_trie_kind *k, struct gw_trie_node **at, struct gw_str key)
{
    struct gw_trie_node *n = *at;
    unsigned values = count(n->values);

    assert(values > 0);
    unsigned last = values - 1;
    union slot *slot = slot_of(n, bit_at_bottom(k, n, key));
    void *value = slot->value;

    slot->value = n->slots[last].value;
    n->slots[last].value = value;
    close_slot(k, at, (uint64_t)1 << last);
    if (k->unref != NULL) {
        k->unref(value);
    }
}

/* The key is there. */
static void
drop(const struct gw_trie_kind *k, struct gw_trie_node **at, unsigned level, uint64_t hash,
     struct gw_str key)
{
    uint64_t bit = level <= LAST ? bit_of(hash, level) : 0;

    own(k, at);
    if (level > LAST) {
        drop_at_bottom(k, at, key);
    } else if (((*at)->nodes & bit) != 0) {
        drop(k, &slot_of(*at, bit)->node, level + BITS, hash, key);
        pull_up(k, *at, bit);
    } else {
        void *value = slot_of(*at, bit)->value;

        close_slot(k, at, bit);
        if (k->unref != NULL) {
            k->unref(value); /* the key may be its own */
        }
    }
}

void
gw_trie_drop(struct gw_trie *t, struct gw_str key)
{
    uint64_t hash = t->kind->hash(key);

    if (gw_trie_find(t, key, hash) == NULL) {
        return;
    }
    drop(t->kind, &t->root, 0, hash, key);
    if (--t->n == 0) {
        unref_node(t->kind, t->root);
        t->root = NULL;
    }
}

/* ---- versions ----------------------------------------------------------------------------- */

void
gw_trie_copy(struct gw_trie *to, const struct gw_trie *from)
{
    *to = *from;
    if (to->root != NULL) {
        ref_node(to->root);
    }
}

static void
each_of_node(const struct gw_trie_node *n, void (*call)(void *value, void *arg), void *arg)
{
    uint64_t left = n->values | n->nodes;

    for (unsigned i = 0; left != 0; i++) {
        if (next_is_value(n, &left)) {
            call(n->slots[i].value, arg);
        } else {
            each_of_node(n->slots[i].node, call, arg);
        }
    }
}

void
gw_trie_each(const struct gw_trie *t, void (*call)(void *value, void *arg), void *arg)
{
    if (t->root != NULL) {
        each_of_node(t->root, call, arg);
    }
}

void
gw_trie_fini(struct gw_trie *t)
{
    unref_node(t->kind, t->root);
    t->root = NULL;
    t->n = 0;
}
