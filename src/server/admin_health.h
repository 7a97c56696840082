/* admin_health.h - what readiness and metrics both tell. */
#ifndef GW_SERVER_ADMIN_HEALTH_H
#define GW_SERVER_ADMIN_HEALTH_H

#include "registry/sync.h"

/* "starting", "stale", "empty" (known, and nothing is registered) or "fresh". */
const char *gw_admin_registry_state(const struct gw_sync_status *status);

/* When all that is known was so, at least: Redis was heard then, or, as long as it was not since
 * the start, the state from disk was saved (wall clock).  0: that is not counted, or nothing is
 * known.
 */
uint64_t gw_admin_registry_as_of_ms(const struct gw_sync_status *status);

/* A reload: why it has failed, or NULL.  Control thread; from gw_control_take(). */
void gw_admin_reloaded(const char *why);

/* Any thread: has the last one failed?  *why: the callee's copy, to be freed; NULL when not asked.
 */
bool gw_admin_is_outdated(char **why);

#endif
