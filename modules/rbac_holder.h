/*
 * rbac_holder.h - all bindings of one user or one group, compiled: immutable, counted, one block of
 * memory, shared by all workers.
 *
 * They stand in the order in which they are asked: by level, place and name.  A table of the
 * places finds those that apply where a request goes.
 */
#ifndef GW_MODULES_RBAC_HOLDER_H
#define GW_MODULES_RBAC_HOLDER_H

#include <stdatomic.h>

#include "modules/rbac_pieces.h"

struct gw_rbac_holder {
    atomic_uint refs;
    unsigned n, n_places;
    unsigned level_at[GW_RBAC_CLUSTER + 2]; /* where each level begins, and the last one ends */
    struct gw_str name;                     /* the user's or the group's; in the block */
    const struct gw_rbac_place *places;     /* the same; by their hashes */
    /* Borrowed.  Whoever keeps a holder keeps what stands in it: see rbac_index.c. */
    const struct gw_rbac_binding *list[];
};

/* Bindings of one level and place. */
struct gw_rbac_place {
    uint64_t hash; /* gw_rbac_place_hash() */
    unsigned at, n;
};

/* Bindings that are to be asked, in their order. */
struct gw_rbac_cursor {
    const struct gw_rbac_binding *const *at, *const *end;
};

/* Which one is asked first: below, above or 0 as strcmp() has it.  No two of a world are alike. */
int gw_rbac_holder_order(const struct gw_rbac_binding *a, const struct gw_rbac_binding *b);

/* A list in that order. */
struct gw_rbac_bindings {
    const struct gw_rbac_binding **list;
    unsigned n;
};

/* The holder that follows on `before` (NULL: there was none) without the bindings `gone` and with
 * those that come; one reference for the caller.  NULL: it has none left.  What is gone but was not
 * there does not matter; the same name may go and come. */
struct gw_rbac_holder *gw_rbac_holder_next(const struct gw_rbac_holder *before, struct gw_str name,
                                           const struct gw_rbac_bindings *gone,
                                           const struct gw_rbac_bindings *come);
void gw_rbac_holder_ref(struct gw_rbac_holder *h);
void gw_rbac_holder_unref(struct gw_rbac_holder *h);

/* Of a workspace's or a namespace's name. */
uint64_t gw_rbac_place_hash(enum gw_rbac_level level, struct gw_str place);

/* The bindings of a level, in whatever place. */
struct gw_rbac_cursor gw_rbac_holder_level(const struct gw_rbac_holder *h,
                                           enum gw_rbac_level level);
/* Those of one place; hash: the place's. */
struct gw_rbac_cursor gw_rbac_holder_place(const struct gw_rbac_holder *h, struct gw_str place,
                                           uint64_t hash);

#endif
