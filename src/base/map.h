/*
 * map.h - text to pointer.
 *
 * Hashed by XXH3 with a secret drawn at start, so that a client can't choose names that
 * collide.  One thread at a time.  An entry takes about 40 bytes, and its key.
 */
#ifndef GW_BASE_MAP_H
#define GW_BASE_MAP_H

#include <stdint.h>

#include "base/str.h"

struct gw_map;

struct gw_map *gw_map_new(void); /* keys are copied */

/* Keys are borrowed: they are part of the values.  Each must last until its entry is taken out, or
 * is put again with another value, whose key then stands in its place. */
struct gw_map *gw_map_of_values(void);

/* Calls free_value (may be NULL) on each value. */
void gw_map_free(struct gw_map *m, void (*free_value)(void *));

/* The value, or NULL. */
void *gw_map_get(const struct gw_map *m, struct gw_str key);

/* Returns the value that stood there before, or NULL.  value is never NULL. */
void *gw_map_put(struct gw_map *m, struct gw_str key, void *value);

/* Returns the value that was taken out, or NULL. */
void *gw_map_take(struct gw_map *m, struct gw_str key);

size_t gw_map_count(const struct gw_map *m);

/* Walks in no order: size_t at = 0; while (gw_map_next(m, &at, &key, &value)) ...
 * The map may not change meanwhile.  key and value may be NULL. */
bool gw_map_next(const struct gw_map *m, size_t *at, struct gw_str *key, void **value);

/* The keyed 64-bit hash that the map uses; for other tables of outside input. */
uint64_t gw_hash(struct gw_str s);
/* The same with 128 bits, in place of texts that are too many to be kept: no two are ever alike. */
void gw_hash128(struct gw_str s, uint64_t out[2]);

#endif
