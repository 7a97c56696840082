/* cli_token.h - what `ksgate token` and `ksgate token --decode` share. */
#ifndef GW_SERVER_CLI_TOKEN_H
#define GW_SERVER_CLI_TOKEN_H

#include "modules/jwt_issuers.h"
#include "server/cli_util.h"

/* The config file's section `authentication`, alone: the rest may be broken, or name files that
 * this user can't open.  False: see diag; nothing is left open then. */
bool gw_token_settings(const struct gw_cli *c, struct gw_arena *a, struct gw_jwt_settings *s,
                       struct gw_diag *diag);

/* Shows the token, and whether and why the gateway would take it.  "-": from standard input. */
int gw_token_decode(const struct gw_cli *c, const char *token, enum gw_output format);

/* The same for the Revocation object of the token, ready for `ksgate apply`. */
int gw_token_revocation(const struct gw_cli *c, const char *token, enum gw_output format);

#endif
