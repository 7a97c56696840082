/* cli_version.c - ksgate version. */
#include "server/cli_util.h"

struct options {
    const char *output;
};

static const struct gw_option options[] = {GW_OUTPUT_OPTION(struct options, output), {0}};
static const struct gw_usage usage = {.arguments = "", .options = options};

int
gw_cli_version(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_buf out = {0};
    struct gw_words args;
    enum gw_output format;
    json_t *version;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    if (!gw_cli_output(c, o.output, &format)) {
        return GW_EXIT_USAGE;
    }
    if (format == GW_OUTPUT_TABLE) {
        gw_buf_puts(&out, "ksgate " PACKAGE_VERSION "\n");
        return gw_cli_print(c, &out);
    }
    version = json_pack("{s:s, s:s}", "name", "ksgate", "version", PACKAGE_VERSION);
    code = gw_cli_print_json(c, format, version);
    json_decref(version);
    return code;
}
