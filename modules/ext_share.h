/*
 * ext_share.h - what many ExtensionServices say alike is held once.
 *
 * Two specs are the same when their JSON is, but for spec.endpoints and spec.service.  Any thread.
 */
#ifndef GW_MODULES_EXT_SHARE_H
#define GW_MODULES_EXT_SHARE_H

#include "modules/ext_spec.h"

/* Its own copy of spec, or the one that is there already; counted.  json: the spec as written.
 * arena: for what comes and goes. */
const struct gw_ext_spec *gw_ext_share(const struct gw_ext_spec *spec, json_t *json,
                                       struct gw_arena *arena);
void gw_ext_share_release(const struct gw_ext_spec *spec);

/* Copies n bytes to *at, which moves on; returns where they are.  For what is packed into one piece
 * of memory. */
void *gw_ext_share_put(char **at, const void *from, size_t n);

#endif
