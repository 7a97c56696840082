/*
 * known.h - all objects of the store that this gateway knows, and what a new listing means.
 *
 * A listing that continues what is known replaces it.  A listing of a store that was wiped,
 * restored or failed over (another epoch, or an older revision) does not: what it lacks becomes
 * an orphan, is kept, and goes only when it is dropped on purpose (sync.c says when).
 */
#ifndef GW_REGISTRY_KNOWN_H
#define GW_REGISTRY_KNOWN_H

#include "registry/files.h"
#include "registry/snapshot.h"

struct gw_known;

/* Changes that are being gathered; keys and objects are owned.  Start with {0}. */
struct gw_changes {
    struct gw_change *items;
    size_t n, size;
};

void gw_changes_add(struct gw_changes *c, const char *key, struct gw_object *o,
                    struct gw_object *before, uint64_t revision);
void gw_changes_fini(struct gw_changes *c);

struct gw_known *gw_known_new(void);
void gw_known_free(struct gw_known *k);

/* The object, borrowed, or NULL. */
struct gw_object *gw_known_get(const struct gw_known *k, const char *key);
bool gw_known_is_orphan(const struct gw_known *k, const char *key);
/* Walk as gw_map_next() does: all objects, or the orphans. */
bool gw_known_next(const struct gw_known *k, size_t *at, struct gw_object **o);
bool gw_known_next_orphan(const struct gw_known *k, size_t *at, struct gw_object **o);

size_t gw_known_count(const struct gw_known *k);
size_t gw_known_orphans(const struct gw_known *k);
uint64_t gw_known_revision(const struct gw_known *k);
/* Is what is known of a store of another epoch, and the one before it was not of this one?  Then
 * all that happened in this one came after what is known; of one that is back (a backup, after it
 * was wiped) nobody can tell. */
bool gw_known_is_new(const struct gw_known *k, const char *epoch);

/* Each of these adds to `out` what is different now; the first two in the order of keys. */

/* From disk; k is new. */
void gw_known_load(struct gw_known *k, struct gw_snapshot *s, struct gw_changes *out);

/* The next listing does not continue what is known, whatever its epoch and revision. */
void gw_known_put_back(struct gw_known *k);

/* A listing.  True when it does not continue what was known. */
bool gw_known_list(struct gw_known *k, struct gw_object *const *objects, size_t n,
                   uint64_t revision, const char *epoch, struct gw_changes *out);

void gw_known_change(struct gw_known *k, const struct gw_change *changes, size_t n,
                     uint64_t revision, struct gw_changes *out);

/* Drops all orphans for which `which` is true (NULL: all). */
void gw_known_drop_all(struct gw_known *k, bool (*which)(const struct gw_object *o),
                       struct gw_changes *out);

/* For the disk, with references. */
void gw_known_save(const struct gw_known *k, struct gw_snapshot *s);

#endif
