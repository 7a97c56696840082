/*
 * model_roles.h - random roles and templates, of a few words so that they meet what is asked.
 */
#ifndef T_LIB_MODEL_ROLES_H
#define T_LIB_MODEL_ROLES_H

#include <stdint.h>

#include "t/lib/model_rbac.h"

struct model_random {
    uint64_t state;
};

/* splitmix64 */
static inline unsigned
model_draw(struct model_random *r, unsigned below)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (unsigned)((z ^ (z >> 31)) >> 32) % below;
}

static inline bool
model_chance(struct model_random *r, unsigned percent)
{
    return model_draw(r, 100) < percent;
}

#define MODEL_PICK(r, list) ((list)[model_draw((r), sizeof(list) / sizeof((list)[0]))])

static const char *const model_users[] = {
    "ann",
    "bob",
    "cid",
    "dee",
    "eve",
    "kubesphere:serviceaccount:n1:robot",
    "system:serviceaccount:n3:robot",
    "ann",
    "bob",
};
static const char *const model_groups[] = {"dev", "ops", "system:authenticated"};
static const char *const model_workspaces[] = {"ws1", "ws2", "ws3"};
static const char *const model_namespaces[] = {"n1", "n2", "n3", "n4", "n5", "n6"};
static const char *const model_clusters[] = {"m1", "m2"};
static const char *const model_extensions[] = {"e1", "e2", "e3"};
static const char *const model_names[] = {"a", "b", "ann", "bob", "ws1", "n1"};
static const char *const model_methods[] = {"GET", "GET",    "GET",   "GET",  "POST",
                                            "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"};
/* Groups with resources; "" is the core's. */
static const char *const model_kinds[][2] = {
    {"", "pods"},
    {"", "pods"},
    {"", "secrets"},
    {"apps", "deployments"},
    {"apps", "deployments"},
    {"e.io", "things"},
    {"iam.kubesphere.io", "users"},
    {"iam.kubesphere.io", "workspacemembers"},
    {"tenant.kubesphere.io", "workspaces"},
    {"cluster.kubesphere.io", "clusters"},
    {"ksgate.io", "extensionservices"},
};
static const char *const model_subresources[] = {"log", "exec", "scale", "status"};
static const char *const model_paths[] = {
    "/api",        "/api/v1",        "/apis",         "/apis/apps/v1",
    "/kapis/e.io", "/kapis/e.io/v1", "/proxy/g",      "/proxy/g/x",
    "/proxy/gg/y", "/proxy/h/x/y",   "/openapi/v2/x", "/clusters/m1/proxy/g/x",
};
static const char *const model_role_kinds[] = {"GlobalRole", "WorkspaceRole", "ClusterRole",
                                               "Role"};

/* ---- rules -------------------------------------------------------------------------------- */

/* One to three words: fixed ones, a star now and then, or of the pool. */
static inline json_t *
model_some(struct model_random *r, const char *const *pool, size_t n, unsigned star)
{
    json_t *list = json_array();

    if (model_chance(r, star)) {
        json_array_append_new(list, json_string("*"));
    }
    for (unsigned k = 1 + model_draw(r, 3); k > 0; k--) {
        json_array_append_new(list, json_string(pool[model_draw(r, (unsigned)n)]));
    }
    return list;
}

#define MODEL_SOME(r, list, star) model_some((r), (list), sizeof(list) / sizeof((list)[0]), (star))

static inline json_t *
model_random_path_rule(struct model_random *r)
{
    static const char *const verbs[] = {"GET", "GET", "POST", "PUT", "DELETE", "HEAD", "get"};
    static const char *const urls[] = {
        "/proxy/g/*", "/proxy/g*",        "/proxy/*",           "/api",     "/api*",
        "/apis/*",    "/extensions/e1/*", "/extensions/e2/x*",  "/proxy/g", "/kapis/*",
        "*",          "/proxy/h/x/y",     "/extensions/e3/a/b",
    };

    return json_pack("{s:o, s:o}", "verbs", MODEL_SOME(r, verbs, 40), "nonResourceURLs",
                     MODEL_SOME(r, urls, 2));
}

static inline json_t *
model_random_use_rule(struct model_random *r)
{
    json_t *rule = json_pack("{s:[s], s:[s], s:[s]}", "verbs", model_chance(r, 80) ? "use" : "*",
                             "apiGroups", model_chance(r, 80) ? "ksgate.io" : "*", "resources",
                             model_chance(r, 80) ? "extensionservices" : "*");

    if (model_chance(r, 80)) {
        json_object_set_new(rule, "resourceNames", MODEL_SOME(r, model_extensions, 5));
    }
    return rule;
}

static inline json_t *
model_random_rule(struct model_random *r)
{
    static const char *const verbs[] = {"get",    "get",    "list",  "list",   "watch",
                                        "create", "update", "patch", "delete", "deletecollection",
                                        "proxy",  "use"};
    json_t *groups = json_array();
    json_t *resources = json_array();

    for (unsigned k = 1 + model_draw(r, 3); k > 0; k--) {
        const char *const *kind = MODEL_PICK(r, model_kinds);
        char text[MODEL_TEXT];

        json_array_append_new(groups, json_string(kind[0]));
        json_array_append_new(resources, json_string(kind[1]));
        if (model_chance(r, 30)) {
            (void)snprintf(text, sizeof(text), "%s/%s", model_chance(r, 30) ? "*" : kind[1],
                           MODEL_PICK(r, model_subresources));
            json_array_append_new(resources, json_string(text));
        }
    }
    if (model_chance(r, 20)) {
        json_array_append_new(groups, json_string("*"));
    }
    if (model_chance(r, 12)) {
        json_array_append_new(resources, json_string("*"));
    }
    json_t *rule = json_pack("{s:o, s:o, s:o}", "verbs", MODEL_SOME(r, verbs, 25), "apiGroups",
                             groups, "resources", resources);
    if (model_chance(r, 20)) {
        json_object_set_new(rule, "resourceNames", MODEL_SOME(r, model_names, 3));
        if (model_chance(r, 20)) {
            json_array_append_new(json_object_get(rule, "resourceNames"), json_string(""));
        }
    }
    return rule;
}

static inline json_t *
model_random_rules(struct model_random *r)
{
    json_t *rules = json_array();

    for (unsigned k = model_draw(r, 4); k > 0; k--) {
        unsigned sort = model_draw(r, 10);

        json_array_append_new(rules, sort < 6   ? model_random_rule(r)
                                     : sort < 9 ? model_random_path_rule(r)
                                                : model_random_use_rule(r));
    }
    return rules;
}

/* What KubeSphere gives to all who are known (5.6, 1), but for the terminal. */
static const char model_authenticated[] =
    "[{\"resources\": [\"users\"], \"nameIs\": \"{user}\"},"
    "{\"resources\": [\"clustermembers\", \"workspacemembers\", \"namespacemembers\"],"
    "\"verbs\": [\"get\", \"list\", \"watch\"], \"nameIs\": \"{user}\"},"
    "{\"paths\": [\"/api\", \"/api/v1\"], \"verbs\": [\"GET\"]},"
    "{\"apiGroups\": [\"tenant.kubesphere.io\"], \"kubernetesRequest\": false,"
    "\"verbs\": [\"get\", \"list\", \"watch\"]}]";

/* The clauses of KubeSphere's four policies (5.6), others, and lists that allow nothing. */
static inline json_t *
model_random_policy(struct model_random *r)
{
    static const char *const policies[] = {
        model_authenticated,
        "[{\"scopes\":[\"Workspace\",\"Namespace\",\"Cluster\"]}]",
        "[{\"scopes\":[\"Namespace\",\"Cluster\"],\"verbs\":[\"get\",\"list\"]}]",
        "[{\"namespaces\":[\"n1\",\"n3\"],\"verbs\":[\"*\"]}]",
        "[{\"workspaces\":[\"ws1\"],\"subresources\":[\"log\",\"\"]}]",
        "[{\"clusters\":[\"m1\"]},{\"names\":[\"a\"],\"resourceRequest\":true}]",
        "[{\"paths\":[\"/proxy/*\"],\"resourceRequest\":false}]",
        "[{\"apiVersions\":[\"v1\"],\"nameIs\":\"b\"}]",
        "[{\"scopes\":[\"Cluster\"]}]",
        "[{\"scopes\":[\"Workspace\"],\"kubernetesRequest\":true}]",
        "[]",
        "[{\"verbs\":[\"*\"]},{\"broken\":[\"*\"]}]",
        "[{\"verbs\":[\"*\"]},{}]",
        "nonsense",
    };

    return json_string(MODEL_PICK(r, policies));
}

/* ---- templates, and roles that take them in ------------------------------------------------ */

static inline json_t *
model_random_template(struct model_random *r)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4"};
    static const char *const scopes[] = {"global", "workspace", "namespace"};
    json_t *o = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:o}}", "apiVersion",
                          "iam.kubesphere.io/v1beta1", "kind", "RoleTemplate", "metadata", "name",
                          MODEL_PICK(r, names), "labels", "iam.kubesphere.io/scope",
                          MODEL_PICK(r, scopes), "spec", "rules", model_random_rules(r));
    json_t *meta = json_object_get(o, "metadata");

    if (model_chance(r, 40)) {
        json_object_set_new(json_object_get(meta, "labels"), "to", json_string("viewer"));
    }
    if (model_chance(r, 20)) {
        json_object_set_new(meta, "annotations",
                            json_pack("{s:o}", "ksgate.io/policy", model_random_policy(r)));
    }
    return o;
}

static inline json_t *
model_random_selector(struct model_random *r)
{
    switch (model_draw(r, 6)) {
    case 0:
        return json_pack("{s:{s:s}}", "matchLabels", "iam.kubesphere.io/scope", "global");
    case 1:
        return json_pack("{s:{s:s, s:s}}", "matchLabels", "iam.kubesphere.io/scope", "workspace",
                         "to", "viewer");
    case 2:
        return json_pack("{s:[{s:s, s:s}]}", "matchExpressions", "key", "to", "operator",
                         model_chance(r, 50) ? "Exists" : "DoesNotExist");
    case 3:
        return json_pack("{s:[{s:s, s:s, s:[s]}]}", "matchExpressions", "key", "to", "operator",
                         model_chance(r, 50) ? "In" : "NotIn", "values", "viewer");
    case 4:
        return json_pack("{s:{s:s}, s:[{s:s, s:s}]}", "matchLabels", "iam.kubesphere.io/scope",
                         "namespace", "matchExpressions", "key", "to", "operator", "Exists");
    default:
        return json_object(); /* selects nothing */
    }
}

/* By names, by labels, by both; now and then in a way that takes in nothing. */
static inline void
model_take_in(struct model_random *r, json_t *role)
{
    static const char *const names[] = {"t0", "t1", "t2", "gone"};
    json_t *field = json_object();
    json_t *meta = json_object_get(role, "metadata");

    if (model_chance(r, 50)) {
        json_object_set_new(field, "templateNames", MODEL_SOME(r, names, 3));
    }
    if (model_chance(r, 60)) {
        json_object_set_new(field, "roleSelector", model_random_selector(r));
    }
    if (json_object_get(meta, "annotations") == NULL) {
        json_object_set_new(meta, "annotations", json_object());
    }
    if (model_chance(r, 80)) {
        json_object_set_new(json_object_get(meta, "annotations"),
                            "iam.kubesphere.io/auto-aggregate", json_string("true"));
    }
    json_object_set_new(role, "aggregationRoleTemplates", field);
}

/* ---- roles -------------------------------------------------------------------------------- */

static inline json_t *
model_random_role(struct model_random *r, const char *kind)
{
    static const char *const names[] = {"r0", "r1", "r2", "r3"};
    json_t *o =
        json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", "iam.kubesphere.io/v1beta1", "kind",
                  kind, "metadata", "name", MODEL_PICK(r, names), "rules", model_random_rules(r));
    json_t *meta = json_object_get(o, "metadata");

    if (model_is(kind, "Role")) {
        json_object_set_new(meta, "namespace", json_string(MODEL_PICK(r, model_namespaces)));
    }
    if (model_is(kind, "WorkspaceRole")) {
        json_object_set_new(
            meta, "labels",
            json_pack("{s:s}", "kubesphere.io/workspace", MODEL_PICK(r, model_workspaces)));
    }
    if (model_chance(r, 20)) {
        json_object_set_new(meta, "annotations",
                            json_pack("{s:o}", "ksgate.io/policy", model_random_policy(r)));
    } else if (model_chance(r, 5)) {
        json_object_set_new(meta, "annotations",
                            json_pack("{s:s}", "iam.kubesphere.io/rego-override",
                                      "package authz\ndefault allow = true\n"));
    }
    if (model_chance(r, 25)) {
        model_take_in(r, o);
    }
    return o;
}

#endif
