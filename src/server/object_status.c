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

static bool
is_ours(const json_t *one)
{
    const char *type = json_string_value(json_object_get(one, "type"));

    return type != NULL && strcmp(type, TYPE) == 0;
}

static json_t *
condition(bool used, const char *reason, const char *message)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "type", TYPE, "status", used ? "True" : "False",
                     "reason", reason, "message", message);
}

void
gw_object_status_add(json_t *json, const struct gw_object *o)
{
    const struct gw_object_flaw *flaw = gw_object_flaw(o);
    const struct gw_object_hold *hold = gw_object_hold(o);

    if (flaw == NULL && hold == NULL) {
        return;
    }
    json_t *status = member(json, "status", json_object());
    json_t *conditions = member(status, "conditions", json_array());
    if (!json_is_array(conditions)) {
        return;
    }
    (void)json_array_append_new(
        conditions,
        hold != NULL
            ? condition(false, hold->winner == NULL ? "TooMany" : "Conflict", hold->unnamed)
            : condition(!flaw->unused, flaw->unused ? "NotUsed" : "Warning", flaw->text));
}

void
gw_object_status_name(json_t *json, const struct gw_object_hold *hold)
{
    json_t *conditions = json_object_get(json_object_get(json, "status"), "conditions");
    json_t *last = json_array_get(conditions, json_array_size(conditions) - 1);

    const char *reason = json_string_value(json_object_get(last, "reason"));

    if (is_ours(last) && reason != NULL && strcmp(reason, "Conflict") == 0) {
        (void)json_object_set_new(last, "message", json_string(hold->named));
    }
}

void
gw_object_status_strip(json_t *json)
{
    json_t *status = json_object_get(json, "status");
    json_t *conditions = json_object_get(status, "conditions");

    for (size_t i = json_array_size(conditions); i > 0; i--) {
        if (!is_ours(json_array_get(conditions, i - 1))) {
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
