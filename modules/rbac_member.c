#include "modules/rbac_member.h"

void
gw_rbac_member_find(struct gw_rbac_member *m, const struct gw_rbac_index *x, struct gw_arena *a,
                    const struct gw_subject *subject)
{
    gw_rbac_index_find(x, a, subject, &m->found);
}

static bool
gives_something(const struct gw_rbac_index *x, const struct gw_rbac_binding *b)
{
    return b->role_kind_known && gw_rbac_index_role(x, b->role_key) != NULL;
}

/* The workspace that the binding is in; empty when in none. */
static struct gw_str
workspace_of(const struct gw_rbac_index *x, const struct gw_rbac_binding *b)
{
    if (b->level == GW_RBAC_WORKSPACE) {
        return b->place;
    }
    const struct gw_rbac_namespace *ns = gw_rbac_index_namespace(x, b->place);
    return ns == NULL ? GW_STR("") : ns->workspace;
}

/* The next workspace at this level. */
static bool
next_at_level(struct gw_rbac_member *m, struct gw_str *workspace)
{
    const struct gw_rbac_binding *b;

    while ((b = gw_rbac_found_next(&m->found)) != NULL) {
        *workspace = workspace_of(m->found.index, b);
        if (workspace->n > 0 && gives_something(m->found.index, b)) {
            return true;
        }
    }
    return false;
}

void
gw_rbac_member_start(struct gw_rbac_member *m)
{
    m->in_namespaces = false;
    gw_rbac_found_start(&m->found, GW_RBAC_WORKSPACE, NULL);
}

bool
gw_rbac_member_next(struct gw_rbac_member *m, struct gw_str *workspace)
{
    if (next_at_level(m, workspace)) {
        return true;
    }
    if (m->in_namespaces) {
        return false;
    }
    m->in_namespaces = true;
    gw_rbac_found_start(&m->found, GW_RBAC_NS, NULL);
    return next_at_level(m, workspace);
}

bool
gw_rbac_member_of(struct gw_rbac_member *m, struct gw_str workspace)
{
    struct gw_str found;

    gw_rbac_found_start(&m->found, GW_RBAC_WORKSPACE, &workspace);
    if (workspace.n > 0 && next_at_level(m, &found)) {
        return true;
    }
    gw_rbac_found_start(&m->found, GW_RBAC_NS, NULL);
    while (next_at_level(m, &found)) {
        if (gw_str_eq(found, workspace)) {
            return true;
        }
    }
    return false;
}
