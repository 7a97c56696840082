/* cli_check.c - ksgate check: all that is wrong with a configuration, at once. */
#include "gateway/conf.h"
#include "server/cli_util.h"

static const struct gw_usage usage = {
    .arguments = "[FILE]",
    .max = 1,
    .more = "Every finding is printed as file:line:column with the nearest known name, errors and "
            "warnings.\nFiles that the configuration names (keys, secrets) are opened too, so run "
            "it as a user who\nmay read them.  The exit code is 1 when there are errors.",
    .examples = "ksgate check\nksgate -c new.yaml check",
};

static void
summary(struct gw_buf *out, const struct gw_conf *conf)
{
    const struct gw_settings *s = &conf->settings;
    const char *driver = s->registry.driver == 1 ? "redis" : "sqlite";

    gw_buf_printf(out,
                  "%s is fine: %zu listener%s, %u worker%s, core %s, console %s, registry %s\n",
                  conf->file, s->listeners.n, s->listeners.n == 1 ? "" : "s", s->n_workers,
                  s->n_workers == 1 ? "" : "s", s->core.url == NULL ? "none" : s->core.url,
                  s->core.console == NULL ? "none" : s->core.console, driver);
}

int
gw_cli_check(const struct gw_cli *c)
{
    struct gw_diag diag = {0};
    struct gw_buf out = {0};
    struct gw_words args;
    const char *file;
    struct gw_conf *conf;
    int code = gw_cli_parse(c, &usage, NULL, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    file = args.n > 0 ? args.list[0] : c->config;
    gw_words_fini(&args);
    conf = gw_conf_load(file, &diag);
    code = gw_cli_findings(&diag);
    if (conf == NULL) {
        return GW_EXIT_FAILED;
    }
    summary(&out, conf);
    gw_conf_unref(conf);
    return gw_cli_print(c, &out) == GW_EXIT_OK ? code : GW_EXIT_FAILED;
}
