#include "server/admin_table.h"

#include <stdio.h>

#include "base/clock.h"
#include "server/columns.h"

/* -- what is asked for --------------------------------------------------------------------------
 */

struct range {
    struct gw_str type, as, group, version;
};

/* "application/json;as=Table;v=v1;g=meta.k8s.io" */
static struct range
read_range(struct gw_str text)
{
    struct range r = {.type = gw_str_trim(gw_str_cut(&text, ';'))};

    while (text.n > 0) {
        struct gw_str value = gw_str_trim(gw_str_cut(&text, ';'));
        struct gw_str name = gw_str_cut(&value, '=');

        if (gw_str_eq(name, GW_STR("as"))) {
            r.as = value;
        } else if (gw_str_eq(name, GW_STR("g"))) {
            r.group = value;
        } else if (gw_str_eq(name, GW_STR("v"))) {
            r.version = value;
        }
    }
    return r;
}

static bool
is_json(struct gw_str type)
{
    return gw_str_eq_nocase(type, GW_STR("application/json")) ||
           gw_str_eq_nocase(type, GW_STR("application/*")) || gw_str_eq(type, GW_STR("*/*"));
}

/* NULL: not a table that we have. */
static const char *
table_version(const struct range *r)
{
    static const char *const versions[] = {"v1", "v1beta1"};

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (gw_str_eq(r->as, GW_STR("Table")) && gw_str_eq(r->group, GW_STR("meta.k8s.io")) &&
            gw_str_eq(r->version, gw_str_of(versions[i]))) {
            return versions[i];
        }
    }
    return NULL;
}

static const char *
read_accept(struct gw_str accept)
{
    while (accept.n > 0) {
        struct range r = read_range(gw_str_cut(&accept, ','));
        const char *version = table_version(&r);

        if (is_json(r.type) && (version != NULL || r.as.n == 0)) {
            return version;
        }
    }
    return NULL;
}

enum gw_verdict
gw_admin_table_read(struct gw_admin_table *t, struct gw_admin_call *call)
{
    static const char *const words[] = {"Metadata", "Object", "None"};
    struct gw_str with = gw_admin_query(call, "includeObject");

    *t = (struct gw_admin_table){
        .version = read_accept(gw_headers_value(&call->req->head->headers, GW_H_ACCEPT))};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (with.n == 0 || gw_str_eq(with, gw_str_of(words[i]))) {
            t->with = i;
            return GW_NEXT;
        }
    }
    return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                           "includeObject=%.*s: it takes None, Metadata or Object",
                           GW_STR_ARG(with));
}

/* -- the table ----------------------------------------------------------------------------------
 */

static void
define(json_t *columns, const char *name, const char *format, const char *help)
{
    (void)json_array_append_new(columns, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", name,
                                                   "type", "string", "format", format,
                                                   "description", help, "priority", 0));
}

/* kubectl makes capitals of them, and the namespace's column itself. */
static json_t *
definitions(const struct gw_column *c)
{
    json_t *columns = json_array();

    define(columns, "Name", "name", "Unique among those of the kind, or of a namespace.");
    for (; c->title != NULL; c++) {
        define(columns, c->title, "", c->help);
    }
    define(columns, "Age", "", "Since when it is there.");
    return columns;
}

static void
add_cell(json_t *cells, const struct gw_buf *text)
{
    (void)json_array_append_new(cells, json_stringn(text->n == 0 ? "" : text->p, text->n));
}

static json_t *
cells_of(const struct gw_column *c, const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *made = json_string_value(json_object_get(metadata, "creationTimestamp"));
    struct gw_buf text = {0};
    json_t *cells = json_array();

    (void)json_array_append(cells, json_object_get(metadata, "name"));
    for (; c->title != NULL; c++) {
        gw_buf_reset(&text);
        gw_column_cell(&text, c, object);
        add_cell(cells, &text);
    }
    gw_buf_reset(&text);
    gw_columns_age(&text, made, gw_clock_wall_ms());
    add_cell(cells, &text);
    gw_buf_fini(&text);
    return cells;
}

static json_t *
row_of(const struct gw_admin_table *t, const struct gw_column *columns, const char *version,
       json_t *object)
{
    json_t *row = json_pack("{s:o}", "cells", cells_of(columns, object));

    switch (t->with) {
    case GW_TABLE_METADATA:
        (void)json_object_set_new(row, "object",
                                  json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata",
                                            "apiVersion", version, "metadata",
                                            json_object_get(object, "metadata")));
        break;
    case GW_TABLE_OBJECT:
        (void)json_object_set(row, "object", object);
        break;
    case GW_TABLE_NONE:
        break;
    }
    return row;
}

json_t *
gw_admin_table_json(const struct gw_admin_table *t, const struct gw_kind *kind, json_t *metadata,
                    json_t *items)
{
    const struct gw_column *columns = gw_columns_of(kind);
    json_t *rows = json_array();
    char version[32];
    size_t i;
    json_t *object;

    (void)snprintf(version, sizeof(version), "meta.k8s.io/%s", t->version);
    json_array_foreach(items, i, object)
    {
        (void)json_array_append_new(rows, row_of(t, columns, version, object));
    }
    json_decref(items);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "Table", "apiVersion", version,
                     "metadata", metadata, "columnDefinitions", definitions(columns), "rows", rows);
}
