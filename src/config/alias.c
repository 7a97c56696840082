#include "config/alias.h"

static void
copy_place(struct gw_alias *a, uint64_t from, uint64_t to)
{
    const struct gw_spot *spot = gw_places_find(a->places, from);

    if (spot != NULL) {
        gw_places_put(a->places, to, spot->line, spot->column);
    }
}

static bool
spend(struct gw_alias *a, size_t n, struct gw_place at)
{
    if (n > a->left) {
        gw_diag_error(a->diag, at, "aliases make this more than %d times as large as it is written",
                      GW_ALIAS_MAX);
        return false;
    }
    a->left -= n;
    return true;
}

/* False after an error; what was copied until then is in `into`. */
static bool
copy_members(struct gw_alias *a, json_t *object, json_t *into, int depth, struct gw_place at)
{
    const char *name = NULL;
    size_t n = 0;
    json_t *member = NULL;

    json_object_keylen_foreach(object, name, n, member)
    {
        struct gw_str key = {name, n};
        json_t *twin = spend(a, n, at) ? gw_alias_copy(a, member, depth + 1, at) : NULL;

        if (twin == NULL) {
            return false;
        }
        (void)json_object_setn_new(into, name, n, twin);
        copy_place(a, gw_places_key_id(object, key), gw_places_key_id(into, key));
    }
    return true;
}

static bool
copy_items(struct gw_alias *a, json_t *list, json_t *into, int depth, struct gw_place at)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *twin = gw_alias_copy(a, json_array_get(list, i), depth + 1, at);

        if (twin == NULL) {
            return false;
        }
        (void)json_array_append_new(into, twin);
    }
    return true;
}

json_t *
gw_alias_copy(struct gw_alias *a, json_t *value, int depth, struct gw_place at)
{
    json_t *made = NULL;
    bool good = true;

    if (depth > GW_DEEPEST) {
        gw_diag_error(a->diag, at, "nested deeper than %d", GW_DEEPEST);
        return NULL;
    }
    if (!spend(a, 1 + json_string_length(value), at)) {
        return NULL;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        made = json_object();
        good = copy_members(a, value, made, depth, at);
        break;
    case JSON_ARRAY:
        made = json_array();
        good = copy_items(a, value, made, depth, at);
        break;
    case JSON_STRING:
    case JSON_INTEGER:
    case JSON_REAL:
        made = json_copy(value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        return json_incref(value); /* one of each for all: no copy, no place */
    }
    copy_place(a, gw_places_id(value), gw_places_id(made));
    if (!good) {
        json_decref(made);
        return NULL;
    }
    return made;
}
