/*
 * control.h - the server's main thread: config, registry, and what the workers are told.
 *
 * Other threads reach it by mail.  A mail's run(mail, receiver) gets the struct gw_control.
 */
#ifndef GW_SERVER_CONTROL_H
#define GW_SERVER_CONTROL_H

#include "base/mailbox.h"
#include "gateway/conf.h"
#include "registry/sum.h"
#include "registry/sync.h"

struct gw_control;
struct gw_worker;

/* Any thread: sends work to the control thread. */
void gw_control_send(struct gw_mail *mail);

/* Any thread: sends mail to the worker with this gw_world_id(); run() gets its struct gw_worker.
 * Never fails while the server runs. */
void gw_control_send_worker(unsigned world_id, struct gw_mail *mail);

/* Control thread only, from here on. */
struct gw_sync *gw_control_sync(struct gw_control *c); /* NULL: it is closed */
/* Who claims what: of what is registered, and of what the store was asked to write. */
struct gw_claim_index *gw_control_claims(struct gw_control *c);
struct gw_claim_index *gw_control_writing(struct gw_control *c);
struct event_base *gw_control_base(struct gw_control *c);
struct gw_conf *gw_control_conf(struct gw_control *c); /* the current one; borrowed */

/* Calls done once every worker has applied the write and all that was known until now (maybe at
 * once), or when that has taken too long (registry.redis.fleet_wait): then live is false.  mark:
 * its answer's, or NULL. */
void gw_control_when_live(struct gw_control *c, const struct gw_store_mark *mark,
                          void (*done)(void *arg, bool live), void *arg);
/* Nobody waits any more: done is not called.  False: there is none of that arg. */
bool gw_control_forget_live(struct gw_control *c, const void *arg);

/* One more that may wait for its write, until the end.  False: there are registry.waiters. */
bool gw_control_wait_begin(struct gw_control *c);
void gw_control_wait_end(struct gw_control *c);

/* Reads the config file again, checks it, and publishes it; keeps the old one when it is wrong.
 * The diag says what happened. */
bool gw_control_reload(struct gw_control *c, struct gw_diag *diag);

/* What was found in a file, a line of the log for each; about: "reload", "registry". */
void gw_control_log_findings(const char *about, const struct gw_diag *diag);

/* Any thread: a copy of the registry's state, as of a moment ago (for readiness and metrics). */
void gw_control_registry_status(struct gw_sync_status *out);

/* Any thread: what every worker has applied, as of a moment ago. */
struct gw_control_live {
    uint64_t revision;
    struct gw_sum sum; /* of all objects */
    bool known;        /* what is registered: none of them refuses what it has not heard of */
};
void gw_control_live(struct gw_control_live *out);

/* Runs the server process until it is told to stop; returns its exit code.  fds: the inherited
 * listening sockets, one per worker and listener (server/supervisor.c says in which order). */
struct gw_server_args {
    const char *config_file;
    const int *fds; /* n_listeners x n_workers */
    size_t n_fds;
    int admin_fd;         /* listening unix socket, or -1 */
    int ready_fd;         /* a byte is written to it when requests are served; or -1 */
    struct gw_conf *conf; /* a reference of the callee's */
};
int gw_control_run(const struct gw_server_args *args);

#endif
