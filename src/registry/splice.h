/* splice.h - the text of a stored object: its bare JSON and what the registry adds. */
#ifndef GW_REGISTRY_SPLICE_H
#define GW_REGISTRY_SPLICE_H

#include "registry/object.h"

/* Appends the JSON with uid, creationTimestamp and resourceVersion as metadata's first members.
 * bare is of gw_object_bare(). */
void gw_splice(struct gw_buf *out, const char *bare, const char *uid, const char *created,
               uint64_t revision);

/* Reads a stored text: its object, or NULL; then the diag says why.  key (may be NULL) is the
 * name under which it was stored, and must be the object's. */
struct gw_object *gw_splice_read(struct gw_str text, const char *key, struct gw_diag *diag);

#endif
