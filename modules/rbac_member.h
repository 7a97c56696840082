/*
 * rbac_member.h - in which workspaces is somebody bound?
 *
 * By a WorkspaceRoleBinding of the workspace, or a RoleBinding in one of its namespaces; of a role
 * that is there: a binding that gives nothing makes nobody a member.
 */
#ifndef GW_MODULES_RBAC_MEMBER_H
#define GW_MODULES_RBAC_MEMBER_H

#include "modules/rbac_index.h"

/* Valid until the index changes. */
struct gw_rbac_member {
    struct gw_rbac_found found;
    bool in_namespaces; /* the walk has come to these */
};

void gw_rbac_member_find(struct gw_rbac_member *m, const struct gw_rbac_index *x,
                         struct gw_arena *a, const struct gw_subject *subject);

/* Walks the workspaces, some of them more than once: start, then next until it says false. */
void gw_rbac_member_start(struct gw_rbac_member *m);
bool gw_rbac_member_next(struct gw_rbac_member *m, struct gw_str *workspace);

/* Is this one of them?  Begins a walk of its own. */
bool gw_rbac_member_of(struct gw_rbac_member *m, struct gw_str workspace);

#endif
