/*
 * extension_state.h - is an extension there, and if not, why?  In one word each.
 *
 * What requests to /extensions/NAME meet comes first (its ExtensionService and the backends), then
 * what KubeSphere says of its installation (InstallPlan, Extension).  docs/reference/api.md has the
 * words; those of installations are KubeSphere's (kubesphere.io/api/core/v1alpha1), the others
 * after kube-aggregator's.
 */
#ifndef GW_SERVER_EXTENSION_STATE_H
#define GW_SERVER_EXTENSION_STATE_H

#include "registry/object.h"

/* What is known of one extension; all borrowed. */
struct gw_extension_facts {
    const struct gw_object *service; /* the ExtensionService; NULL: there is none */
    const json_t *spec;              /* its */
    const json_t *endpoints;         /* as they are shown, with url, version, healthy, live */
    const json_t *plan, *extension;  /* InstallPlan and Extension as objects, or NULL */
    const char *released;            /* of its only ExtensionVersion; NULL: none, or several */
    bool whole;                      /* with what is wrong with the ExtensionService */
};

/* Do requests go to its endpoints, if they are well? */
bool gw_extension_is_used(const struct gw_object *service, const json_t *spec);

/* Adds state, reason, message, enabled and (where it is known) version. */
void gw_extension_state_add(json_t *to, const struct gw_extension_facts *f);

#endif
