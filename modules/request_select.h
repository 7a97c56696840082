/* request_select.h - what a query narrows a list to: one name, or one workspace. */
#ifndef GW_MODULES_REQUEST_SELECT_H
#define GW_MODULES_REQUEST_SELECT_H

#include "base/arena.h"
#include "base/str.h"

/* Does the query ask for a watch?  Present and neither "0" nor "false" (any case). */
bool gw_request_select_watch(struct gw_arena *a, struct gw_str query);

/* The one name that a fieldSelector such as "metadata.name=x" asks for, or none: also when
 * the query's list options can't be parsed, or the name is none of a path segment. */
struct gw_str gw_request_select_name(struct gw_arena *a, struct gw_str query);

/* W of "labelSelector=kubesphere.io/workspace=W", or none. */
struct gw_str gw_request_select_workspace(struct gw_arena *a, struct gw_str query);

#endif
