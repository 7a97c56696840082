/*
 * table.h - values found by a key that is part of them: for what requests look up.
 *
 * Smaller and faster than a map where there may be 100 000: a slot holds the value and the hash of
 * its key, so that a search misses the cache at the slot and at the value, and nowhere else.
 * Hashed as in map.h.  One thread at a time.
 */
#ifndef GW_BASE_TABLE_H
#define GW_BASE_TABLE_H

#include "base/str.h"

struct gw_table;

/* The key of a value; always the same for the same value. */
typedef struct gw_str gw_table_key_fn(const void *value);

struct gw_table *gw_table_new(gw_table_key_fn *key);

/* Calls free_value (may be NULL) on each value. */
void gw_table_free(struct gw_table *t, void (*free_value)(void *));

/* The value, or NULL. */
void *gw_table_get(const struct gw_table *t, struct gw_str key);

/* Returns the value of the same key that stood there before, or NULL.  value is never NULL. */
void *gw_table_put(struct gw_table *t, void *value);

/* Returns the value that was taken out, or NULL. */
void *gw_table_take(struct gw_table *t, struct gw_str key);

size_t gw_table_count(const struct gw_table *t);
size_t gw_table_bytes(const struct gw_table *t); /* without the values */

#endif
