/*
 * claim_index.h - all claims of what is registered, and who has what.
 *
 * In the order of gw_claims_order(), each object has what it claims unless one that has its own
 * already meets it; then it is *held*: as if it were not there, until that one has gone.  So it
 * does not matter in which order the objects came.  Control thread.
 */
#ifndef GW_REGISTRY_CLAIM_INDEX_H
#define GW_REGISTRY_CLAIM_INDEX_H

#include "registry/claims.h"

struct gw_claim_index;

struct gw_claim_index *gw_claim_index_new(void);
void gw_claim_index_free(struct gw_claim_index *x); /* NULL is fine */

/* In place of what stood under its key; one that claims nothing only takes that out. */
void gw_claim_index_put(struct gw_claim_index *x, struct gw_object *o, bool from_file);
void gw_claim_index_take(struct gw_claim_index *x, const char *key);

/* The same under a name that is not its key: so one key may stand there several times.  Is taken
 * out by that name.  For meet() alone: such an index is never settled. */
void gw_claim_index_put_as(struct gw_claim_index *x, const char *name, struct gw_object *o);

/* What became of one object.  Borrowed. */
struct gw_claim_turn {
    const struct gw_claims *claims;
    /* NULL: it has what it claims; its own: nobody else is to blame, it has too many */
    const struct gw_claims *winner;
    bool was_held;     /* so far; a new one was not */
    bool other_winner; /* it is held, and by another one than so far */
    bool put;          /* since the last time */
};

/* After puts and takes: tells of each that was put and is held, and of each for which something is
 * different.  Costs what has changed, and whom it meets. */
void gw_claim_index_settle(struct gw_claim_index *x,
                           void (*turned)(void *arg, const struct gw_claim_turn *t), void *arg);

/* Is there one under this key that is held?  As it was settled last. */
bool gw_claim_index_is_held(const struct gw_claim_index *x, const char *key);

/* ... or one that was put since? */
bool gw_claim_index_is_open(const struct gw_claim_index *x, const char *key);

/* The claims under this key, or NULL.  Borrowed. */
const struct gw_claims *gw_claim_index_get(const struct gw_claim_index *x, const char *key);

/* Of all that meet one of these claims, held or not, the first in order that `counts`; or NULL. */
const struct gw_claims *
gw_claim_index_meet(const struct gw_claim_index *x, const struct gw_claims *claims,
                    bool (*counts)(void *arg, const struct gw_claims *other), void *arg);

/* Warns of those among them that others keep from what they claim. */
void gw_claim_index_warn(struct gw_object *const *objects, size_t n, struct gw_diag *diag);

#endif
