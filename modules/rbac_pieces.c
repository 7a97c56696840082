#include "modules/rbac_pieces.h"

#include <stdlib.h>

#include "base/mem.h"

#define IAM             "iam.kubesphere.io"
#define WORKSPACE_LABEL "kubesphere.io/workspace"
#define POLICY          "ksgate.io/policy"
#define REGO            "iam.kubesphere.io/rego-override"

const char *const gw_rbac_piece_kinds[] = {
    IAM "/GlobalRole",
    IAM "/WorkspaceRole",
    IAM "/ClusterRole",
    IAM "/Role",
    IAM "/GlobalRoleBinding",
    IAM "/WorkspaceRoleBinding",
    IAM "/ClusterRoleBinding",
    IAM "/RoleBinding",
    "/Namespace",
    NULL,
};

/* ---- what an object says ------------------------------------------------------------------ */

/* The text at a.b, or "". */
static const char *
text_at(const json_t *json, const char *a, const char *b)
{
    const json_t *v = json_object_get(json, a);
    const char *text = json_string_value(b == NULL ? v : json_object_get(v, b));

    return text == NULL ? "" : text;
}

static const char *
meta_text(const json_t *json, const char *map, const char *name)
{
    return text_at(json_object_get(json, "metadata"), map, name);
}

static char *
join(const char *a, const char *b, const char *c, const char *d)
{
    size_t n = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 1;
    char *s = gw_mem_alloc(n);

    (void)snprintf(s, n, "%s%s%s%s", a, b, c, d);
    return s;
}

/* A text that is heap memory of its own. */
static void
free_text(struct gw_str s)
{
    union {
        const char *shared;
        char *owned;
    } u = {.shared = s.p};

    free(u.owned);
}

static void
object_init(struct gw_rbac_object *o, enum gw_rbac_sort sort, const struct gw_kind *kind,
            const json_t *json, void (*free_piece)(struct gw_piece *))
{
    atomic_init(&o->piece.refs, 1);
    o->piece.free = free_piece;
    o->sort = sort;
    o->kind = kind->kind;
    o->name = gw_mem_strdup(meta_text(json, "name", NULL));
    o->ns = gw_mem_strdup(kind->namespaced ? meta_text(json, "namespace", NULL) : "");
}

static void
object_fini(struct gw_rbac_object *o)
{
    free(o->name);
    free(o->ns);
    free(o);
}

/* An array, or NULL when there is none; *ok becomes false for anything else. */
static const json_t *
array_at(const json_t *json, const char *name, const struct gw_yaml *source, struct gw_diag *diag,
         bool *ok)
{
    const json_t *v = json_object_get(json, name);

    if (v == NULL || json_is_null(v) || json_is_array(v)) {
        return json_is_array(v) ? v : NULL;
    }
    gw_diag_error(diag, gw_yaml_key_place(source, json, name), "%s: expected a list", name);
    *ok = false;
    return NULL;
}

/* ---- roles -------------------------------------------------------------------------------- */

static void
role_free(struct gw_piece *p)
{
    struct gw_rbac_role *r = (struct gw_rbac_role *)(void *)p;

    for (unsigned i = 0; i < r->n_rules; i++) {
        gw_rbac_rule_fini(&r->rules[i]);
    }
    free(r->rules);
    gw_rbac_policy_fini(&r->policy);
    object_fini(&r->object);
}

/* A policy that can't be used allows nothing, but the role's rules still do: refusing the
 * object would take rights away from all who have it. */
static void
read_policies(struct gw_rbac_role *r, const json_t *json, const struct gw_yaml *source,
              struct gw_diag *diag)
{
    const json_t *notes = json_object_get(json_object_get(json, "metadata"), "annotations");
    const json_t *policy = json_object_get(notes, POLICY);
    const char *rego = json_string_value(json_object_get(notes, REGO));
    struct gw_str text = {json_string_value(policy), json_string_length(policy)};
    char why[200];

    if (policy != NULL && !gw_rbac_policy_read(&r->policy, text, why)) {
        gw_diag_warn(diag, gw_yaml_key_place(source, notes, POLICY),
                     "the policy in " POLICY " allows nothing: %s", why);
    }
    if (rego != NULL && !gw_rbac_policy_of_rego(&r->policy, gw_str_of(rego)) && policy == NULL) {
        gw_diag_warn(diag, gw_yaml_key_place(source, notes, REGO),
                     "the Rego text in " REGO " is none of KubeSphere's own and allows nothing; "
                     "say it with clauses in " POLICY);
    }
}

static struct gw_piece *
compile_role(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
             struct gw_diag *diag)
{
    struct gw_rbac_role *r = gw_mem_alloc(sizeof(*r));
    bool ok = true;
    const json_t *rules = array_at(json, "rules", source, diag, &ok);

    object_init(&r->object, GW_RBAC_ROLE, kind, json, role_free);
    r->rules = gw_mem_alloc((json_array_size(rules) + 1) * sizeof(*r->rules));
    for (unsigned i = 0; i < json_array_size(rules); i++) {
        ok =
            gw_rbac_rule_read(&r->rules[r->n_rules++], json_array_get(rules, i), i, source, diag) &&
            ok;
    }
    read_policies(r, json, source, diag);
    if (!ok) {
        gw_piece_unref(&r->object.piece);
        return NULL;
    }
    return &r->object.piece;
}

/* ---- bindings ----------------------------------------------------------------------------- */

static void
binding_free(struct gw_piece *p)
{
    struct gw_rbac_binding *b = (struct gw_rbac_binding *)(void *)p;

    for (unsigned i = 0; i < b->n_subjects; i++) {
        free(b->subjects[i].match);
        free(b->subjects[i].shown);
    }
    free(b->subjects);
    free_text(b->place);
    free(b->role_kind);
    free(b->role_name);
    free_text(b->role_key);
    object_fini(&b->object);
}

/* The user name of a service account, or NULL when nobody can have it. */
static char *
account_name(const char *group, const char *ns, const char *name)
{
    if (ns[0] == '\0') {
        return NULL;
    }
    if (strcmp(group, "kubesphere.io") == 0) {
        return join("kubesphere:serviceaccount:", ns, ":", name);
    }
    return strcmp(group, "rbac.authorization.k8s.io") == 0
               ? join("system:serviceaccount:", ns, ":", name)
               : NULL;
}

static void
read_subject(struct gw_rbac_subject *s, const json_t *json, const char *binding_ns)
{
    const char *kind = text_at(json, "kind", NULL);
    const char *name = text_at(json, "name", NULL);
    const char *ns = text_at(json, "namespace", NULL);

    s->who = GW_RBAC_NOBODY;
    s->kind = "";
    if (strcmp(kind, "User") == 0 || strcmp(kind, "Group") == 0) {
        s->who = kind[0] == 'U' ? GW_RBAC_USER : GW_RBAC_GROUP;
        s->kind = kind[0] == 'U' ? "User" : "Group";
        s->match = gw_mem_strdup(name);
        s->shown = gw_mem_strdup(name);
    } else if (strcmp(kind, "ServiceAccount") == 0) {
        ns = ns[0] == '\0' ? binding_ns : ns;
        s->kind = "ServiceAccount";
        s->match = account_name(text_at(json, "apiGroup", NULL), ns, name);
        s->who = s->match == NULL ? GW_RBAC_NOBODY : GW_RBAC_USER;
        s->shown = join(name, "/", ns, "");
    }
}

static bool
read_subjects(struct gw_rbac_binding *b, const json_t *json, const struct gw_yaml *source,
              struct gw_diag *diag)
{
    bool ok = true;
    const json_t *list = array_at(json, "subjects", source, diag, &ok);

    b->subjects = gw_mem_alloc((json_array_size(list) + 1) * sizeof(*b->subjects));
    for (; b->n_subjects < json_array_size(list); b->n_subjects++) {
        const json_t *s = json_array_get(list, b->n_subjects);
        struct gw_rbac_subject *into = &b->subjects[b->n_subjects];

        read_subject(into, s, b->object.ns);
        if (into->who == GW_RBAC_NOBODY) {
            gw_diag_warn(diag, gw_yaml_place(source, s),
                         "subjects[%u] can never be anybody: its kind is User, Group, or "
                         "ServiceAccount with a namespace and the apiGroup kubesphere.io or "
                         "rbac.authorization.k8s.io",
                         b->n_subjects);
        }
    }
    return ok;
}

/* Which role is meant goes by the roleRef's kind, whatever the binding's kind is. */
static bool
read_role_ref(struct gw_rbac_binding *b, const json_t *json, const struct gw_yaml *source,
              struct gw_diag *diag)
{
    static const char *const kinds[] = {"GlobalRole", "WorkspaceRole", "ClusterRole", "Role"};
    const char *ns = "";

    b->role_kind = gw_mem_strdup(text_at(json, "roleRef", "kind"));
    b->role_name = gw_mem_strdup(text_at(json, "roleRef", "name"));
    if (b->role_kind[0] == '\0' || b->role_name[0] == '\0') {
        gw_diag_error(diag, gw_yaml_key_place(source, json, "roleRef"),
                      "roleRef: kind and name are required");
        return false;
    }
    for (size_t i = 0; i < 4 && !b->role_kind_known; i++) {
        b->role_kind_known = strcmp(b->role_kind, kinds[i]) == 0;
    }
    if (!b->role_kind_known) {
        gw_diag_warn(diag, gw_yaml_key_place(source, json, "roleRef"),
                     "roleRef.kind \"%s\" is not a kind of role: the binding gives nothing",
                     b->role_kind);
        return true;
    }
    if (strcmp(b->role_kind, "Role") == 0) {
        ns = b->object.ns;
        if (ns[0] == '\0') {
            return true; /* a Role is looked up in the binding's namespace: there is none */
        }
    }
    char *path = join(IAM "/", b->role_kind, "/", ns);
    b->role_key = gw_str_of(join(path, "/", b->role_name, ""));
    free(path);
    return true;
}

static void
read_level(struct gw_rbac_binding *b, const json_t *json, const struct gw_yaml *source,
           struct gw_diag *diag)
{
    const char *place = "";

    switch (b->object.kind[0]) {
    case 'G':
        b->level = GW_RBAC_GLOBAL;
        break;
    case 'W':
        b->level = GW_RBAC_WORKSPACE;
        place = meta_text(json, "labels", WORKSPACE_LABEL);
        if (place[0] == '\0') {
            gw_diag_warn(diag, gw_yaml_place(source, json_object_get(json, "metadata")),
                         "without the label " WORKSPACE_LABEL " the binding gives nothing");
        }
        break;
    case 'C':
        b->level = GW_RBAC_CLUSTER;
        break;
    default:
        b->level = GW_RBAC_NS;
        place = b->object.ns;
    }
    b->place = gw_str_of(gw_mem_strdup(place));
}

static struct gw_piece *
compile_binding(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                struct gw_diag *diag)
{
    struct gw_rbac_binding *b = gw_mem_alloc(sizeof(*b));

    object_init(&b->object, GW_RBAC_BINDING, kind, json, binding_free);
    read_level(b, json, source, diag);
    bool ok = read_subjects(b, json, source, diag);
    if (!read_role_ref(b, json, source, diag) || !ok) {
        gw_piece_unref(&b->object.piece);
        return NULL;
    }
    return &b->object.piece;
}

/* ---- namespaces --------------------------------------------------------------------------- */

static void
namespace_free(struct gw_piece *p)
{
    struct gw_rbac_namespace *n = (struct gw_rbac_namespace *)(void *)p;

    free_text(n->workspace);
    object_fini(&n->object);
}

static struct gw_piece *
compile_namespace(const struct gw_kind *kind, const json_t *json)
{
    struct gw_rbac_namespace *n = gw_mem_alloc(sizeof(*n));

    object_init(&n->object, GW_RBAC_NAMESPACE, kind, json, namespace_free);
    n->workspace = gw_str_of(gw_mem_strdup(meta_text(json, "labels", WORKSPACE_LABEL)));
    return &n->object.piece;
}

struct gw_piece *
gw_rbac_piece_compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                      struct gw_diag *diag)
{
    if (strcmp(kind->kind, "Namespace") == 0) {
        return compile_namespace(kind, json);
    }
    return strstr(kind->kind, "Binding") != NULL ? compile_binding(kind, json, source, diag)
                                                 : compile_role(kind, json, source, diag);
}
