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

void
gw_watch_text_event(struct gw_buf *out, const char *type, const struct gw_object *o,
                    uint64_t revision)
{
    if (o->revision == 0) {
        json_t *json = gw_endpoint_status_object(o);

        set_revision(json, revision);
        add_json(out, type, json);
        json_decref(json);
        return;
    }
    begin(out, type);
    gw_endpoint_status_write(o, out);
    gw_buf_puts(out, "}\n");
}

void
gw_watch_text_deleted(struct gw_buf *out, const struct gw_object *before, uint64_t revision)
{
    json_t *json = gw_object_json(before);

    set_revision(json, revision);
    add_json(out, "DELETED", json);
    json_decref(json);
}

void
gw_watch_text_bookmark(struct gw_buf *out, const struct gw_kind *kind, uint64_t revision,
                       bool initial_end)
{
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
