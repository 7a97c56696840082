#include "gateway/explain_attrs.h"

#include <string.h>

#include "config/json.h"

#define INFO(field) offsetof(struct gw_request_info, field)

const struct gw_explain_attr gw_explain_attrs[] = {
    {"Verb", INFO(verb), false},
    {"Cluster", INFO(cluster), false},
    {"Workspace", INFO(workspace), false},
    {"Namespace", INFO(ns), false},
    {"APIGroup", INFO(api_group), false},
    {"APIVersion", INFO(api_version), false},
    {"Resource", INFO(resource), false},
    {"Subresource", INFO(subresource), false},
    {"Name", INFO(name), false},
    {"Path", INFO(path), false},
    {"ResourceScope", INFO(scope), false},
    {"ResourceRequest", INFO(is_resource), true},
    {"KubernetesRequest", INFO(is_kubernetes), true},
    {NULL, 0, false},
};

static struct gw_str *
text_at(struct gw_request_info *info, const struct gw_explain_attr *a)
{
    return (struct gw_str *)(void *)((char *)info + a->at);
}

static bool *
flag_at(struct gw_request_info *info, const struct gw_explain_attr *a)
{
    return (bool *)(void *)((char *)info + a->at);
}

/* A path may have any bytes: they are not for writing down. */
json_t *
gw_explain_attrs_of(const struct gw_request_info *info)
{
    struct gw_request_info of = *info;
    json_t *attrs = json_object();

    for (const struct gw_explain_attr *a = gw_explain_attrs; a->name != NULL; a++) {
        struct gw_str text = a->is_flag ? GW_STR_NONE : *text_at(&of, a);
        json_t *value = a->is_flag ? json_boolean(*flag_at(&of, a))
                                   : json_stringn_nocheck(text.p == NULL ? "" : text.p, text.n);

        (void)json_object_set_new(attrs, a->name, value);
    }
    return attrs;
}

struct gw_request_info
gw_explain_attrs_read(const json_t *attrs)
{
    struct gw_request_info info = {0};

    for (const struct gw_explain_attr *a = gw_explain_attrs; a->name != NULL; a++) {
        const json_t *value = json_object_get(attrs, a->name);

        if (a->is_flag) {
            *flag_at(&info, a) = json_is_true(value);
        } else {
            *text_at(&info, a) = json_is_string(value) ? gw_json_text(value) : GW_STR("");
        }
    }
    return info;
}
