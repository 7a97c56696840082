/*
 * places.h - which value stands where in a YAML text.
 *
 * jansson values have no room for it, so it is kept beside them.  true, false and null
 * are one value each for the whole process and have no place of their own: ask for the
 * place of their key.
 */
#ifndef GW_CONFIG_PLACES_H
#define GW_CONFIG_PLACES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct gw_places;

struct gw_spot {
    uint64_t id;
    int line, column; /* from 1 */
    bool from_env;    /* ${NAME} was replaced in it */
};

struct gw_places *gw_places_new(void);
void gw_places_free(struct gw_places *p); /* NULL is fine */

/* What a place is kept under: a value, or a key of an object. */
uint64_t gw_places_id(const json_t *value);
uint64_t gw_places_key_id(const json_t *object, struct gw_str key);

/* Takes the place of what stood there under the same id. */
void gw_places_put(struct gw_places *p, uint64_t id, int line, int column);

/* Borrowed until the next put; NULL: not known. */
struct gw_spot *gw_places_find(const struct gw_places *p, uint64_t id);

#endif
