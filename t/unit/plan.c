#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/plan.h"

static enum gw_verdict
nothing(struct gw_req *req, const void *conf)
{
    (void)req;
    (void)conf;
    return GW_NEXT;
}

static enum gw_verdict
send_it(struct gw_req *req, const void *conf)
{
    (void)req;
    (void)conf;
    return GW_NEXT;
}

static const struct gw_module finder = {
    .name = "finder", .routes = GW_ON_ALL, .on = {[GW_FIND] = nothing, [GW_LOG] = nothing}};
static const struct gw_module guard = {
    .name = "guard", .routes = GW_ON(GW_ROUTE_CORE), .on = {[GW_ACCESS] = nothing}};
static const struct gw_module writer = {
    .name = "writer",
    .routes = GW_ON(GW_ROUTE_CORE) | GW_ON(GW_ROUTE_CONSOLE),
    .on = {[GW_FIND] = nothing, [GW_REWRITE] = nothing, [GW_RESPONSE] = nothing}};
static const struct gw_module silent = {.name = "silent", .routes = GW_ON_ALL};

static int confs[4];
static const struct gw_module_use uses[] = {{.module = &finder, .conf = &confs[0]},
                                            {.module = &guard, .conf = &confs[1]},
                                            {.module = &writer, .conf = &confs[2]},
                                            {.module = &silent, .conf = &confs[3]}};
static const struct gw_step forward = {.module = "gateway", .phase = "forward", .run = nothing};

static const struct {
    enum gw_route_kind route;
    const char *steps; /* phases in order, modules within them in theirs */
    size_t forward, response, send, log;
} cases[] = {
    {GW_ROUTE_CORE,
     "finder.find writer.find guard.access writer.rewrite gateway.forward writer.response "
     "gateway.send finder.log ",
     4, 5, 6, 7},
    {GW_ROUTE_CONSOLE,
     "finder.find writer.find writer.rewrite gateway.forward writer.response gateway.send "
     "finder.log ",
     3, 4, 5, 6},
    {GW_ROUTE_ADMIN, "finder.find gateway.forward gateway.send finder.log ", 1, 2, 2, 3},
};

static void
steps_are_in_the_order_of_phases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_plan plan;
        struct gw_buf text = {0};

        gw_plan_build(&plan, cases[i].route, uses, 4, &forward, send_it);
        for (size_t k = 0; k < plan.n; k++) {
            gw_buf_printf(&text, "%s.%s ", plan.steps[k].module, plan.steps[k].phase);
        }
        assert_string_equal(text.p, cases[i].steps);
        gw_buf_fini(&text);
        assert_int_equal(plan.route, cases[i].route);
        assert_int_equal(plan.forward, cases[i].forward);
        assert_int_equal(plan.response, cases[i].response);
        assert_int_equal(plan.send, cases[i].send);
        assert_int_equal(plan.log, cases[i].log);
        assert_true(plan.steps[plan.send].run == send_it);
    }
}

static void
each_step_has_its_modules_settings(void **state)
{
    struct gw_plan plan;

    (void)state;
    gw_plan_build(&plan, GW_ROUTE_CORE, uses, 4, &forward, send_it);
    assert_ptr_equal(plan.steps[0].conf, &confs[0]);
    assert_ptr_equal(plan.steps[1].conf, &confs[2]);
    assert_ptr_equal(plan.steps[2].conf, &confs[1]);
}

static void
a_plan_needs_no_module(void **state)
{
    struct gw_plan plan;

    (void)state;
    gw_plan_build(&plan, GW_ROUTE_CORE, NULL, 0, &forward, send_it);
    assert_int_equal(plan.n, 2);
    assert_int_equal(plan.log, plan.n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_in_the_order_of_phases),
        cmocka_unit_test(each_step_has_its_modules_settings),
        cmocka_unit_test(a_plan_needs_no_module),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
