/*
 * jwt_revoked_run.h - revocations in order of their keys; for jwt_revoked.c.
 *
 * Small lists of them are searched by halves.  A run is for very many: a directory by the first
 * bits of the key (which are as good as random) leads to the few entries where one must be.
 */
#ifndef GW_MODULES_JWT_REVOKED_RUN_H
#define GW_MODULES_JWT_REVOKED_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is revoked; the two lowest bits of a key. */
enum gw_revoked_what {
    GW_REVOKED_TOKEN,
    GW_REVOKED_ID,
    GW_REVOKED_USER,
};

struct gw_revoked_key {
    uint64_t high, low;
};

struct gw_revoked_entry {
    struct gw_revoked_key key;
    uint32_t before_s; /* of a user: tokens issued before that; else UINT32_MAX */
    uint32_t until_s;  /* counts no longer from then on; UINT32_MAX: counts for ever */
};

struct gw_revoked_list {
    struct gw_revoked_entry *entries; /* sorted */
    size_t n;
};

int gw_revoked_compare(const void *a, const void *b); /* of two entries, for qsort() */

/* Takes out what is in both, pair by pair. */
void gw_revoked_cancel(struct gw_revoked_list *a, struct gw_revoked_list *b);

/* Both, in new heap memory. */
struct gw_revoked_list gw_revoked_merge(const struct gw_revoked_list *a,
                                        const struct gw_revoked_list *b);

/* The entries of that key are in [*at, *end). */
void gw_revoked_range(const struct gw_revoked_list *l, struct gw_revoked_key key, size_t *at,
                      size_t *end);

/* Immutable, counted. */
struct gw_revoked_run {
    atomic_uint refs;
    unsigned shift; /* of the key's high half, to the number of its part of the directory */
    size_t n;
    uint32_t *starts; /* the first entry of each part, and n */
    struct gw_revoked_entry entries[];
};

/* Of what is in base (NULL: nothing) and in more, without less, and without what counts no
 * longer.  At most UINT32_MAX of them.  One reference for the caller. */
struct gw_revoked_run *gw_revoked_run_new(const struct gw_revoked_run *base,
                                          const struct gw_revoked_list *more,
                                          const struct gw_revoked_list *less, uint64_t now_s);
struct gw_revoked_run *gw_revoked_run_ref(struct gw_revoked_run *r);
void gw_revoked_run_unref(struct gw_revoked_run *r); /* NULL is fine */

void gw_revoked_run_range(const struct gw_revoked_run *r, struct gw_revoked_key key, size_t *at,
                          size_t *end);
size_t gw_revoked_run_bytes(const struct gw_revoked_run *r);

#endif
