/* commands.c - the commands of ksgate, in the order of --help. */
#include "server/cli_util.h"

/* The words of `serve`; what it does is the supervisor's. */
static int
serve(const struct gw_cli *c)
{
    static const struct gw_usage usage = {
        .arguments = "",
        .more = "It runs in the foreground, as a supervisor and the server below it.  SIGTERM and "
                "SIGINT stop it\nafter the running requests, SIGHUP (or `ksgate reload`) reads the "
                "configuration again.  Started\nas root it opens its sockets and then runs the "
                "server as the user of the setting `user`.",
        .examples = "ksgate serve\nksgate -c conf/ksgate.yaml serve",
    };
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, NULL, &args);

    return code == GW_CLI_GO ? gw_cli_serve(c) : code;
}

/* clang-format off */
const struct gw_command gw_commands[] = {
    {"serve",    "Runs the gateway.", serve, false},
    {"check",    "Checks a configuration and prints all that is wrong with it.", gw_cli_check, false},
    {"reload",   "Tells the running gateway to read its configuration again.", gw_cli_reload, false},
    {"plan",     "Prints the steps that a request would walk.", gw_cli_plan, false},
    {"explain",  "Says what the gateway would decide about a request, and why.", gw_cli_explain, false},
    {"get",      "Prints registered objects.", gw_cli_get, false},
    {"apply",    "Registers objects from files, or changes them.", gw_cli_apply, false},
    {"delete",   "Deletes registered objects.", gw_cli_delete, false},
    {"register", "Keeps a backend of an extension registered until it ends.", gw_cli_register, false},
    {"registry", "Checks, mends and copies what a registry holds, and prints the Redis script.", gw_cli_registry, false},
    {"token",    "Makes a token for tests and automation, or shows one.", gw_cli_token, false},
    {"schema",   "Prints all settings: as JSON Schema, YAML or Markdown.", gw_cli_schema, false},
    {"version",  "Prints the version.", gw_cli_version, false},
    {"server",   "The process below the supervisor.", gw_cli_server, true},
    {0},
};
/* clang-format on */
