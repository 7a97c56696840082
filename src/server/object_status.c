#include "server/object_status.h"

#include <string.h>

#define TYPE "ksgate.io/Accepted"

/* The member, made if it is not there; NULL: it is something else, which is left alone. */
static json_t *
member(json_t *of, const char *name, json_t *empty)
{
    json_t *v = json_object_get(of, name);

    if (v == NULL) {
        (void)json_object_set(of, name, empty);
        v = json_object_get(of, name);
    }
    json_decref(empty);
    return v;
}

void
gw_object_status_add(json_t *json, const struct gw_object *o)
{
    const struct gw_object_flaw *flaw = gw_object_flaw(o);

    if (flaw == NULL) {
        return;
    }
    json_t *status = member(json, "status", json_object());
    json_t *conditions = member(status, "conditions", json_array());
    if (!json_is_array(conditions)) {
        return;
    }
    (void)json_array_append_new(
        conditions,
        json_pack("{s:s, s:s, s:s, s:s}", "type", TYPE, "status", flaw->unused ? "False" : "True",
                  "reason", flaw->unused ? "NotUsed" : "Warning", "message", flaw->text));
}

void
gw_object_status_strip(json_t *json)
{
    json_t *status = json_object_get(json, "status");
    json_t *conditions = json_object_get(status, "conditions");

    for (size_t i = json_array_size(conditions); i > 0; i--) {
        const char *type =
            json_string_value(json_object_get(json_array_get(conditions, i - 1), "type"));

        if (type == NULL || strcmp(type, TYPE) != 0) {
            continue;
        }
        (void)json_array_remove(conditions, i - 1);
        if (json_array_size(conditions) == 0) {
            (void)json_object_del(status, "conditions");
            conditions = NULL;
        }
        if (json_object_size(status) == 0) {
            (void)json_object_del(json, "status");
        }
        if (conditions == NULL) {
            return;
        }
    }
}
