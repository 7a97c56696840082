#include "modules/rbac_gather.h"

#include <string.h>

#define FIELD "aggregationRoleTemplates"
#define AUTO  "iam.kubesphere.io/auto-aggregate"

/* ---- what a role says --------------------------------------------------------------------- */

static bool
is_list_of_texts(const json_t *v)
{
    size_t i;
    json_t *text;

    json_array_foreach(v, i, text)
    {
        if (!json_is_string(text)) {
            return false;
        }
    }
    return json_is_array(v);
}

static bool
is_map_of_texts(json_t *v)
{
    const char *key;
    json_t *text;

    json_object_foreach(v, key, text)
    {
        if (!json_is_string(text)) {
            return false;
        }
    }
    return json_is_object(v);
}

static bool
is_expression(const json_t *e)
{
    const char *op = json_string_value(json_object_get(e, "operator"));
    const json_t *values = json_object_get(e, "values");

    if (op == NULL || !json_is_string(json_object_get(e, "key"))) {
        return false;
    }
    if (strcmp(op, "In") == 0 || strcmp(op, "NotIn") == 0) {
        return is_list_of_texts(values) && json_array_size(values) > 0;
    }
    return (strcmp(op, "Exists") == 0 || strcmp(op, "DoesNotExist") == 0) &&
           json_array_size(values) == 0;
}

/* What is wrong with the selector, or NULL. */
static const char *
wrong_selector(const json_t *selector)
{
    json_t *labels = json_object_get(selector, "matchLabels");
    json_t *expressions = json_object_get(selector, "matchExpressions");
    size_t i;
    json_t *e;

    if (!json_is_object(selector) || (labels != NULL && !is_map_of_texts(labels)) ||
        (expressions != NULL && !json_is_array(expressions))) {
        return "it is not a selector with matchLabels and matchExpressions";
    }
    json_array_foreach(expressions, i, e)
    {
        if (!is_expression(e)) {
            return "an element of matchExpressions is not a key with the operator In, NotIn, "
                   "Exists or DoesNotExist and its values";
        }
    }
    return json_object_size(labels) + json_array_size(expressions) == 0 ? "it is empty" : NULL;
}

/* Kubernetes lets an empty selector select everything; here nobody gets rights by leaving something
 * out.  Nor by a selector that ks-core would not follow: without the annotation it does not. */
static json_t *
read_selector(const json_t *role, json_t *selector, const struct gw_yaml *source,
              struct gw_diag *diag)
{
    const json_t *notes = json_object_get(json_object_get(role, "metadata"), "annotations");
    const char *automatic = json_string_value(json_object_get(notes, AUTO));
    const char *wrong = wrong_selector(selector);

    if (wrong == NULL && (automatic == NULL || strcmp(automatic, "true") != 0)) {
        wrong = "it counts with the annotation " AUTO ": \"true\" only";
    }
    if (wrong == NULL) {
        return json_incref(selector);
    }
    gw_diag_warn(diag, gw_yaml_key_place(source, role, FIELD),
                 FIELD ".roleSelector takes in no RoleTemplate: %s", wrong);
    return NULL;
}

char *
gw_rbac_gather_read(const json_t *role, const struct gw_yaml *source, struct gw_diag *diag)
{
    const json_t *field = json_object_get(role, FIELD);
    json_t *names = json_object_get(field, "templateNames");
    json_t *selector = json_object_get(field, "roleSelector");
    char *text = NULL;

    if (field == NULL || json_is_null(field)) {
        return NULL;
    }
    if (!json_is_object(field) ||
        (names != NULL && !json_is_null(names) && !is_list_of_texts(names))) {
        gw_diag_warn(diag, gw_yaml_key_place(source, role, FIELD),
                     FIELD " takes in no RoleTemplate: it is not an object with templateNames, a "
                           "list of names, and roleSelector");
        return NULL;
    }
    json_t *gather = json_object();
    if (json_array_size(names) > 0) {
        (void)json_object_set(gather, "names", names);
    }
    if (selector != NULL && !json_is_null(selector)) {
        selector = read_selector(role, selector, source, diag);
        if (selector != NULL) {
            (void)json_object_set_new(gather, "selector", selector);
        }
    }
    if (json_object_size(gather) > 0) {
        text = json_dumps(gather, JSON_COMPACT | JSON_SORT_KEYS);
    }
    json_decref(gather);
    return text;
}

/* ---- which templates those are ------------------------------------------------------------- */

static bool
has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *v;

    json_array_foreach(list, i, v)
    {
        if (strcmp(json_string_value(v), text) == 0) {
            return true;
        }
    }
    return false;
}

static const char *
label_of(const struct gw_rbac_label *labels, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(labels[i].key, key) == 0) {
            return labels[i].value;
        }
    }
    return NULL;
}

static bool
expression_holds(const json_t *e, const struct gw_rbac_label *labels, size_t n)
{
    const char *op = json_string_value(json_object_get(e, "operator"));
    const char *value = label_of(labels, n, json_string_value(json_object_get(e, "key")));
    const json_t *values = json_object_get(e, "values");

    switch (op[0]) {
    case 'I': /* In */
        return value != NULL && has_text(values, value);
    case 'N': /* NotIn: also without the label, as in Kubernetes */
        return value == NULL || !has_text(values, value);
    case 'E': /* Exists */
        return value != NULL;
    default: /* DoesNotExist */
        return value == NULL;
    }
}

static bool
selects(const json_t *selector, const struct gw_rbac_label *labels, size_t n)
{
    const json_t *expressions = json_object_get(selector, "matchExpressions");
    const char *key;
    json_t *v;
    size_t i;

    json_object_foreach(json_object_get(selector, "matchLabels"), key, v)
    {
        const char *value = label_of(labels, n, key);

        if (value == NULL || strcmp(value, json_string_value(v)) != 0) {
            return false;
        }
    }
    json_array_foreach(expressions, i, v)
    {
        if (!expression_holds(v, labels, n)) {
            return false;
        }
    }
    return true;
}

bool
gw_rbac_gather_takes(const json_t *gather, const char *name, const struct gw_rbac_label *labels,
                     size_t n_labels)
{
    const json_t *selector = json_object_get(gather, "selector");

    return has_text(json_object_get(gather, "names"), name) ||
           (selector != NULL && selects(selector, labels, n_labels));
}
