/*
 * model_world.h - random roles, bindings and namespaces, which meet now and then.
 */
#ifndef T_LIB_MODEL_WORLD_H
#define T_LIB_MODEL_WORLD_H

#include "t/lib/model_roles.h"

/* ---- bindings, namespaces ----------------------------------------------------------------- */

static inline json_t *
model_random_subject(struct model_random *r)
{
    static const char *const groups[] = {"kubesphere.io", "rbac.authorization.k8s.io", "",
                                         "iam.kubesphere.io"};
    static const char *const spaces[] = {"n1", "n3", "n3"};

    if (model_chance(r, 60)) {
        return json_pack("{s:s, s:s}", "kind", "User", "name", MODEL_PICK(r, model_users));
    }
    if (model_chance(r, 60)) {
        return json_pack("{s:s, s:s}", "kind", "Group", "name",
                         model_chance(r, 95) ? MODEL_PICK(r, model_groups)
                                             : "system:unauthenticated");
    }
    json_t *s =
        json_pack("{s:s, s:s, s:s}", "kind", model_chance(r, 95) ? "ServiceAccount" : "Robot",
                  "name", "robot", "apiGroup", MODEL_PICK(r, groups));
    if (model_chance(r, 70)) {
        json_object_set_new(s, "namespace", json_string(MODEL_PICK(r, spaces)));
    }
    return s;
}

/* The usual kind of role of a kind of binding, or any other, or one that does not exist. */
static inline json_t *
model_random_role_ref(struct model_random *r, const char *kind)
{
    static const char *const names[] = {"r0", "r1", "r2", "r3", "r3", "gone"};
    char usual[MODEL_TEXT];

    (void)snprintf(usual, sizeof(usual), "%.*s", (int)(strlen(kind) - strlen("Binding")), kind);
    return json_pack("{s:s, s:s}", "kind",
                     model_chance(r, 80)   ? usual
                     : model_chance(r, 80) ? MODEL_PICK(r, model_role_kinds)
                                           : "Planet",
                     "name", MODEL_PICK(r, names));
}

static inline json_t *
model_random_binding(struct model_random *r, const char *kind)
{
    static const char *const names[] = {"b0", "b1", "b2", "b3", "b4", "b5", "b6"};
    json_t *subjects = json_array();

    for (unsigned k = model_draw(r, 4); k > 0; k--) {
        json_array_append_new(subjects, model_random_subject(r));
    }
    json_t *o =
        json_pack("{s:s, s:s, s:{s:s}, s:o, s:o}", "apiVersion", "iam.kubesphere.io/v1beta1",
                  "kind", kind, "metadata", "name", MODEL_PICK(r, names), "subjects", subjects,
                  "roleRef", model_random_role_ref(r, kind));
    json_t *meta = json_object_get(o, "metadata");
    if (model_is(kind, "RoleBinding")) {
        json_object_set_new(meta, "namespace", json_string(MODEL_PICK(r, model_namespaces)));
    }
    if (model_is(kind, "WorkspaceRoleBinding") && model_chance(r, 95)) {
        json_object_set_new(
            meta, "labels",
            json_pack("{s:s}", "kubesphere.io/workspace", MODEL_PICK(r, model_workspaces)));
    }
    return o;
}

static inline json_t *
model_random_namespace(struct model_random *r)
{
    json_t *o = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
                          "metadata", "name", MODEL_PICK(r, model_namespaces));

    if (model_chance(r, 85)) {
        json_object_set_new(
            json_object_get(o, "metadata"), "labels",
            json_pack("{s:s}", "kubesphere.io/workspace", MODEL_PICK(r, model_workspaces)));
    }
    return o;
}

/* A role, template, binding or namespace; the caller's. */
static inline json_t *
model_random_object(struct model_random *r)
{
    static const char *const bindings[] = {
        "GlobalRoleBinding", "WorkspaceRoleBinding", "WorkspaceRoleBinding", "RoleBinding",
        "RoleBinding",       "RoleBinding",          "ClusterRoleBinding",
    };
    unsigned sort = model_draw(r, 11);

    return sort == 10 ? model_random_template(r)
           : sort < 4 ? model_random_role(r, model_role_kinds[sort])
           : sort < 9 ? model_random_binding(r, MODEL_PICK(r, bindings))
                      : model_random_namespace(r);
}

/* Puts it in the place of one of the same name, or beside all others. */
static inline void
model_world_put(json_t *world, json_t *object)
{
    size_t i;
    json_t *o;

    json_array_foreach(world, i, o)
    {
        if (model_is(model_kind(o), model_kind(object)) &&
            model_is(model_ns(o), model_ns(object)) &&
            model_is(model_name(o), model_name(object))) {
            (void)json_array_set_new(world, i, object);
            return;
        }
    }
    (void)json_array_append_new(world, object);
}

#endif
