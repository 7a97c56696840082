/*
 * rbac_pieces.h - roles, their templates, bindings and namespaces as RBAC looks at them: compiled
 * once, immutable, counted, shared by all workers.
 */
#ifndef GW_MODULES_RBAC_PIECES_H
#define GW_MODULES_RBAC_PIECES_H

#include "gateway/world.h"
#include "modules/rbac_gather.h"
#include "modules/rbac_policy.h"
#include "modules/rbac_rules.h"

/* "group/Kind" of all that RBAC looks at; NULL-terminated. */
extern const char *const gw_rbac_piece_kinds[];

enum gw_rbac_sort {
    GW_RBAC_ROLE,
    GW_RBAC_TEMPLATE, /* of roles: a struct gw_rbac_role as well */
    GW_RBAC_BINDING,
    GW_RBAC_NAMESPACE
};

/* What all three begin with.  Texts are part of the piece's own memory, which is one block, but for
 * the rules of a role. */
struct gw_rbac_object {
    struct gw_piece piece;
    enum gw_rbac_sort sort;
    unsigned key_n;
    const char *key;       /* as the registry names it: "group/Kind/ns/name" */
    const char *kind;      /* "ClusterRole"; static */
    const char *name, *ns; /* ns "" when cluster-scoped */
};

struct gw_rbac_role {
    struct gw_rbac_object object;
    struct gw_rbac_rule *rules;
    struct gw_rbac_sieve *sieves; /* one for each rule */
    unsigned n_rules;
    struct gw_rbac_policy policy; /* asked before the rules */
    struct gw_str gather;         /* the templates it takes in (rbac_gather.h); or none */
    uint64_t gather_hash;
    unsigned n_labels; /* of a template */
    struct gw_rbac_label labels[];
};

/* Where a binding applies; also the order in which a decision asks. */
enum gw_rbac_level {
    GW_RBAC_GLOBAL,    /* everywhere */
    GW_RBAC_WORKSPACE, /* in one workspace and its namespaces */
    GW_RBAC_NS,        /* in one namespace */
    GW_RBAC_CLUSTER,   /* on the cluster, and for what is no resource */
};

struct gw_rbac_subject {
    enum gw_rbac_who {
        GW_RBAC_USER,
        GW_RBAC_GROUP,
        GW_RBAC_NOBODY
    } who;
    const char *kind;  /* "User", "Group", "ServiceAccount"; static */
    const char *match; /* the user's or the group's name */
    const char *shown; /* as reasons have it: "tom", or "robot/proj" */
};

/* What a decision reads comes first. */
struct gw_rbac_binding {
    struct gw_rbac_object object;
    struct gw_str place; /* the workspace's or the namespace's name; "" for the other levels */
    enum gw_rbac_level level;
    bool role_kind_known;   /* a walk ends at one that is not, except at the global level */
    uint64_t role_hash;     /* of role_key */
    struct gw_str role_key; /* of the role's object; none: no role can have it */
    const char *role_kind;  /* of the roleRef, whatever it is */
    const char *role_name;
    unsigned n_subjects;
    struct gw_rbac_subject subjects[];
};

struct gw_rbac_namespace {
    struct gw_rbac_object object;
    struct gw_str workspace; /* empty when it belongs to none */
};

/* The view's compile(): see world.h. */
struct gw_piece *gw_rbac_piece_compile(const struct gw_kind *kind, const json_t *json,
                                       const struct gw_yaml *source, struct gw_diag *diag);

static inline const struct gw_rbac_object *
gw_rbac_piece_object(const struct gw_piece *p)
{
    return (const struct gw_rbac_object *)(const void *)p;
}

#endif
