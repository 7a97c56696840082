/*
 * refusals.h - writes that the store itself refuses (it is full, locked, ...) while all that is
 * known can still be used: counted, in the log once, and in the store's state until it takes one.
 */
#ifndef GW_REGISTRY_REFUSALS_H
#define GW_REGISTRY_REFUSALS_H

#include "registry/store.h"

/* Start with {0}. */
struct gw_refusals {
    unsigned long long n; /* so far */
    uint64_t ms;          /* wall clock of the last one */
    bool new_only;        /* what is new is refused; to delete may work all the same */
    char why[160];        /* "": it takes writes, as far as is known */
};

/* name: the store's, for the log; text: why.  new_only: of what makes something new, for which
 * alone there may be no room. */
void gw_refusals_add(struct gw_refusals *r, const char *name, bool new_only, const char *text);

/* A write was taken.  is_new: it made something new. */
void gw_refusals_end(struct gw_refusals *r, const char *name, bool is_new);

/* Their part of the store's state. */
void gw_refusals_status(const struct gw_refusals *r, struct gw_store_status *out);

#endif
