/*
 * claim_tree.h - finds the claims that meet another one: byte by byte, in a tree of their texts.
 *
 * Costs the length of the text, and for a prefix what is below it.  One thread.
 */
#ifndef GW_REGISTRY_CLAIM_TREE_H
#define GW_REGISTRY_CLAIM_TREE_H

#include "registry/claims.h"

struct gw_claim_node;

/* A claim's place in the tree; in whoever owns it. */
struct gw_claim_mark {
    const struct gw_claim *claim;
    void *owner;
    struct gw_claim_node *node;
    struct gw_claim_mark *next, **prev; /* in one of the node's two lists */
};

/* Start with {0}. */
struct gw_claim_tree {
    struct gw_claim_node *roots[GW_CLAIM_N_SPACES];
};

void gw_claim_tree_fini(struct gw_claim_tree *t); /* the marks are not looked at */

/* claim and owner are set; both last until it is removed.  live: see meet(). */
void gw_claim_tree_add(struct gw_claim_tree *t, struct gw_claim_mark *m, bool live);
void gw_claim_tree_remove(struct gw_claim_tree *t, struct gw_claim_mark *m);

/* Calls it with each that meets the claim, in no order, until it says false.  live_only: those
 * alone. */
typedef bool gw_claim_met_fn(void *arg, struct gw_claim_mark *m);
void gw_claim_tree_meet(const struct gw_claim_tree *t, const struct gw_claim *claim, bool live_only,
                        gw_claim_met_fn *met, void *arg);

#endif
