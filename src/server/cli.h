/*
 * cli.h - the subcommands of ksgate.
 *
 * Each command is a function and a row in main.c's table.  Exit codes: 0 fine, 1 failed,
 * 2 wrong usage.  Answers go to stdout, everything else to stderr.
 */
#ifndef GW_SERVER_CLI_H
#define GW_SERVER_CLI_H

#include <stdbool.h>

#include "base/buf.h"

#define GW_EXIT_OK     0
#define GW_EXIT_FAILED 1
#define GW_EXIT_USAGE  2

/* The configuration file that is read when -c names none. */
#ifndef GW_SYSCONFDIR
#define GW_SYSCONFDIR "/etc"
#endif
#define GW_CLI_CONFIG GW_SYSCONFDIR "/ksgate/ksgate.yaml"

struct gw_cli;

/* One row of main.c's table. */
struct gw_command {
    const char *name, *about; /* about: one sentence */
    int (*run)(const struct gw_cli *c);
    bool hidden; /* not for people: not in --help and not in the manual */
};
extern const struct gw_command gw_commands[]; /* server/commands.c; ends with {0} */

struct gw_cli {
    const char *program; /* "ksgate" */
    const struct gw_command *command;
    struct gw_buf *manual; /* not NULL: only append the manual's section (cli_util.h does) */
    const char *config;    /* -c FILE, or the default /etc/ksgate/ksgate.yaml */
    bool config_given;
    int argc; /* of the command: argv[0] is its name */
    char **argv;
};

int gw_cli_serve(const struct gw_cli *c);  /* server/supervisor.c */
int gw_cli_server(const struct gw_cli *c); /* the process below the supervisor; not listed */
int gw_cli_check(const struct gw_cli *c);
int gw_cli_plan(const struct gw_cli *c);
int gw_cli_explain(const struct gw_cli *c);
int gw_cli_get(const struct gw_cli *c);
int gw_cli_apply(const struct gw_cli *c);
int gw_cli_delete(const struct gw_cli *c);
int gw_cli_register(const struct gw_cli *c);
int gw_cli_token(const struct gw_cli *c);
int gw_cli_schema(const struct gw_cli *c);
int gw_cli_registry(const struct gw_cli *c); /* `registry script` */
int gw_cli_reload(const struct gw_cli *c);
int gw_cli_version(const struct gw_cli *c);

#endif
