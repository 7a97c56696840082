/* cli_schema.c - ksgate schema: all settings, and the manual, from the tables they are read by. */
#include "gateway/conf.h"
#include "server/cli_help.h"

struct options {
    bool json, markdown, yaml, man;
    const char *output;
};

/* clang-format off */
static const struct gw_option options[] = {
    {0, "json", NULL, GW_OPTION_SWITCH, offsetof(struct options, json),
     "JSON Schema, for editors and for checks elsewhere (the default)."},
    {0, "yaml", NULL, GW_OPTION_SWITCH, offsetof(struct options, yaml),
     "A configuration with every setting at its default (conf/full.yaml)."},
    {0, "markdown", NULL, GW_OPTION_SWITCH, offsetof(struct options, markdown),
     "The reference page (docs/reference/config.md)."},
    {0, "man", NULL, GW_OPTION_SWITCH, offsetof(struct options, man),
     "The manual page ksgate(1), from the commands' own tables."},
    {'o', "output", "FORMAT", GW_OPTION_TEXT, offsetof(struct options, output),
     "The same in other words: json is --json, yaml is --yaml, table is --markdown."},
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "",
    .options = options,
    .examples = "ksgate schema >ksgate.schema.json\nksgate schema --yaml >/etc/ksgate/ksgate.yaml",
};

/* What stands above the tables of the reference page. */
static const char introduction[] =
    "# The configuration\n\n"
    "One YAML document, in the file that `-c` names or else in `/etc/ksgate/ksgate.yaml`.\n"
    "`ksgate check` prints all that is wrong with it. [conf/ksgate.yaml](../../conf/ksgate.yaml)\n"
    "is a short one, [conf/full.yaml](../../conf/full.yaml) has every setting. This page is made\n"
    "from the tables that the program reads its settings by.\n\n"
    "- A size is a number of bytes or has a unit (`64KiB`, `8MiB`, `1GiB`), or is `unlimited`.\n"
    "- A duration has a unit: `500ms`, `10s`, `5m`, `1h30m`, `7d`.\n"
    "- `${NAME}` in a value is that environment variable, which must be set; `$${` is a plain "
    "`${`.\n"
    "- A reload (SIGHUP, `ksgate reload`) takes over all but what needs a restart.\n\n";

static int
print_schema(const struct gw_cli *c)
{
    json_t *schema = gw_schema_json(gw_conf_rows());
    int code;

    (void)json_object_set_new(schema, "$schema",
                              json_string("https://json-schema.org/draft/2020-12/schema"));
    (void)json_object_set_new(schema, "title", json_string("The configuration of ksgate"));
    code = gw_cli_print_json(c, GW_OUTPUT_JSON, schema);
    json_decref(schema);
    return code;
}

/* -o FORMAT as one of the switches.  False: wrong usage. */
static bool
take_output(const struct gw_cli *c, struct options *o)
{
    enum gw_output format;

    if (o->output == NULL) {
        return true;
    }
    if (!gw_cli_output(c, o->output, &format)) {
        return false;
    }
    if (o->json + o->markdown + o->yaml + o->man > 0) {
        (void)gw_cli_misuse(c, "one form at a time");
        return false;
    }
    o->json = format == GW_OUTPUT_JSON;
    o->yaml = format == GW_OUTPUT_YAML;
    o->markdown = format == GW_OUTPUT_TABLE;
    return true;
}

int
gw_cli_schema(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_buf out = {0};
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    if (!take_output(c, &o)) {
        return GW_EXIT_USAGE;
    }
    if (o.json + o.markdown + o.yaml + o.man > 1) {
        return gw_cli_misuse(c, "one form at a time");
    }
    if (o.markdown) {
        gw_buf_puts(&out, introduction);
        gw_schema_markdown(&out, gw_conf_rows(), "");
    } else if (o.yaml) {
        gw_schema_yaml(&out, gw_conf_rows(), 0);
    } else if (o.man) {
        gw_cli_manual_page(&out, c->program);
    } else {
        return print_schema(c);
    }
    return gw_cli_print(c, &out);
}
