/* schema_docs.h - a row in words, shared by the three forms of the reference. */
#ifndef GW_CONFIG_SCHEMA_DOCS_H
#define GW_CONFIG_SCHEMA_DOCS_H

#include "config/schema.h"

/* "a size", "one of json, text": what the row takes. */
void gw_docs_put_type(struct gw_buf *out, const struct gw_setting *row);

/* "1s to 1d", "at least 1"; nothing when there are no limits. */
void gw_docs_put_limits(struct gw_buf *out, const struct gw_setting *row);

/* Whether rows are below it. */
bool gw_docs_has_rows(const struct gw_setting *row);

#endif
