/* admin_health.h - what readiness and metrics both tell. */
#ifndef GW_SERVER_ADMIN_HEALTH_H
#define GW_SERVER_ADMIN_HEALTH_H

#include "registry/sync.h"

/* "starting", "stale", "empty" (known, and nothing is registered) or "fresh". */
const char *gw_admin_registry_state(const struct gw_sync_status *status);

/* Counts a reload, for ksgate_config_reloads_total.  Control thread; from gw_control_reload(). */
void gw_admin_reloaded(bool ok);

#endif
