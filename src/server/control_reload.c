/*
 * control_reload.c - another configuration for a server that runs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/admin_health.h"
#include "server/checker.h"
#include "server/control_private.h"
#include "server/watchers.h"

struct conf_mail {
    struct gw_mail mail;
    struct gw_conf *conf;
};

static void
run_conf(struct gw_mail *mail, void *receiver)
{
    struct conf_mail *m = (struct conf_mail *)mail;
    struct gw_worker *w = receiver;

    gw_world_use(w->world, m->conf);
    gw_watchers_review(w->world);
    gw_conf_unref(m->conf);
    free(m);
}

static bool
same_listeners(const struct gw_settings *a, const struct gw_settings *b)
{
    const struct gw_listener_settings *la = a->listeners.items;
    const struct gw_listener_settings *lb = b->listeners.items;

    for (size_t i = 0; i < a->listeners.n && i < b->listeners.n; i++) {
        if (strcmp(la[i].address, lb[i].address) != 0) {
            return false;
        }
    }
    return a->listeners.n == b->listeners.n;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_registry(const struct gw_registry_settings *a, const struct gw_registry_settings *b)
{
    return a->driver == b->driver && same_text(a->sqlite.path, b->sqlite.path) &&
           same_text(a->redis.url, b->redis.url) && same_text(a->redis.prefix, b->redis.prefix) &&
           same_text(a->snapshot, b->snapshot);
}

/* What a running server can't change is said, not ignored in silence. */
static void
warn_of_restart(const struct gw_settings *now, const struct gw_settings *next, struct gw_diag *diag)
{
    const struct {
        const char *name;
        bool same;
    } rows[] = {
        {"listeners", same_listeners(now, next)},
        {"workers", now->n_workers == next->n_workers},
        {"user", same_text(now->user, next->user)},
        {"registry", same_registry(&now->registry, &next->registry)},
        {"admin.socket", same_text(now->admin.socket, next->admin.socket)},
        {"limits.connections", now->limits.connections == next->limits.connections},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!rows[i].same) {
            gw_diag_warn(diag, (struct gw_place){0},
                         "%s has changed: that takes effect at the next restart", rows[i].name);
        }
    }
}

bool
gw_control_take(struct gw_control *c, struct gw_conf *next, struct gw_diag *diag)
{
    gw_admin_reloaded(next != NULL ? NULL : gw_diag_first(diag));
    if (next == NULL) {
        return false;
    }
    gw_conf_serve(next);
    warn_of_restart(&c->conf->settings, &next->settings, diag);
    gw_conf_use(next, c->worlds, c->n_workers);
    for (unsigned i = 0; i < c->n_workers; i++) {
        struct conf_mail *m = gw_mem_alloc(sizeof(*m));

        *m = (struct conf_mail){.mail = {.run = run_conf}, .conf = gw_conf_ref(next)};
        gw_mailbox_send(c->workers[i].mailbox, &m->mail);
    }
    gw_conf_unref(c->conf);
    c->conf = next;
    gw_checker_use(next);
    gw_control_follow_files(c);
    return true;
}

bool
gw_control_reload(struct gw_control *c, struct gw_diag *diag)
{
    return gw_control_take(c, gw_conf_load(c->args->config_file, diag), diag);
}

void
gw_control_log_findings(const char *about, const struct gw_diag *diag)
{
    for (size_t i = 0; i < diag->n; i++) {
        const struct gw_finding *f = &diag->findings[i];
        struct gw_buf place = {0};

        gw_diag_place(f->place, &place);
        gw_log_line(f->severity == GW_ERROR ? GW_LOG_ERROR : GW_LOG_WARN, "%s: %s%s", about,
                    place.n > 0 ? place.p : "", f->text);
        gw_buf_fini(&place);
    }
}

void
gw_control_on_hup(evutil_socket_t fd, short what, void *arg)
{
    struct gw_diag diag = {0};

    (void)fd;
    (void)what;
    bool ok = gw_control_reload(arg, &diag);
    gw_control_log_findings("reload", &diag);
    if (ok) {
        gw_log_info("the configuration was reloaded");
    } else {
        gw_log_error("the configuration was not reloaded: the old one stays in force");
    }
    gw_diag_fini(&diag);
}
