/*
 * claimed.h - of what is registered, what gets to the views: nothing that another object has a
 * better claim to (registry/claims.h).
 *
 * Control thread, and offline.
 */
#ifndef GW_GATEWAY_CLAIMED_H
#define GW_GATEWAY_CLAIMED_H

#include "registry/claim_index.h"

struct gw_claimed {
    const struct gw_change *changes; /* as views are to see them */
    size_t n;
    /* What was said of objects and holds no more: somebody may be looking at it still.  The
     * caller's. */
    struct gw_object_hold **retired;
    size_t n_retired;
    /* private */
    struct gw_change *own;
    struct gw_object **turned; /* a reference each */
    size_t n_turned, size_turned, size_retired;
    struct gw_diag *diag;
};

/* Takes the changes into the index.  Whoever is held now, or no more, is told so (gw_object_hold),
 * and in the log or, when it is not NULL, in the diag.  Changes are borrowed until _fini(). */
void gw_claimed_take(struct gw_claimed *c, struct gw_claim_index *x,
                     const struct gw_change *changes, size_t n, uint64_t revision,
                     struct gw_diag *diag);
void gw_claimed_fini(struct gw_claimed *c);

#endif
