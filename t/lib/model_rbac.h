/*
 * model_rbac.h - may they?, a second time: written from kubesphere.md, section 5, and
 * docs/modules/rbac.md, by somebody who had not read modules/.  A world is a JSON array of
 * objects; each question looks at all of them.
 */
#ifndef T_LIB_MODEL_RBAC_H
#define T_LIB_MODEL_RBAC_H

#include "t/lib/model_templates.h"

#define MODEL_BY_POLICY (-1)
#define MODEL_MANY      400
#define MODEL_REASON    (4UL * MODEL_TEXT)

struct model_who {
    const char *name;
    const char *groups[4]; /* up to the first NULL */
};

struct model_answer {
    bool allowed;
    const json_t *binding;  /* of the world */
    const json_t *template; /* the RoleTemplate whose rule it is; NULL: the role itself */
    int rule;               /* index in the role's rules, or MODEL_BY_POLICY */
};

struct model_question {
    const json_t *world;
    const struct model_who *who;
    const struct model_info *info;
    const char *extension; /* the one that the path is of; "" or NULL: none */
};

/* ---- bindings ----------------------------------------------------------------------------- */

static inline bool
model_subject_is(const json_t *s, const struct model_who *who, const char *ns_of_binding)
{
    const char *kind = model_kind(s);
    const char *name = model_at(s, "name", NULL, NULL);
    const char *group = model_at(s, "apiGroup", NULL, NULL);
    const char *ns = model_at(s, "namespace", NULL, NULL);
    char account[3 * MODEL_TEXT];

    if (model_is(kind, "User")) {
        return model_is(name, who->name);
    }
    if (model_is(kind, "Group")) {
        for (size_t k = 0; k < 4 && who->groups[k] != NULL; k++) {
            if (model_is(name, who->groups[k])) {
                return true;
            }
        }
        return false;
    }
    if (!model_is(kind, "ServiceAccount") ||
        (!model_is(group, "kubesphere.io") && !model_is(group, "rbac.authorization.k8s.io"))) {
        return false;
    }
    (void)snprintf(account, sizeof(account), "%s:serviceaccount:%s:%s",
                   model_is(group, "kubesphere.io") ? "kubesphere" : "system",
                   ns[0] != '\0' ? ns : ns_of_binding, name);
    return model_is(account, who->name);
}

/* The first of the binding's subjects that the caller is, or NULL. */
static inline const json_t *
model_subject(const json_t *binding, const struct model_who *who)
{
    size_t i;
    json_t *s;

    json_array_foreach(json_object_get(binding, "subjects"), i, s)
    {
        if (model_subject_is(s, who, model_ns(binding))) {
            return s;
        }
    }
    return NULL;
}

static inline bool
model_is_before(const json_t *x, const json_t *y)
{
    int places = strcmp(model_workspace(x), model_workspace(y));

    return (places != 0 ? places : strcmp(model_name(x), model_name(y))) < 0;
}

/* Those of the kind that are of the workspace or namespace (NULL: of any), by name, and those of
 * several workspaces by workspace. */
static inline size_t
model_bindings(const json_t *world, const char *kind, const char *workspace, const char *ns,
               const json_t *found[MODEL_MANY])
{
    size_t n = 0;
    size_t i;
    json_t *o;

    json_array_foreach(world, i, o)
    {
        if (!model_is(model_kind(o), kind) || n == MODEL_MANY ||
            (workspace != NULL && !model_is(model_workspace(o), workspace)) ||
            (ns != NULL && !model_is(model_ns(o), ns))) {
            continue;
        }
        size_t at = n++;
        for (; at > 0 && model_is_before(o, found[at - 1]); at--) {
            found[at] = found[at - 1];
        }
        found[at] = o;
    }
    return n;
}

/* ---- the walk (5.2) ----------------------------------------------------------------------- */

/* The rights on an extension are asked for after all others, by a walk of their own: `use` of it,
 * which is of no workspace (docs/modules/rbac.md, "Extensions"). */
static inline struct model_info
model_use_of(const struct model_question *q)
{
    struct model_info i = {.resource_request = true};

    model_set(i.verb, "use");
    model_set(i.group, "ksgate.io");
    model_set(i.version, "v1");
    model_set(i.resource, "extensionservices");
    model_set(i.name, q->extension);
    model_set(i.scope, "Cluster");
    model_set(i.path, q->info->path);
    return i;
}

static inline bool
model_known_role_kind(const char *kind)
{
    return model_is(kind, "GlobalRole") || model_is(kind, "WorkspaceRole") ||
           model_is(kind, "ClusterRole") || model_is(kind, "Role");
}

static inline const json_t *
model_role(const json_t *world, const json_t *binding)
{
    const char *kind = model_at(binding, "roleRef", "kind", NULL);
    const char *ns = model_is(kind, "Role") ? model_ns(binding) : "";

    return model_is(kind, "Role") && ns[0] == '\0' /* of no namespace: there is none */
               ? NULL
               : model_find(world, kind, ns, model_at(binding, "roleRef", "name", NULL));
}

/* named: the verb must be written out, so neither a policy nor a star counts.  rules: of the
 * role, or of the template. */
static inline bool
model_rules_allow(const json_t *role, const json_t *rules, const struct model_info *i,
                  const char *user, bool named, int *by)
{
    size_t k;
    json_t *rule;

    *by = MODEL_BY_POLICY;
    if (!named && model_policy_allows(role, i, user)) {
        return true;
    }
    json_array_foreach(rules, k, rule)
    {
        *by = (int)k;
        if ((!named || model_has(json_object_get(rule, "verbs"), i->verb)) &&
            model_rule_allows(rule, i)) {
            return true;
        }
    }
    return false;
}

/* The role, and then the templates that it takes in, by name. */
static inline bool
model_role_allows(const json_t *world, const json_t *role, const struct model_info *i,
                  const char *user, bool named, struct model_answer *a)
{
    const json_t *found[MODEL_MANY];
    size_t n = model_bindings(world, "RoleTemplate", NULL, NULL, found);

    a->template = NULL;
    if (model_rules_allow(role, json_object_get(role, "rules"), i, user, named, &a->rule)) {
        return true;
    }
    for (size_t k = 0; k < n; k++) {
        const json_t *rules = json_object_get(json_object_get(found[k], "spec"), "rules");

        if (model_takes_in(role, found[k]) &&
            model_rules_allow(found[k], rules, i, user, named, &a->rule)) {
            a->template = found[k];
            return true;
        }
    }
    return false;
}

enum model_end {
    MODEL_ALLOWED,
    MODEL_ENDED, /* an error: the walk is over */
    MODEL_ON,
};

/* use: what is asked is the use of the extension, where a binding without a role that can be
 * is passed over: it may be another workspace's. */
static inline enum model_end
model_level(const struct model_question *q, const char *kind, const char *workspace, const char *ns,
            bool use, struct model_answer *a)
{
    const json_t *found[MODEL_MANY];
    size_t n = model_bindings(q->world, kind, workspace, ns, found);
    bool of_workspace = model_is(kind, "WorkspaceRoleBinding");
    struct model_info what = use ? model_use_of(q) : *q->info;

    for (size_t k = 0; k < n; k++) {
        if (model_subject(found[k], q->who) == NULL ||
            (of_workspace && model_workspace(found[k])[0] == '\0')) {
            continue;
        }
        if (!model_known_role_kind(model_at(found[k], "roleRef", "kind", NULL))) {
            if (use || model_is(kind, "GlobalRoleBinding")) {
                continue;
            }
            return MODEL_ENDED;
        }
        const json_t *role = model_role(q->world, found[k]);
        if (role != NULL &&
            model_role_allows(q->world, role, &what, q->who->name, use && of_workspace, a)) {
            a->allowed = true;
            a->binding = found[k];
            return MODEL_ALLOWED;
        }
    }
    return MODEL_ON;
}

/* The workspace whose bindings count, or "".  False: the namespace is not known. */
static inline bool
model_walk_workspace(const struct model_question *q, const char **workspace)
{
    const struct model_info *i = q->info;
    const json_t *ns = model_find(q->world, "Namespace", "", i->ns);

    *workspace = "";
    if (model_is(i->scope, "Namespace")) {
        *workspace = ns == NULL ? "" : model_workspace(ns);
        return ns != NULL;
    }
    if (model_is(i->scope, "Workspace") &&
        (i->ns[0] == '\0' || (ns != NULL && model_is(model_workspace(ns), i->workspace)))) {
        *workspace = i->workspace;
    }
    return true;
}

static inline struct model_answer
model_walk(const struct model_question *q, bool use)
{
    const struct model_info *i = q->info;
    struct model_answer a = {0};
    const char *workspace;
    bool in_ns = model_is(i->scope, "Namespace");
    enum model_end end = model_level(q, "GlobalRoleBinding", NULL, NULL, use, &a);

    if (end == MODEL_ALLOWED || model_is(i->scope, "Global") ||
        !model_walk_workspace(q, &workspace)) {
        return a;
    }
    if (in_ns && i->workspace[0] != '\0' && !model_is(i->workspace, workspace)) {
        workspace = ""; /* the path names another: only who has rights everywhere goes on */
        in_ns = false;
    }
    if (use && !i->resource_request) { /* pages are of no workspace: any will do */
        end = model_level(q, "WorkspaceRoleBinding", NULL, NULL, use, &a);
    } else if (workspace[0] != '\0') {
        end = model_level(q, "WorkspaceRoleBinding", workspace, NULL, use, &a);
    }
    if (end == MODEL_ON && in_ns && !use) {
        end = model_level(q, "RoleBinding", NULL, i->ns, use, &a);
    }
    if (end == MODEL_ON) {
        (void)model_level(q, "ClusterRoleBinding", NULL, NULL, use, &a);
    }
    return a;
}

static inline struct model_answer
model_decide(const struct model_question *q)
{
    struct model_answer a = model_walk(q, false);

    bool asked = q->extension != NULL && q->extension[0] != '\0';

    return a.allowed || !asked ? a : model_walk(q, true);
}

/* KubeSphere's text for it (5.2): a workspace's binding is called a GlobalRoleBinding, too. */
static inline void
model_reason(const struct model_who *who, const struct model_answer *a, char into[MODEL_REASON])
{
    const json_t *b = a->binding;
    const json_t *s = model_subject(b, who);
    const char *kind = model_kind(b);
    bool in_ns = model_is(kind, "RoleBinding");
    bool account = model_is(model_kind(s), "ServiceAccount");
    const char *ns = model_at(s, "namespace", NULL, NULL);

    (void)snprintf(into, MODEL_REASON,
                   "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to %s \"%s%s%s\"",
                   model_is(kind, "WorkspaceRoleBinding") ? "GlobalRoleBinding" : kind,
                   model_name(b), in_ns ? "/" : "", in_ns ? model_ns(b) : "",
                   model_at(b, "roleRef", "kind", NULL), model_at(b, "roleRef", "name", NULL),
                   model_kind(s), model_at(s, "name", NULL, NULL), account ? "/" : "",
                   !account        ? ""
                   : ns[0] != '\0' ? ns
                                   : model_ns(b));
}

#endif
