/*
 * claim_tree.h - finds the claims that meet another one: byte by byte, in a tree of their texts.
 *
 * Costs the length of the text, and for a prefix what is below it.  Of the claims of one text only
 * those whose methods meet cost anything.  One thread.
 */
#ifndef GW_REGISTRY_CLAIM_TREE_H
#define GW_REGISTRY_CLAIM_TREE_H

#include <stdint.h>

#include "registry/claims.h"

struct gw_claim_node;

/* All claims that are equal: what meets one of them meets each.  There is one at least. */
struct gw_claim_group {
    struct gw_claim_node *node;
    struct gw_claim_mark *live, *held;
    /* The index's: see claim_settle.c, and claim_index.c for `stirred`.  0 at first. */
    uint64_t woken, stirred, asked;
    void *winner;
};

/* A claim's place in the tree; in whoever owns it. */
struct gw_claim_mark {
    const struct gw_claim *claim;
    void *owner;
    struct gw_claim_group *group;       /* while it is in the tree */
    struct gw_claim_mark *next, **prev; /* in one of the group's two lists */
};

/* Start with {0}. */
struct gw_claim_tree {
    struct gw_claim_node *roots[GW_CLAIM_N_SPACES];
};

void gw_claim_tree_fini(struct gw_claim_tree *t); /* the marks are not looked at */

/* claim and owner are set; both last until it is removed.  live: in which of the group's lists. */
void gw_claim_tree_add(struct gw_claim_tree *t, struct gw_claim_mark *m, bool live);
void gw_claim_tree_move(struct gw_claim_mark *m, bool live); /* into the other list */
void gw_claim_tree_remove(struct gw_claim_tree *t, struct gw_claim_mark *m);

/* Calls it with each group that meets the claim, in no order. */
typedef void gw_claim_met_fn(void *arg, struct gw_claim_group *g);
void gw_claim_tree_meet(const struct gw_claim_tree *t, const struct gw_claim *claim,
                        gw_claim_met_fn *met, void *arg);

#endif
