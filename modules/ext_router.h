/*
 * ext_router.h - an extension that not everybody may know of is entered when it is known who asks.
 */
#ifndef GW_MODULES_EXT_ROUTER_H
#define GW_MODULES_EXT_ROUTER_H

#include "modules/ext_index.h"

/* A request in front of its door: in the request's slot of ext_router, in its arena.  One for a
 * name that is not there is in front of one, too, so that it goes the same way. */
struct gw_ext_door {
    struct gw_ext_route *route; /* a reference, which the request gives back; NULL: no such name */
    struct gw_str name;         /* decoded */
    struct gw_str rest;         /* of the path, as received */
};

/* NULL: the request stands in front of none. */
struct gw_ext_door *gw_ext_router_door(const struct gw_req *req);

/* What the find step does for all others. */
enum gw_verdict gw_ext_router_enter(struct gw_req *req, const struct gw_ext_door *door);

/* What would be asked for inside; *info is what request_info has it, and changes when it is a
 * resource of the extension's. */
void gw_ext_router_info(const struct gw_req *req, const struct gw_ext_door *door,
                        struct gw_request_info *info);

/* The answer for a name that is not there; returns GW_FAIL. */
enum gw_verdict gw_ext_router_refuse(struct gw_req *req);

#endif
