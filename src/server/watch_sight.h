/*
 * watch_sight.h - what somebody who watches may know of, and when that becomes more or less.
 */
#ifndef GW_SERVER_WATCH_SIGHT_H
#define GW_SERVER_WATCH_SIGHT_H

#include "registry/history.h"
#include "server/admin_sight.h"

/* A number that is another one when the viewer is bound in other workspaces, or sees all. */
uint64_t gw_watch_sight_places(struct gw_viewer *v);

/* Do the news make extensions seen, or unseen, for the viewer, other than by a change of their own
 * that is told?  *places: what it was; becomes what it is. */
bool gw_watch_sight_turns(struct gw_viewer *v, const struct gw_news *news, uint64_t *places);

#endif
