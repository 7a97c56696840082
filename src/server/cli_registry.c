/* cli_registry.c - ksgate registry script: how everybody else writes a Redis registry. */
#include "registry/store.h"
#include "server/cli_util.h"

static const struct gw_usage usage = {
    .arguments = "script",
    .min = 1,
    .max = 1,
    .more = "`registry script` prints the Lua script by which all writes to a Redis registry are "
            "made.\nServices that write it themselves load this script; docs/reference/ describes "
            "its arguments.",
    .examples = "ksgate registry script | redis-cli -x script load",
};

int
gw_cli_registry(const struct gw_cli *c)
{
    static const char *const known[] = {"script", NULL};
    struct gw_buf out = {0};
    struct gw_words args;
    const char *what;
    const char *near;
    int code = gw_cli_parse(c, &usage, NULL, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    what = args.list[0];
    gw_words_fini(&args);
    if (strcmp(what, known[0]) != 0) {
        near = gw_diag_nearest(gw_str_of(what), known);
        return gw_cli_misuse(c, "there is no `registry %s`%s", what,
                             near == NULL ? "" : " (did you mean `registry script`?)");
    }
    gw_buf_puts(&out, gw_store_redis_script);
    return gw_cli_print(c, &out);
}
