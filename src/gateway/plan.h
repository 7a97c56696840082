/*
 * plan.h - a route's whole life as one flat list of steps.
 *
 *     find... access... rewrite... forward | response... send | log...
 *
 * Built once when the config is loaded, so a request only ever adds one to an index.
 * `ksgate plan [HOST]/PATH` prints it.
 */
#ifndef GW_GATEWAY_PLAN_H
#define GW_GATEWAY_PLAN_H

#include "gateway/module.h"

#define GW_PLAN_STEPS 48

struct gw_step {
    const char *module, *phase; /* "jwt", "access" */
    gw_step_fn *run;
    const void *conf; /* the module's settings, owned by the config snapshot */
};

struct gw_plan {
    struct gw_step steps[GW_PLAN_STEPS];
    size_t n;
    size_t forward, response, send, log; /* where a reply, a sent head, a lost client go */
    enum gw_route_kind route;
};

/* One module in use, with its settings. */
struct gw_module_use {
    const struct gw_module *module;
    void *conf;
    bool opened; /* to be closed at the end */
};

/* Appends the phases of the modules in use that want this kind of route.  forward is the step
 * in the middle: gateway/forward's, or the admin interface's. */
void gw_plan_build(struct gw_plan *plan, enum gw_route_kind route, const struct gw_module_use *uses,
                   size_t n, const struct gw_step *forward, gw_step_fn *send);

#endif
