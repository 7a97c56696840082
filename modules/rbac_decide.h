/*
 * rbac_decide.h - may this subject do that?  (kubesphere.md, 5.2: "RBAC walk")
 */
#ifndef GW_MODULES_RBAC_DECIDE_H
#define GW_MODULES_RBAC_DECIDE_H

#include "modules/rbac_index.h"

#define GW_RBAC_BY_POLICY (-1)

struct gw_rbac_grant {
    bool allowed;
    /* When allowed: what allowed it, borrowed until the index changes. */
    const struct gw_rbac_binding *binding;
    const struct gw_rbac_role *template; /* one that the role takes in; NULL: the role itself */
    int rule;                            /* index in the rules of that, or GW_RBAC_BY_POLICY */
};

/* extension: the name of the one that the request goes to, which the verb `use` on its
 * extensionservices.ksgate.io opens as a whole; or none.  The right to register backends counts by
 * either of its names (rbac_register.h). */
struct gw_rbac_grant gw_rbac_decide(const struct gw_rbac_index *x, struct gw_arena *a,
                                    const struct gw_subject *subject,
                                    const struct gw_request_info *info, struct gw_str extension);

/* After a denial: what came nearest, or what is missing, for people; in the arena. */
struct gw_str gw_rbac_nearest(const struct gw_rbac_index *x, struct gw_arena *a,
                              const struct gw_subject *subject, const struct gw_request_info *info);

#endif
