/*
 * sum.h - a checksum over objects: the same for two gateways if they have the same ones.
 *
 * The sum of the objects' XXH3-128s (of key and content, with uid and resourceVersion), so that a
 * change costs what the changed objects cost, and the order in which they came does not matter. Two
 * different sets have the same sum by chance only (2^-128); who writes objects in order to find
 * such sets deceives the comparison of gateways, and nothing else.
 */
#ifndef GW_REGISTRY_SUM_H
#define GW_REGISTRY_SUM_H

#include "registry/object.h"

/* Start with {0}: no objects. */
struct gw_sum {
    uint64_t high, low;
};

/* o NULL is fine: nothing. */
void gw_sum_add(struct gw_sum *s, const struct gw_object *o);
void gw_sum_take(struct gw_sum *s, const struct gw_object *o);

/* With `before` in them. */
void gw_sum_change(struct gw_sum *s, const struct gw_change *changes, size_t n);

#define GW_SUM_TEXT (32 + 1)
void gw_sum_text(const struct gw_sum *s, char out[GW_SUM_TEXT]);

/* As much of it as a metric can hold: a double is exact up to 2^53. */
uint64_t gw_sum_number(const struct gw_sum *s);

#endif
