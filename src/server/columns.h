/*
 * columns.h - what a table of objects shows beside their names: for `ksgate get`, and for kubectl
 * (admin_table.h).
 */
#ifndef GW_SERVER_COLUMNS_H
#define GW_SERVER_COLUMNS_H

#include "base/buf.h"
#include "registry/object.h"

struct gw_column {
    const char *title;
    const char *path;      /* of the value in the object: "spec.url"; NULL: see cell */
    const char *otherwise; /* when nothing is there */
    const char *help;
    void (*cell)(struct gw_buf *out, const json_t *object); /* NULL: the value itself */
};

/* Those of the kind, the last with no title: none for a kind of which name and age say all. */
const struct gw_column *gw_columns_of(const struct gw_kind *kind);

/* Appends the cell of an object as it is read (with its status). */
void gw_column_cell(struct gw_buf *out, const struct gw_column *c, const json_t *object);

/* "12s", "5m", "3h", "8d": since then, as people say it; "-" when it is no time. */
void gw_columns_age(struct gw_buf *out, const char *rfc3339, uint64_t now_ms);

#endif
