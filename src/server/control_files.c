/*
 * control_files.c - files that the configuration names are followed: keys, passwords.
 *
 * When one has changed, the configuration in force is loaded once more, from the text that it was
 * read from: its own file may be in the middle of an edit that nobody has asked to reload.
 */
#include "base/log.h"
#include "server/control_private.h"

static void
on_changed(void *owner, const char *paths)
{
    struct gw_control *c = owner;
    struct gw_diag diag = {0};

    if (c->stopping) {
        return;
    }
    bool good = gw_control_take(c, gw_conf_load_again(c->conf, &diag), &diag);
    gw_control_log_findings("reload", &diag);
    if (good) {
        gw_log_info("read again, because it has changed: %s", paths);
    } else {
        gw_log_error("not used: %s; what was read before stays in force until it changes again",
                     paths);
    }
    gw_diag_fini(&diag);
}

void
gw_control_follow_files(struct gw_control *c)
{
    if (c->follow == NULL) {
        c->follow = gw_follow_new(c->base, on_changed, c);
    }
    gw_follow_use(c->follow, c->conf->named);
}
