#include "gateway/plan.h"

#include <assert.h>

static const char *const phase_names[] = {"find", "access", "rewrite", "response", "log"};

const char *
gw_route_name(unsigned route)
{
    static const char *const names[] = {[GW_ROUTE_CORE] = "core",
                                        [GW_ROUTE_EXTENSIONS] = "extensions",
                                        [GW_ROUTE_CONSOLE] = "console",
                                        [GW_ROUTE_ADMIN] = "admin",
                                        [GW_N_ROUTES] = "none"};

    assert(route <= GW_N_ROUTES);
    return names[route];
}

static void
add(struct gw_plan *plan, struct gw_step step)
{
    assert(plan->n < GW_PLAN_STEPS);
    plan->steps[plan->n++] = step;
}

static void
add_phase(struct gw_plan *plan, const struct gw_module_use *uses, size_t n, enum gw_phase phase)
{
    for (size_t i = 0; i < n; i++) {
        const struct gw_module *m = uses[i].module;

        if (m->on[phase] != NULL && (m->routes & GW_ON(plan->route)) != 0 &&
            (m->wanted == NULL || m->wanted(uses[i].conf))) {
            add(plan, (struct gw_step){.module = m->name,
                                       .phase = phase_names[phase],
                                       .run = m->on[phase],
                                       .conf = uses[i].conf});
        }
    }
}

void
gw_plan_build(struct gw_plan *plan, enum gw_route_kind route, const struct gw_module_use *uses,
              size_t n, const struct gw_step *forward, gw_step_fn *send)
{
    *plan = (struct gw_plan){.route = route};
    add_phase(plan, uses, n, GW_FIND);
    add_phase(plan, uses, n, GW_ACCESS);
    add_phase(plan, uses, n, GW_REWRITE);
    plan->forward = plan->n;
    add(plan, *forward);
    plan->response = plan->n;
    add_phase(plan, uses, n, GW_RESPONSE);
    plan->send = plan->n;
    add(plan, (struct gw_step){.module = "gateway", .phase = "send", .run = send});
    plan->log = plan->n;
    add_phase(plan, uses, n, GW_LOG);
}
