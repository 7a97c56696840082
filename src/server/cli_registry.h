/* cli_registry.h - the parts of `ksgate registry`. */
#ifndef GW_SERVER_CLI_REGISTRY_H
#define GW_SERVER_CLI_REGISTRY_H

#include "server/cli_util.h"

struct gw_registry_copy_options {
    const char *from, *to; /* as registry/place.h reads them; NULL: not given */
    const char *from_password_file, *to_password_file, *from_prefix, *to_prefix;
    bool replace, prune, skip_unreadable, dry_run;
};

struct gw_registry_check_options {
    const char *store; /* as above */
    const char *password_file, *prefix;
    bool repair;
    const char *save; /* a file for what is removed */
};

/* Exit codes. */
int gw_cli_registry_check(const struct gw_cli *c, const struct gw_registry_check_options *o,
                          enum gw_output format);
int gw_cli_registry_copy(const struct gw_cli *c, const struct gw_registry_copy_options *o,
                         enum gw_output format);

#endif
