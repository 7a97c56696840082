/*
 * model_templates.h - which RoleTemplates a role takes in: kubesphere.md, 5.1 "Aggregation", and
 * docs/modules/rbac.md, "RoleTemplates".
 */
#ifndef T_LIB_MODEL_TEMPLATES_H
#define T_LIB_MODEL_TEMPLATES_H

#include "t/lib/model_rules.h"

static inline bool
model_label_holds(const json_t *labels, const json_t *e)
{
    const char *op = model_at(e, "operator", NULL, NULL);
    const json_t *label = json_object_get(labels, model_at(e, "key", NULL, NULL));
    bool listed =
        label != NULL && model_has(json_object_get(e, "values"), json_string_value(label));

    return model_is(op, "In")       ? listed
           : model_is(op, "NotIn")  ? !listed
           : model_is(op, "Exists") ? label != NULL
                                    : label == NULL;
}

static inline bool
model_takes_in(const json_t *role, const json_t *template)
{
    const json_t *field = json_object_get(role, "aggregationRoleTemplates");
    const json_t *selector = json_object_get(field, "roleSelector");
    json_t *wanted = json_object_get(selector, "matchLabels");
    const json_t *expressions = json_object_get(selector, "matchExpressions");
    const json_t *labels = json_object_get(json_object_get(template, "metadata"), "labels");
    bool selected = json_object_size(wanted) + json_array_size(expressions) > 0;
    const char *key;
    json_t *v;
    size_t k;

    if (model_has(json_object_get(field, "templateNames"), model_name(template))) {
        return true;
    }
    json_object_foreach(wanted, key, v)
    {
        selected = selected && json_equal(json_object_get(labels, key), v);
    }
    json_array_foreach(expressions, k, v)
    {
        selected = selected && model_label_holds(labels, v);
    }
    return selected &&
           model_is(model_at(role, "metadata", "annotations", "iam.kubesphere.io/auto-aggregate"),
                    "true");
}

#endif
