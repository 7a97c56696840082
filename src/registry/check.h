/* check.h - is this JSON an object that the registry knows?  Its form, not its meaning. */
#ifndef GW_REGISTRY_CHECK_H
#define GW_REGISTRY_CHECK_H

#include "registry/object.h"

#define GW_OBJECT_DEPTH 32                /* levels of values */
#define GW_OBJECT_BYTES ((size_t)1 << 20) /* as compact JSON */

/* apiVersion, kind, metadata and size.  Its kind, or NULL: all errors are in the diag. */
const struct gw_kind *gw_check_object(json_t *json, const struct gw_yaml *source,
                                      struct gw_diag *diag);

/* Is it a Kubernetes object of somebody else (apps/v1 Deployment ...) and not a mistyped one of
 * ours?  A chart's YAML holds many of them. */
bool gw_check_is_foreign(const json_t *json);

#endif
