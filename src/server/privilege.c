#include "server/privilege.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/pipe.h"

#define FOLDER_MODE 0750
/* Beside the clients' connections: as many to backends, and the house's own. */
#define OWN_FILES 512

bool
gw_privilege_find(struct gw_account *a, const struct gw_settings *s, char why[200])
{
    const struct passwd *pw;

    *a = (struct gw_account){.uid = getuid(), .gid = getgid()};
    if (getuid() != 0) {
        return true;
    }
    if (s->user != NULL) {
        pw = getpwnam(s->user);
    } else {
        pw = getpwnam("ksgate");
        pw = pw != NULL ? pw : getpwnam("nobody");
    }
    if (pw == NULL) {
        (void)snprintf(why, 200, "user: there is no user \"%.80s\" on this machine",
                       s->user == NULL ? "nobody" : s->user);
        return false;
    }
    a->name = s->user != NULL ? s->user : strcmp(pw->pw_name, "ksgate") == 0 ? "ksgate" : "nobody";
    a->uid = pw->pw_uid;
    a->gid = pw->pw_gid;
    a->change = pw->pw_uid != 0;
    return true;
}

/* Makes the folder that a file is to be in; parents must be there. */
static bool
make_folder(const struct gw_account *a, const char *file, char why[200])
{
    char path[4096];

    if (file == NULL || file[0] == '\0' || strlen(file) >= sizeof(path)) {
        return true;
    }
    memcpy(path, file, strlen(file) + 1);
    const char *folder = dirname(path);
    if (mkdir(folder, FOLDER_MODE) == 0) {
        if (!a->change || chown(folder, a->uid, a->gid) == 0) {
            return true;
        }
    } else if (errno == EEXIST) {
        return true;
    }
    (void)snprintf(why, 200, "can't make the folder %.120s: %s", folder, strerror(errno));
    return false;
}

static bool
make_module_folders(const struct gw_account *a, const struct gw_conf *c, char why[200])
{
    for (size_t i = 0; i < c->n_uses; i++) {
        const struct gw_module_use *use = &c->uses[i];

        if (use->module->file != NULL && !make_folder(a, use->module->file(use->conf), why)) {
            return false;
        }
    }
    return true;
}

bool
gw_privilege_prepare(const struct gw_account *a, const struct gw_conf *c, char why[200])
{
    const struct gw_settings *s = &c->settings;

    return (s->registry.driver != 0 || make_folder(a, s->registry.sqlite.path, why)) &&
           make_folder(a, s->registry.snapshot, why) && make_folder(a, s->admin.socket, why) &&
           make_module_folders(a, c, why);
}

bool
gw_privilege_drop(const struct gw_account *a)
{
    if (!a->change) {
        return true;
    }
    return setgroups(0, NULL) == 0 && initgroups(a->name, a->gid) == 0 && setgid(a->gid) == 0 &&
           setuid(a->uid) == 0;
}

void
gw_privilege_open_files(const struct gw_settings *s)
{
    struct rlimit limit;
    rlim_t pipes = (rlim_t)s->n_workers * (GW_PIPES_LENT + GW_PIPES_SPARE) * 2;
    rlim_t want = (rlim_t)s->limits.connections * 2 + pipes + OWN_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want) {
        return;
    }
    rlim_t before = limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = want,
                            .rlim_max = limit.rlim_max < want ? want : limit.rlim_max};

    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want; /* as far as we may */
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        limit.rlim_cur = before;
    }
    gw_log_warn("the limit of open files is %llu, limits.connections wants %llu: connections may "
                "have to wait",
                (unsigned long long)limit.rlim_cur, (unsigned long long)want);
}
