#include "server/watch_text.h"

#include <stdio.h>

#include "gateway/reply.h"
#include "server/endpoint_status.h"

static void
begin(struct gw_buf *out, const char *type)
{
    gw_buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
}

static int
add_bytes(const char *bytes, size_t n, void *out)
{
    gw_buf_add(out, bytes, n);
    return 0;
}

static void
set_revision(json_t *object, uint64_t revision)
{
    char number[24];

    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)revision);
    (void)json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                              json_string(number));
}

static void
add_json(struct gw_buf *out, const char *type, const json_t *object)
{
    begin(out, type);
    (void)json_dump_callback(object, add_bytes, out, JSON_COMPACT);
    gw_buf_puts(out, "}\n");
}

/* Takes the reference. */
static void
add_object(struct gw_buf *out, const char *type, const struct gw_kind *kind, json_t *object,
           uint64_t revision, const struct gw_admin_table *table)
{
    set_revision(object, revision);
    if (table->version != NULL) {
        json_t *metadata = json_object();

        (void)json_object_set(
            metadata, "resourceVersion",
            json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
        object = gw_admin_table_json(table, kind, metadata, json_pack("[o]", object));
    }
    add_json(out, type, object);
    json_decref(object);
}

void
gw_watch_text_event(struct gw_buf *out, const char *type, const struct gw_object *o,
                    uint64_t revision, const struct gw_admin_table *table)
{
    if (o->revision == 0 || table->version != NULL) {
        add_object(out, type, o->kind, gw_endpoint_status_object(o),
                   o->revision == 0 ? revision : o->revision, table);
        return;
    }
    begin(out, type);
    gw_endpoint_status_write(o, out);
    gw_buf_puts(out, "}\n");
}

void
gw_watch_text_deleted(struct gw_buf *out, const struct gw_object *before, uint64_t revision,
                      const struct gw_admin_table *table)
{
    add_object(out, "DELETED", before->kind, gw_object_json(before), revision, table);
}

/* A Table without rows would do, but clients look for the annotation in one. */
static void
add_bookmark_row(struct gw_buf *out, const struct gw_kind *kind, uint64_t revision,
                 bool initial_end, const struct gw_admin_table *table)
{
    json_t *object = json_pack("{s:{s:s, s:n}}", "metadata", "name", "", "creationTimestamp");

    if (initial_end) {
        (void)json_object_set_new(json_object_get(object, "metadata"), "annotations",
                                  json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    }
    add_object(out, "BOOKMARK", kind, object, revision, table);
}

void
gw_watch_text_bookmark(struct gw_buf *out, const struct gw_kind *kind, uint64_t revision,
                       bool initial_end, const struct gw_admin_table *table)
{
    if (table->version != NULL) {
        add_bookmark_row(out, kind, revision, initial_end, table);
        return;
    }
    begin(out, "BOOKMARK");
    gw_buf_printf(out,
                  "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{"
                  "\"resourceVersion\":\"%llu\",\"creationTimestamp\":null%s}}}\n",
                  kind->kind, kind->group, kind->group[0] == '\0' ? "" : "/", kind->version,
                  (unsigned long long)revision,
                  initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

void
gw_watch_text_error(struct gw_buf *out, enum gw_err err)
{
    static const struct gw_status_details none;

    begin(out, "ERROR");
    gw_status_json(out, gw_err_status(err), gw_str_of(gw_err_reason(err)),
                   gw_str_of(gw_err_text(err)), &none);
    out->n--; /* a line of its own, which it is not here */
    gw_buf_puts(out, "}\n");
}

void
gw_watch_text_too_new(struct gw_buf *out, uint64_t wanted, uint64_t now)
{
    begin(out, "ERROR");
    gw_admin_too_new_json(out, wanted, now);
    out->n--;
    gw_buf_puts(out, "}\n");
}
