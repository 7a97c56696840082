/*
 * server.c - the process below the supervisor: gives up what it may not keep, then serves.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/conf.h"
#include "server/cli.h"
#include "server/cli_util.h"
#include "server/control.h"
#include "server/inherit.h"
#include "server/privilege.h"

/* The file to start with: usually the configured one.  A reload always reads that. */
static const char *
start_file(const struct gw_inherit *inherit, const char *config, char kept[64])
{
    if (inherit->config_fd < 0) {
        return config;
    }
    (void)snprintf(kept, 64, "/proc/self/fd/%d", inherit->config_fd);
    return kept;
}

int
gw_cli_server(const struct gw_cli *cli)
{
    struct gw_inherit inherit;
    struct gw_account account;
    struct gw_diag diag = {0};
    char file[64];
    char why[200];

    gw_log_name("server");
    if (!gw_inherit_read(&inherit)) {
        (void)fprintf(stderr, "%s: `server` is started by `%s serve`, not by hand\n", cli->program,
                      cli->program);
        return GW_EXIT_USAGE;
    }
    unsetenv(GW_INHERIT_ENV);
    (void)signal(SIGPIPE, SIG_IGN);
    const char *start = start_file(&inherit, cli->config, file);
    struct gw_conf *conf = gw_conf_read(start, &diag);
    if (conf == NULL || !gw_privilege_find(&account, &conf->settings, why) ||
        !gw_privilege_drop(&account)) {
        (void)gw_cli_findings(&diag);
        gw_log_error("can't become the user that the server runs as: %s",
                     conf == NULL ? "no configuration" : strerror(errno));
        return GW_EXIT_FAILED;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* changing the user has cleared it */
    gw_conf_unref(conf);
    gw_diag_fini(&diag);
    diag = (struct gw_diag){0};
    /* Read again as that user: what it may not read, a reload could not either. */
    conf = gw_conf_load(start, &diag);
    gw_control_log_findings("configuration", &diag); /* warnings belong into the log, too */
    gw_diag_fini(&diag);
    if (conf == NULL) {
        gw_log_error("the configuration is not usable as user \"%s\"",
                     account.name == NULL ? "of this process" : account.name);
        return GW_EXIT_FAILED;
    }
    if (inherit.config_fd >= 0) {
        close(inherit.config_fd);
    }
    gw_conf_serve(conf);
    return gw_control_run(&(struct gw_server_args){.config_file = cli->config,
                                                   .fds = inherit.fds,
                                                   .n_fds = inherit.n_fds,
                                                   .admin_fd = inherit.admin_fd,
                                                   .ready_fd = inherit.ready_fd,
                                                   .conf = conf});
}
