/*
 * trie.h - a table that is never changed once others look at it: what changes is the next version,
 * which shares with the last one all but the way to what is different.
 *
 * Any thread may read a version without a lock, for as long as it holds it.  To change one, make a
 * copy (no more than a reference is taken) and change that: nodes that are shared are copied on
 * the way, nodes of its own are changed in place, so filling an empty one costs no copies.  A
 * change of one among 100 000 copies some four nodes of at most 32 pointers.
 */
#ifndef GW_BASE_TRIE_H
#define GW_BASE_TRIE_H

#include <stdint.h>

#include "base/pool.h"
#include "base/str.h"

struct gw_trie_node;

/* What its values are. */
struct gw_trie_kind {
    struct gw_str (*key)(const void *value); /* is part of the value */
    uint64_t (*hash)(struct gw_str key);     /* gw_hash, but in tests */
    void (*ref)(void *value);                /* both NULL: values are borrowed */
    void (*unref)(void *value);              /* any thread */
    enum gw_pool pool;                       /* of the nodes */
};

/* Start with {.kind = ...}, which is static. */
struct gw_trie {
    const struct gw_trie_kind *kind;
    struct gw_trie_node *root; /* NULL: empty */
    size_t n;
};

void gw_trie_copy(struct gw_trie *to, const struct gw_trie *from);
void gw_trie_fini(struct gw_trie *t);

/* The value, borrowed, or NULL. */
void *gw_trie_get(const struct gw_trie *t, struct gw_str key);
/* The same, of whoever knows the key's hash already. */
void *gw_trie_find(const struct gw_trie *t, struct gw_str key, uint64_t hash);

/* Calls it with each value, in no order. */
void gw_trie_each(const struct gw_trie *t, void (*call)(void *value, void *arg), void *arg);

/* Takes over the reference; what stood under the same key is let go. */
void gw_trie_put(struct gw_trie *t, void *value);
/* Lets go of what stands there, if anything. */
void gw_trie_drop(struct gw_trie *t, struct gw_str key);

#endif
