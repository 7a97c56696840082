/*
 * rbac_gather.h - which RoleTemplates a role takes in: its aggregationRoleTemplates
 * (kubesphere.md, 5.1 "Aggregation").
 */
#ifndef GW_MODULES_RBAC_GATHER_H
#define GW_MODULES_RBAC_GATHER_H

#include <jansson.h>

#include "base/diag.h"
#include "config/yaml.h"

/* What a role says, as one text: the same for all roles that take in the same.  Heap; NULL: it
 * takes in none.  What is not understood takes in nothing, and is warned about. */
char *gw_rbac_gather_read(const json_t *role, const struct gw_yaml *source, struct gw_diag *diag);

struct gw_rbac_label {
    const char *key, *value;
};

/* gather: the text, as JSON again. */
bool gw_rbac_gather_takes(const json_t *gather, const char *name,
                          const struct gw_rbac_label *labels, size_t n_labels);

#endif
