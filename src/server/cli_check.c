/* cli_check.c - ksgate check: all that is wrong with a configuration, at once. */
#include "server/check_names.h"
#include "server/cli_util.h"

struct options {
    const char *output;
    bool names, strict;
};

static const struct gw_option options[] = {
    {0, "names", NULL, GW_OPTION_SWITCH, offsetof(struct options, names),
     "Look up the names of core.url, core.console and of backends in registry.files, and warn of "
     "those that have no address."},
    {0, "strict", NULL, GW_OPTION_SWITCH, offsetof(struct options, strict),
     "Exit with 1 for warnings, too."},
    GW_OUTPUT_OPTION(struct options, output),
    {0}};

static const struct gw_usage usage = {
    .arguments = "[FILE]",
    .options = options,
    .max = 1,
    .more =
        "Every finding is printed as file:line:column with the nearest known name, errors and "
        "warnings.\n-o json and yaml have them as `findings`, on standard output: file, line, "
        "column, severity,\nmessage, and the name that was meant as hint.  Files that the "
        "configuration names (keys, secrets) are opened too, so run "
        "it as a user who may\nread them.  The exit code is 1 when there are errors.\n\nA name of "
        "a backend "
        "that has no address does not stop a gateway from starting, and another machine may\nknow "
        "other names: so they are looked up only with --names, and one without an address is a "
        "warning.",
    .examples = "ksgate check\nksgate -c new.yaml check\nksgate check new.yaml -o json\n"
                "ksgate check --names --strict",
};

static const char *
driver_of(const struct gw_settings *s)
{
    return s->registry.driver == 1 ? "redis" : "sqlite";
}

/* Before it is printed, which frees it. */
static bool
is_fine(const struct options *o, const struct gw_conf *conf, const struct gw_diag *diag)
{
    return conf != NULL && diag->errors == 0 && (diag->n == 0 || !o->strict);
}

static int
print_text(const struct gw_cli *c, const struct gw_conf *conf, bool fine, struct gw_diag *diag)
{
    struct gw_buf out = {0};

    (void)gw_cli_findings(diag);
    if (!fine) {
        return GW_EXIT_FAILED;
    }
    const struct gw_settings *s = &conf->settings;
    gw_buf_printf(&out,
                  "%s is fine: %zu listener%s, %u worker%s, core %s, console %s, registry %s\n",
                  conf->file, s->listeners.n, s->listeners.n == 1 ? "" : "s", s->n_workers,
                  s->n_workers == 1 ? "" : "s", s->core.url == NULL ? "none" : s->core.url,
                  s->core.console == NULL ? "none" : s->core.console, driver_of(s));
    return gw_cli_print(c, &out);
}

static json_t *
summary_json(const struct gw_settings *s)
{
    return json_pack("{s:I, s:I, s:s?, s:s?, s:s}", "listeners", (json_int_t)s->listeners.n,
                     "workers", (json_int_t)s->n_workers, "core", s->core.url, "console",
                     s->core.console, "registry", driver_of(s));
}

static int
print_json(const struct gw_cli *c, const char *file, const struct gw_conf *conf, bool fine,
           struct gw_diag *diag, enum gw_output format)
{
    json_t *json =
        json_pack("{s:o, s:b, s:I, s:I, s:o}", "file", gw_cli_text_json(gw_str_of(file)), "fine",
                  fine, "errors", (json_int_t)diag->errors, "warnings",
                  (json_int_t)(diag->n - diag->errors), "findings", gw_cli_findings_json(diag));

    if (conf != NULL) {
        (void)json_object_set_new(json, "summary", summary_json(&conf->settings));
    }
    int code = gw_cli_print_json(c, format, json);

    json_decref(json);
    gw_diag_fini(diag);
    return fine ? code : GW_EXIT_FAILED;
}

int
gw_cli_check(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_diag diag = {0};
    struct gw_words args;
    enum gw_output format;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    const char *file = args.n > 0 ? args.list[0] : c->config;
    gw_words_fini(&args);
    if (!gw_cli_output(c, o.output, &format)) {
        return GW_EXIT_USAGE;
    }
    struct gw_conf *conf = gw_conf_load(file, &diag);
    if (conf != NULL && o.names) {
        gw_check_names(conf, &diag);
    }
    bool fine = is_fine(&o, conf, &diag);
    code = format == GW_OUTPUT_TABLE ? print_text(c, conf, fine, &diag)
                                     : print_json(c, file, conf, fine, &diag, format);
    gw_conf_unref(conf);
    return code;
}
