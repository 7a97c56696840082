/* cli_columns.h - which columns the table of a kind has. */
#ifndef GW_SERVER_CLI_COLUMNS_H
#define GW_SERVER_CLI_COLUMNS_H

#include "registry/object.h"

/* Appends the table of the items (an array of objects of one kind). */
void gw_cli_columns(struct gw_buf *out, const struct gw_kind *kind, const json_t *items,
                    bool namespaces);

#endif
