/*
 * ext_sides.h - the endpoints of an extension, sorted by the versions that its spec tells apart.
 */
#ifndef GW_MODULES_EXT_SIDES_H
#define GW_MODULES_EXT_SIDES_H

#include "gateway/split.h"
#include "modules/ext_index.h"

/* Sorts r's endpoints and weights into sides, each as they stood; r->spec has versions.  named: the
 * version that each says it is; borrowed.  The caller owns the split: free(). */
struct gw_split *gw_ext_sides_new(struct gw_ext_route *r, const char *const *named);

/* Is that the series of one of its sides? */
bool gw_ext_sides_have(const struct gw_split *s, struct gw_str series);

#endif
