/*
 * model_rules.h - objects as JSON, and what their rules and policies allow: kubesphere.md, 5.2
 * "Rule" and 5.6, and docs/modules/rbac.md, "Policies".
 */
#ifndef T_LIB_MODEL_RULES_H
#define T_LIB_MODEL_RULES_H

#include "t/lib/model_info.h"

/* ---- objects ------------------------------------------------------------------------------ */

/* The text at a, a.b or a.b.c; "" when there is none. */
static inline const char *
model_at(const json_t *o, const char *a, const char *b, const char *c)
{
    const json_t *v = json_object_get(o, a);

    v = b == NULL ? v : json_object_get(v, b);
    v = c == NULL ? v : json_object_get(v, c);
    return json_is_string(v) ? json_string_value(v) : "";
}

static inline const char *
model_kind(const json_t *o)
{
    return model_at(o, "kind", NULL, NULL);
}

static inline const char *
model_name(const json_t *o)
{
    return model_at(o, "metadata", "name", NULL);
}

static inline const char *
model_ns(const json_t *o)
{
    return model_at(o, "metadata", "namespace", NULL);
}

static inline const char *
model_workspace(const json_t *o)
{
    return model_at(o, "metadata", "labels", "kubesphere.io/workspace");
}

static inline const json_t *
model_find(const json_t *world, const char *kind, const char *ns, const char *name)
{
    size_t i;
    json_t *o;

    json_array_foreach(world, i, o)
    {
        if (model_is(model_kind(o), kind) && model_is(model_ns(o), ns) &&
            model_is(model_name(o), name)) {
            return o;
        }
    }
    return NULL;
}

static inline bool
model_has(const json_t *list, const char *word)
{
    size_t i;
    json_t *v;

    json_array_foreach(list, i, v)
    {
        if (model_is(json_string_value(v), word)) {
            return true;
        }
    }
    return false;
}

static inline bool
model_has_or_star(const json_t *list, const char *word)
{
    return model_has(list, word) || model_has(list, "*");
}

/* Equal, or a prefix up to trailing stars. */
static inline bool
model_path_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);

    while (n > 0 && pattern[n - 1] == '*') {
        n--;
    }
    return pattern[n] == '*' ? strncmp(pattern, path, n) == 0 : model_is(pattern, path);
}

static inline bool
model_paths_have(const json_t *list, const char *path)
{
    size_t i;
    json_t *v;

    json_array_foreach(list, i, v)
    {
        if (model_path_matches(json_string_value(v), path)) {
            return true;
        }
    }
    return false;
}

/* ---- rules -------------------------------------------------------------------------------- */

static inline bool
model_resource_matches(const json_t *list, const struct model_info *i)
{
    char both[2 * MODEL_TEXT];
    char any[2 * MODEL_TEXT];

    if (i->subresource[0] == '\0') {
        return model_has_or_star(list, i->resource);
    }
    (void)snprintf(both, sizeof(both), "%s/%s", i->resource, i->subresource);
    (void)snprintf(any, sizeof(any), "*/%s", i->subresource);
    return model_has_or_star(list, both) || model_has(list, any);
}

static inline bool
model_rule_allows(const json_t *rule, const struct model_info *i)
{
    const json_t *names = json_object_get(rule, "resourceNames");

    if (!model_has_or_star(json_object_get(rule, "verbs"), i->verb)) {
        return false;
    }
    if (!i->resource_request) {
        return model_paths_have(json_object_get(rule, "nonResourceURLs"), i->path);
    }
    return model_has_or_star(json_object_get(rule, "apiGroups"), i->group) &&
           model_resource_matches(json_object_get(rule, "resources"), i) &&
           (json_array_size(names) == 0 || model_has(names, i->name));
}

/* ---- policies ----------------------------------------------------------------------------- */

static inline bool
model_name_is(const char *pattern, const char *name, const char *user)
{
    char whole[2 * MODEL_TEXT];
    const char *at = strstr(pattern, "{user}");

    if (user[0] == '\0') {
        return false;
    }
    if (at == NULL) {
        return model_is(pattern, name);
    }
    (void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(at - pattern), pattern, user,
                   at + strlen("{user}"));
    return model_is(whole, name);
}

static inline bool
model_condition_holds(const char *key, const json_t *is, const struct model_info *i,
                      const char *user)
{
    const struct {
        const char *key, *value;
    } lists[] = {
        {"scopes", i->scope},         {"verbs", i->verb},         {"apiGroups", i->group},
        {"apiVersions", i->version},  {"resources", i->resource}, {"subresources", i->subresource},
        {"names", i->name},           {"namespaces", i->ns},      {"clusters", i->cluster},
        {"workspaces", i->workspace},
    };

    if (model_is(key, "paths")) {
        return model_paths_have(is, i->path);
    }
    if (model_is(key, "nameIs")) {
        return model_name_is(json_string_value(is), i->name, user);
    }
    if (model_is(key, "kubernetesRequest")) {
        return json_is_true(is) == i->kubernetes;
    }
    if (model_is(key, "resourceRequest")) {
        return json_is_true(is) == i->resource_request;
    }
    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
        if (model_is(key, lists[k].key)) {
            return model_has_or_star(is, lists[k].value);
        }
    }
    return false;
}

/* Worlds have lists of clauses as docs/modules/rbac.md has them, and lists with something else
 * in them, marked by a condition "broken", which allow nothing at all.  The same goes for Rego. */
static inline bool
model_policy_allows(const json_t *role, const struct model_info *i, const char *user)
{
    json_t *policy =
        json_loads(model_at(role, "metadata", "annotations", "ksgate.io/policy"), 0, NULL);
    bool allows = false;
    bool broken = !json_is_array(policy);
    size_t k;
    json_t *clause;

    json_array_foreach(policy, k, clause)
    {
        bool all = true;
        const char *key;
        json_t *is;

        broken = broken || json_object_size(clause) == 0 || json_object_get(clause, "broken");
        json_object_foreach(clause, key, is)
        {
            all = all && model_condition_holds(key, is, i, user);
        }
        allows = allows || all;
    }
    json_decref(policy);
    return allows && !broken;
}

#endif
