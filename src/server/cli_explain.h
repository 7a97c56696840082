/* cli_explain.h - an answer of `explain` for people. */
#ifndef GW_SERVER_CLI_EXPLAIN_H
#define GW_SERVER_CLI_EXPLAIN_H

#include "server/cli_util.h"

/* Appends a few lines that say what was asked, what is decided, why, and what comes of it. */
void gw_explain_table(struct gw_buf *out, const json_t *question, const json_t *answer);

#endif
