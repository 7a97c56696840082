#include "registry/object.h"

#define EXTENSIONS "extensions.kubesphere.io", "v1alpha1"
#define KUBESPHERE "kubesphere.io", "v1alpha1"
#define IAM        "iam.kubesphere.io", "v1beta1"
#define TENANT     "tenant.kubesphere.io", "v1beta1"
#define CLUSTER    "cluster.kubesphere.io", "v1alpha1"
#define V1         "", "v1"
#define KSGATE     "ksgate.io", "v1"

/* clang-format off */
const struct gw_kind gw_kinds[] = {
    {EXTENSIONS, "APIService",           "apiservices",           false, false},
    {EXTENSIONS, "ReverseProxy",         "reverseproxies",        false, false},
    {EXTENSIONS, "JSBundle",             "jsbundles",             false, false},
    {EXTENSIONS, "ExtensionEntry",       "extensionentries",      false, false},
    {KUBESPHERE, "Extension",            "extensions",            false, false},
    {KUBESPHERE, "ExtensionVersion",     "extensionversions",     false, false},
    {KUBESPHERE, "InstallPlan",          "installplans",          false, false},
    {KUBESPHERE, "Repository",           "repositories",          false, false},
    {KUBESPHERE, "Category",             "categories",            false, false},
    {KUBESPHERE, "ServiceAccount",       "serviceaccounts",       true,  false},
    {IAM,        "User",                 "users",                 false, false},
    {IAM,        "GlobalRole",           "globalroles",           false, true},
    {IAM,        "GlobalRoleBinding",    "globalrolebindings",    false, true},
    {IAM,        "WorkspaceRole",        "workspaceroles",        false, true},
    {IAM,        "WorkspaceRoleBinding", "workspacerolebindings", false, true},
    {IAM,        "ClusterRole",          "clusterroles",          false, true},
    {IAM,        "ClusterRoleBinding",   "clusterrolebindings",   false, true},
    {IAM,        "Role",                 "roles",                 true,  true},
    {IAM,        "RoleBinding",          "rolebindings",          true,  true},
    {IAM,        "RoleTemplate",         "roletemplates",         false, true},
    {IAM,        "Category",             "categories",            false, false}, /* of templates */
    {TENANT,     "Workspace",            "workspaces",            false, false},
    {TENANT,     "WorkspaceTemplate",    "workspacetemplates",    false, false},
    {CLUSTER,    "Cluster",              "clusters",              false, false},
    {V1,         "Namespace",            "namespaces",            false, false},
    {V1,         "ConfigMap",            "configmaps",            true,  false},
    {V1,         "Secret",               "secrets",               true,  false},
    {KSGATE,     "ExtensionService",     "extensionservices",     false, false},
    {KSGATE,     "Endpoint",             "endpoints",             false, false},
    {KSGATE,     "Revocation",           "revocations",           false, false},
    {KSGATE,     "Subscription",         "subscriptions",         false, false},
    {0},
};
/* clang-format on */

const struct gw_kind *
gw_kind_find(struct gw_str group, struct gw_str kind)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (gw_str_eq(group, gw_str_of(k->group)) && gw_str_eq(kind, gw_str_of(k->kind))) {
            return k;
        }
    }
    return NULL;
}

const struct gw_kind *
gw_kind_by_plural(struct gw_str group, struct gw_str version, struct gw_str plural)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (gw_str_eq(group, gw_str_of(k->group)) && gw_str_eq(version, gw_str_of(k->version)) &&
            gw_str_eq(plural, gw_str_of(k->plural))) {
            return k;
        }
    }
    return NULL;
}
