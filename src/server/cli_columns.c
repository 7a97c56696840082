#include "server/cli_columns.h"

#include "base/clock.h"
#include "server/cli_util.h"
#include "server/columns.h"

static void
add_row(struct gw_table *t, const struct gw_column *columns, const json_t *object, bool namespaces)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct gw_buf cell = {0};

    if (namespaces) {
        gw_table_add(t, json_string_value(json_object_get(metadata, "namespace")));
    }
    gw_table_add(t, json_string_value(json_object_get(metadata, "name")));
    for (; columns->title != NULL; columns++) {
        gw_buf_reset(&cell);
        gw_column_cell(&cell, columns, object);
        gw_table_add(t, cell.p);
    }
    gw_table_add(t, json_string_value(json_object_get(metadata, "resourceVersion")));
    gw_buf_reset(&cell);
    gw_columns_age(&cell, json_string_value(json_object_get(metadata, "creationTimestamp")),
                   gw_clock_wall_ms());
    gw_table_add(t, cell.p);
    gw_buf_fini(&cell);
}

void
gw_cli_columns(struct gw_buf *out, const struct gw_kind *kind, const json_t *items, bool namespaces)
{
    const struct gw_column *columns = gw_columns_of(kind);
    struct gw_table t = {.columns = 3 + (size_t)namespaces};

    if (namespaces) {
        gw_table_add(&t, "NAMESPACE");
    }
    gw_table_add(&t, "NAME");
    for (const struct gw_column *c = columns; c->title != NULL; c++) {
        gw_table_add(&t, c->title);
        t.columns++;
    }
    gw_table_add(&t, "REVISION");
    gw_table_add(&t, "AGE");
    for (size_t i = 0; i < json_array_size(items); i++) {
        add_row(&t, columns, json_array_get(items, i), namespaces);
    }
    gw_table_print(&t, out);
    gw_table_fini(&t);
}
