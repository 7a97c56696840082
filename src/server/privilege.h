/*
 * privilege.h - who the server runs as, and what must be ready for it before it does.
 */
#ifndef GW_SERVER_PRIVILEGE_H
#define GW_SERVER_PRIVILEGE_H

#include <sys/types.h>

#include "gateway/conf.h"

struct gw_account {
    const char *name; /* static or the settings' */
    uid_t uid;
    gid_t gid;
    bool change; /* we are root and it is not: the server leaves root behind */
};

/* Finds the account of the setting `user`.  False and why[]. */
bool gw_privilege_find(struct gw_account *a, const struct gw_settings *s, char why[200]);

/* Makes the folders of the registry file, the snapshot, the admin socket and the modules' files
 * when they are missing, and gives them to the account.  False and why[]. */
bool gw_privilege_prepare(const struct gw_account *a, const struct gw_conf *c, char why[200]);

/* For good: groups, group, user.  False with errno. */
bool gw_privilege_drop(const struct gw_account *a);

/* Raises the limit of open files to what limits.connections needs, as far as it may. */
void gw_privilege_open_files(const struct gw_settings *s);

#endif
