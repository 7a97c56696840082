/* cli_explain.h - answers of `explain` for people, and the part of the command that replays. */
#ifndef GW_SERVER_CLI_EXPLAIN_H
#define GW_SERVER_CLI_EXPLAIN_H

#include "server/client.h"

/* Appends a few lines that say what was asked, what is decided, why, and what comes of it. */
void gw_explain_table(struct gw_buf *out, const json_t *question, const json_t *answer);

/* Appends what is asked for: `get pods/log "web" of apps, namespace "proj" (scope Namespace)`. */
void gw_explain_what(struct gw_buf *out, const json_t *answer);

/* `ksgate explain --replay`. */
struct gw_replay_options {
    const struct gw_words *files; /* the candidate */
    bool instead;                 /* it holds all roles and bindings that there are to be */
    enum gw_output format;
};
/* Asks the gateway for what it decided lately and for what is registered, and prints what would be
 * decided otherwise.  An exit code. */
int gw_cli_replay(const struct gw_cli *c, const struct gw_client *client,
                  const struct gw_replay_options *o);

#endif
