/*
 * alias.h - what an alias (*name) stands for: a copy of its anchor's value.
 *
 * Copies, so that each value has one owner and ${NAME} is replaced once; and bounded, so
 * that a small text can't become a large one ("billion laughs").
 */
#ifndef GW_CONFIG_ALIAS_H
#define GW_CONFIG_ALIAS_H

#include <jansson.h>

#include "base/diag.h"
#include "config/places.h"

#define GW_DEEPEST   64 /* of all nesting, that of aliases included */
#define GW_ALIAS_MAX 10 /* times the input's size, by all its aliases together */

struct gw_alias {
    struct gw_places *places; /* borrowed; the copies' places are added */
    struct gw_diag *diag;
    size_t left; /* bytes that may still be added; filled in by the owner */
};

/* A new reference, or NULL after an error, which is said at that place.  depth is the
 * alias' own. */
json_t *gw_alias_copy(struct gw_alias *a, json_t *value, int depth, struct gw_place at);

#endif
