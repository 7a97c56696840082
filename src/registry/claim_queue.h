/*
 * claim_queue.h - those who wait to be settled: whose turn it is, in gw_claims_order().
 *
 * A heap; costs the logarithm of how many wait.  One thread.
 */
#ifndef GW_REGISTRY_CLAIM_QUEUE_H
#define GW_REGISTRY_CLAIM_QUEUE_H

#include "registry/claims.h"

/* In whoever waits; claims and owner are set, and last as long as it waits. */
struct gw_claim_wait {
    const struct gw_claims *claims;
    void *owner;
    size_t at; /* on the heap */
    bool waits;
};

/* Start with {0}. */
struct gw_claim_queue {
    struct gw_claim_wait **heap; /* the first in order is at 0 */
    size_t n, size;
};

void gw_claim_queue_fini(struct gw_claim_queue *q); /* who waits is not looked at */

void gw_claim_queue_add(struct gw_claim_queue *q, struct gw_claim_wait *w);    /* once, at most */
void gw_claim_queue_remove(struct gw_claim_queue *q, struct gw_claim_wait *w); /* if it waits */

/* The owner of the first, which waits no more; NULL: nobody waits. */
void *gw_claim_queue_take(struct gw_claim_queue *q);

#endif
