#include "server/admin_versions.h"

#include <string.h>

static const char *
name_of(const json_t *o, const char *member)
{
    const char *name = json_string_value(json_object_get(o, member));

    return name == NULL ? "" : name;
}

static const json_t *
row_of(const json_t *rows, const char *version)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (strcmp(name_of(json_array_get(rows, i), "name"), version) == 0) {
            return json_array_get(rows, i);
        }
    }
    return NULL;
}

/* row NULL: the rest. */
static void
add_endpoints(json_t *out, const json_t *rows, const json_t *row, const json_t *endpoints)
{
    json_t *urls = json_array();
    json_int_t live = 0;

    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *e = json_array_get(endpoints, i);

        if (row_of(rows, name_of(e, "version")) == row) {
            (void)json_array_append(urls, json_object_get(e, "url"));
            live += json_is_true(json_object_get(e, "live"));
        }
    }
    (void)json_object_set_new(out, "endpoints", urls);
    (void)json_object_set_new(out, "live", json_integer(live));
}

static json_t *
row_json(const json_t *rows, const json_t *row, const json_t *endpoints, bool whole)
{
    const json_t *fallback = json_object_get(row, "fallback");
    json_t *match = json_object_get(row, "match");
    json_t *out = json_pack("{s:s, s:I}", "name", name_of(row, "name"), "share",
                            json_integer_value(json_object_get(row, "weight")));

    if (match != NULL && whole) {
        (void)json_object_set(out, "match", match);
    }
    (void)json_object_set_new(
        out, "fallback",
        json_string(json_is_string(fallback) ? json_string_value(fallback) : "rest"));
    add_endpoints(out, rows, row, endpoints);
    return out;
}

json_t *
gw_admin_versions(const json_t *rows, const json_t *endpoints, bool whole)
{
    json_int_t left = 100;
    json_t *list;

    if (json_array_size(rows) == 0) {
        return NULL;
    }
    list = json_array();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        left -= json_integer_value(json_object_get(row, "weight"));
        (void)json_array_append_new(list, row_json(rows, row, endpoints, whole));
    }
    json_t *rest = json_pack("{s:b, s:I}", "rest", 1, "share", left);
    add_endpoints(rest, rows, NULL, endpoints);
    (void)json_array_append_new(list, rest);
    return list;
}
