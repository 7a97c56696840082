#include "modules/rbac_read.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"

#define IAM             "iam.kubesphere.io"
#define WORKSPACE_LABEL "kubesphere.io/workspace"

const char *const gw_rbac_piece_kinds[] = {
    IAM "/GlobalRole",
    IAM "/WorkspaceRole",
    IAM "/ClusterRole",
    IAM "/Role",
    IAM "/RoleTemplate",
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

/* Writes a, b, c and d behind each other where *at is, and moves it behind their end. */
static const char *
join(char **at, const char *a, const char *b, const char *c, const char *d)
{
    char *text = *at;

    *at = stpcpy(stpcpy(stpcpy(stpcpy(text, a), b), c), d) + 1;
    return text;
}

const char *
gw_rbac_read_text(char **at, const char *text)
{
    return join(at, text, "", "", "");
}

void *
gw_rbac_read_new(size_t size, size_t bytes, enum gw_rbac_sort sort, const struct gw_kind *kind,
                 const json_t *json, char **at)
{
    const char *name = meta_text(json, "name", NULL);
    const char *ns = kind->namespaced ? meta_text(json, "namespace", NULL) : "";
    size_t key_n = strlen(kind->group) + strlen(kind->kind) + strlen(ns) + strlen(name) + 3;
    struct gw_rbac_object *o = gw_mem_alloc(size + key_n + 1 + strlen(ns) + 1 + bytes);
    char *p = (char *)o + size;

    gw_pool_joined(GW_POOL_rbac, o);
    atomic_init(&o->piece.refs, 1);
    o->sort = sort;
    o->kind = kind->kind;
    o->key = p;
    o->key_n = (unsigned)key_n;
    p = stpcpy(stpcpy(stpcpy(p, kind->group), "/"), kind->kind);
    p = stpcpy(stpcpy(stpcpy(stpcpy(p, "/"), ns), "/"), name) + 1;
    o->name = p - 1 - strlen(name);
    o->ns = gw_rbac_read_text(&p, ns);
    *at = p;
    return o;
}

void
gw_rbac_read_free(struct gw_piece *p)
{
    gw_pool_left(GW_POOL_rbac, p);
    free(p);
}

const json_t *
gw_rbac_read_array(const json_t *json, const char *name, const struct gw_yaml *source,
                   struct gw_diag *diag, bool *ok)
{
    const json_t *v = json_object_get(json, name);

    if (v == NULL || json_is_null(v) || json_is_array(v)) {
        return json_is_array(v) ? v : NULL;
    }
    gw_diag_error(diag, gw_yaml_key_place(source, json, name), "%s: expected a list", name);
    *ok = false;
    return NULL;
}

/* ---- bindings ----------------------------------------------------------------------------- */

#define KUBESPHERE_ACCOUNT "kubesphere:serviceaccount:"
#define KUBERNETES_ACCOUNT "system:serviceaccount:"

/* What stands before "NAMESPACE:NAME" in the user name of a service account; NULL: nobody can have
 * it. */
static const char *
account_prefix(const char *group, const char *ns)
{
    if (ns[0] == '\0') {
        return NULL;
    }
    if (strcmp(group, "kubesphere.io") == 0) {
        return KUBESPHERE_ACCOUNT;
    }
    return strcmp(group, "rbac.authorization.k8s.io") == 0 ? KUBERNETES_ACCOUNT : NULL;
}

static bool
is_account(const json_t *subject)
{
    return strcmp(text_at(subject, "kind", NULL), "ServiceAccount") == 0;
}

static const char *
account_ns(const json_t *subject, const char *binding_ns)
{
    const char *ns = text_at(subject, "namespace", NULL);

    return ns[0] == '\0' ? binding_ns : ns;
}

/* The bytes that the texts of the subject take, at most. */
static size_t
subject_bytes(const json_t *json, const char *binding_ns)
{
    size_t name = strlen(text_at(json, "name", NULL)) + 1;

    return is_account(json)
               ? sizeof(KUBESPHERE_ACCOUNT) + 2 * (name + strlen(account_ns(json, binding_ns)) + 1)
               : name;
}

static void
read_subject(struct gw_rbac_subject *s, const json_t *json, const char *binding_ns, char **at)
{
    const char *kind = text_at(json, "kind", NULL);
    const char *name = text_at(json, "name", NULL);
    const char *ns = account_ns(json, binding_ns);

    *s = (struct gw_rbac_subject){.who = GW_RBAC_NOBODY, .kind = "", .match = "", .shown = ""};
    if (strcmp(kind, "User") == 0 || strcmp(kind, "Group") == 0) {
        s->who = kind[0] == 'U' ? GW_RBAC_USER : GW_RBAC_GROUP;
        s->kind = kind[0] == 'U' ? "User" : "Group";
        s->match = gw_rbac_read_text(at, name);
        s->shown = s->match;
    } else if (is_account(json)) {
        const char *prefix = account_prefix(text_at(json, "apiGroup", NULL), ns);

        s->kind = "ServiceAccount";
        s->shown = join(at, name, "/", ns, "");
        if (prefix != NULL) {
            s->who = GW_RBAC_USER;
            s->match = join(at, prefix, ns, ":", name);
        }
    }
}

static void
read_subjects(struct gw_rbac_binding *b, const json_t *list, const struct gw_yaml *source,
              struct gw_diag *diag, char **at)
{
    for (; b->n_subjects < json_array_size(list); b->n_subjects++) {
        const json_t *s = json_array_get(list, b->n_subjects);
        struct gw_rbac_subject *into = &b->subjects[b->n_subjects];

        read_subject(into, s, b->object.ns, at);
        if (into->who == GW_RBAC_NOBODY) {
            gw_diag_warn(diag, gw_yaml_place(source, s),
                         "subjects[%u] can never be anybody: its kind is User, Group, or "
                         "ServiceAccount with a namespace and the apiGroup kubesphere.io or "
                         "rbac.authorization.k8s.io",
                         b->n_subjects);
        }
    }
}

/* Which role is meant goes by the roleRef's kind, whatever the binding's kind is. */
static bool
read_role_ref(struct gw_rbac_binding *b, const json_t *json, const struct gw_yaml *source,
              struct gw_diag *diag, char **at)
{
    static const char *const kinds[] = {"GlobalRole", "WorkspaceRole", "ClusterRole", "Role"};

    b->role_kind = gw_rbac_read_text(at, text_at(json, "roleRef", "kind"));
    b->role_name = gw_rbac_read_text(at, text_at(json, "roleRef", "name"));
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
    bool in_ns = strcmp(b->role_kind, "Role") == 0;
    if (in_ns && b->object.ns[0] == '\0') {
        return true; /* a Role is looked up in the binding's namespace: there is none */
    }
    const char *key = join(at, IAM "/", b->role_kind, "/", in_ns ? b->object.ns : "");
    *at = stpcpy(stpcpy(*at - 1, "/"), b->role_name) + 1;
    b->role_key = gw_str_of(key);
    b->role_hash = gw_hash(b->role_key);
    return true;
}

/* The bytes that its texts take, beside the object's own. */
static size_t
binding_bytes(const json_t *json, const json_t *subjects, const char *place, const char *ns)
{
    size_t role_kind = strlen(text_at(json, "roleRef", "kind")) + 1;
    size_t role_name = strlen(text_at(json, "roleRef", "name")) + 1;
    size_t n = strlen(place) + 1 + 2 * (role_kind + role_name) + sizeof(IAM "/") + strlen(ns) + 1;

    for (size_t i = 0; i < json_array_size(subjects); i++) {
        n += subject_bytes(json_array_get(subjects, i), ns);
    }
    return n;
}

static enum gw_rbac_level
level_of(const struct gw_kind *kind)
{
    switch (kind->kind[0]) {
    case 'G':
        return GW_RBAC_GLOBAL;
    case 'W':
        return GW_RBAC_WORKSPACE;
    case 'C':
        return GW_RBAC_CLUSTER;
    default:
        return GW_RBAC_NS;
    }
}

static struct gw_piece *
compile_binding(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                struct gw_diag *diag)
{
    bool ok = true;
    const json_t *subjects = gw_rbac_read_array(json, "subjects", source, diag, &ok);
    enum gw_rbac_level level = level_of(kind);
    const char *ns = level == GW_RBAC_NS ? meta_text(json, "namespace", NULL) : "";
    const char *place =
        level == GW_RBAC_WORKSPACE ? meta_text(json, "labels", WORKSPACE_LABEL) : ns;
    size_t size =
        sizeof(struct gw_rbac_binding) + json_array_size(subjects) * sizeof(struct gw_rbac_subject);
    char *at;
    struct gw_rbac_binding *b = gw_rbac_read_new(size, binding_bytes(json, subjects, place, ns),
                                                 GW_RBAC_BINDING, kind, json, &at);

    b->object.piece.free = gw_rbac_read_free;
    b->level = level;
    b->place = gw_str_of(level == GW_RBAC_NS ? b->object.ns : gw_rbac_read_text(&at, place));
    if (level == GW_RBAC_WORKSPACE && place[0] == '\0') {
        gw_diag_warn(diag, gw_yaml_place(source, json_object_get(json, "metadata")),
                     "without the label " WORKSPACE_LABEL " the binding gives nothing");
    }
    read_subjects(b, subjects, source, diag, &at);
    if (!read_role_ref(b, json, source, diag, &at) || !ok) {
        gw_piece_unref(&b->object.piece);
        return NULL;
    }
    return &b->object.piece;
}

/* ---- namespaces --------------------------------------------------------------------------- */

static struct gw_piece *
compile_namespace(const struct gw_kind *kind, const json_t *json)
{
    const char *workspace = meta_text(json, "labels", WORKSPACE_LABEL);
    char *at;
    struct gw_rbac_namespace *n =
        gw_rbac_read_new(sizeof(*n), strlen(workspace) + 1, GW_RBAC_NAMESPACE, kind, json, &at);

    n->object.piece.free = gw_rbac_read_free;
    n->workspace = gw_str_of(gw_rbac_read_text(&at, workspace));
    return &n->object.piece;
}

struct gw_piece *
gw_rbac_piece_compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                      struct gw_diag *diag)
{
    if (strcmp(kind->kind, "Namespace") == 0) {
        return compile_namespace(kind, json);
    }
    if (strcmp(kind->kind, "RoleTemplate") == 0) {
        return gw_rbac_read_template(kind, json, source, diag);
    }
    return strstr(kind->kind, "Binding") != NULL ? compile_binding(kind, json, source, diag)
                                                 : gw_rbac_read_role(kind, json, source, diag);
}
