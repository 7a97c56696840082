/* rbac.h - RBAC's view of what is registered: its index is a struct gw_rbac_index. */
#ifndef GW_MODULES_RBAC_H
#define GW_MODULES_RBAC_H

#include "gateway/world.h"

extern const struct gw_view gw_rbac_view;

#endif
