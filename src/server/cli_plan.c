/* cli_plan.c - ksgate plan: the steps that a request would walk. */
#include <stdio.h>

#include "gateway/conf.h"
#include "gateway/relax.h"
#include "http/url.h"
#include "server/cli_util.h"

struct options {
    const char *output;
};

static const struct gw_option options[] = {GW_OUTPUT_OPTION(struct options, output), {0}};

static const struct gw_usage usage = {
    .arguments = "[HOST]/PATH",
    .options = options,
    .min = 1,
    .max = 1,
    .more = "The plan is made from the configuration, as the gateway makes it: one line per step, "
            "in order.\nIt does not ask a running gateway; `ksgate explain` does.",
    .examples = "ksgate plan /kapis/iam.kubesphere.io/v1beta1/users\n"
                "ksgate plan gateway.example.com/extensions/devops/pipelines",
};

static int
print_table(const struct gw_cli *c, const struct gw_plan *plan)
{
    struct gw_table t = {.columns = 3};
    struct gw_buf out = {0};

    gw_table_add(&t, "#");
    gw_table_add(&t, "PHASE");
    gw_table_add(&t, "MODULE");
    for (size_t i = 0; i < plan->n; i++) {
        char number[24];

        (void)snprintf(number, sizeof(number), "%zu", i + 1);
        gw_table_add(&t, number);
        gw_table_add(&t, plan->steps[i].phase);
        gw_table_add(&t, plan->steps[i].module);
    }
    gw_table_print(&t, &out);
    gw_table_fini(&t);
    return gw_cli_print(c, &out);
}

static int
print_json(const struct gw_cli *c, const struct gw_plan *plan, enum gw_output format)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < plan->n; i++) {
        (void)json_array_append_new(steps, json_pack("{s:s, s:s}", "phase", plan->steps[i].phase,
                                                     "module", plan->steps[i].module));
    }
    int code = gw_cli_print_json(c, format, steps);
    json_decref(steps);
    return code;
}

/* As the gateway would, short of asking an extension. */
static bool
refused(const struct gw_conf *conf, const struct gw_target_parts *target, const char **why)
{
    struct gw_req req = {.target = *target};

    return gw_path_check(target->path, why) != GW_ERR_OK &&
           gw_relax_path(&req, conf, why) != GW_ERR_OK;
}

int
gw_cli_plan(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_diag diag = {0};
    struct gw_words args;
    struct gw_str rest;
    struct gw_str host;
    struct gw_target_parts target = {0};
    enum gw_output format;
    struct gw_conf *conf;
    const char *why = "it must begin with '/', or with a host and '/'";
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    rest = gw_str_of(args.list[0]);
    gw_words_fini(&args);
    host = (struct gw_str){rest.p, gw_str_find(rest, '/')};
    rest = gw_str_skip(rest, host.n);
    if (!gw_cli_output(c, o.output, &format)) {
        return GW_EXIT_USAGE;
    }
    if (rest.n == 0 || (host.n > 0 && !gw_host_ok(host)) ||
        gw_target_split(GW_STR("GET"), rest, &target) != GW_ERR_OK) {
        return gw_cli_fail(c, "%.*s%.*s would be refused: %s", GW_STR_ARG(host), GW_STR_ARG(rest),
                           why);
    }
    conf = gw_conf_load(c->config, &diag);
    code = gw_cli_findings(&diag);
    if (conf != NULL && refused(conf, &target, &why)) {
        code = gw_cli_fail(c, "%.*s%.*s would be refused: %s", GW_STR_ARG(host), GW_STR_ARG(rest),
                           why);
        gw_conf_unref(conf);
    } else if (conf != NULL) {
        const struct gw_plan *plan = gw_conf_route(conf, host, target.path);

        code = format == GW_OUTPUT_TABLE ? print_table(c, plan) : print_json(c, plan, format);
        gw_conf_unref(conf);
    }
    return code;
}
