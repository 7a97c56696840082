/*
 * claim_index_private.h - the index of claims, as the files of it see it: claim_index.c (what is in
 * it) and claim_settle.c (who has what).  For nobody else.
 */
#ifndef GW_REGISTRY_CLAIM_INDEX_PRIVATE_H
#define GW_REGISTRY_CLAIM_INDEX_PRIVATE_H

#include "base/map.h"
#include "registry/claim_index.h"
#include "registry/claim_queue.h"
#include "registry/claim_tree.h"

/* An object that claims something. */
struct gw_claim_holder {
    struct gw_claims *claims; /* owned */
    char *name;               /* owned; NULL: the object's key */
    struct gw_object *told;   /* the winner that was told last: a reference; NULL: none */
    struct gw_claim_wait wait;
    bool live;     /* has what it claims; not until it was settled */
    bool put;      /* since the last time */
    bool was_held; /* the one whose place it took */
    struct gw_claim_mark marks[];
};

struct gw_claim_index {
    struct gw_map *holders; /* by name or key, which are theirs */
    struct gw_claim_tree tree;
    struct gw_claim_queue queue; /* who has to be settled */
    uint64_t round;              /* the number of the last settling, and of what was done since */
};

#endif
