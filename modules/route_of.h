/* route_of.h - on which kind of route a request is, from its record. */
#ifndef GW_MODULES_ROUTE_OF_H
#define GW_MODULES_ROUTE_OF_H

#include "gateway/module.h"

/* GW_N_ROUTES: on none, since it was refused before one was found. */
static inline enum gw_route_kind
gw_route_of(const struct gw_req *req)
{
    static const char *const names[GW_N_ROUTES] = {
        [GW_ROUTE_CORE] = "core",
        [GW_ROUTE_EXTENSIONS] = "extensions",
        [GW_ROUTE_CONSOLE] = "console",
        [GW_ROUTE_ADMIN] = "admin",
    };
    unsigned kind = 0;

    while (kind < GW_N_ROUTES &&
           (req->decision.route == NULL || strcmp(req->decision.route, names[kind]) != 0)) {
        kind++;
    }
    return (enum gw_route_kind)kind;
}

#endif
