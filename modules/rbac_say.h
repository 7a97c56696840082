/* rbac_say.h - decisions in the words that Kubernetes and KubeSphere have for them. */
#ifndef GW_MODULES_RBAC_SAY_H
#define GW_MODULES_RBAC_SAY_H

#include "modules/rbac_decide.h"

/* `RBAC: allowed by GlobalRoleBinding "b" of GlobalRole "r" to User "u"`, word for word as
 * KubeSphere has it; in the arena. */
struct gw_str gw_rbac_say_reason(struct gw_arena *a, const struct gw_rbac_grant *grant,
                                 const struct gw_subject *subject);

/* Kubernetes' message for a 403: `pods "x" is forbidden: User "u" cannot get ...`.  Of who may not
 * register backends it says that `register` is missing. */
struct gw_str gw_rbac_say_forbidden(struct gw_arena *a, const struct gw_subject *subject,
                                    const struct gw_request_info *info);

#endif
