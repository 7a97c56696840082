/* cli_help.h - --help of a command, and the manual page, from the same rows. */
#ifndef GW_SERVER_CLI_HELP_H
#define GW_SERVER_CLI_HELP_H

#include "server/cli_util.h"

/* Prints the command's help; an exit code. */
int gw_cli_help(const struct gw_cli *c, const struct gw_usage *u);

/* Appends the command's section of the manual page to c->manual. */
void gw_cli_manual(const struct gw_cli *c, const struct gw_usage *u);

/* Prints what `ksgate --help` says; an exit code. */
int gw_cli_overview(const char *program);

/* The whole manual page, ksgate(1), as roff. */
void gw_cli_manual_page(struct gw_buf *out, const char *program);

#endif
