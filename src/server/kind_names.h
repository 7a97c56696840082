/* kind_names.h - what people type for a kind: the short name and the singular. */
#ifndef GW_SERVER_KIND_NAMES_H
#define GW_SERVER_KIND_NAMES_H

#include "base/buf.h"
#include "registry/object.h"

/* "es" for ExtensionService, or NULL. */
const char *gw_kind_short_name(const struct gw_kind *kind);

/* Appends "extensionservice". */
void gw_kind_singular(struct gw_buf *out, const struct gw_kind *kind);

#endif
