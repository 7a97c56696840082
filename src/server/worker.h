/*
 * worker.h - one worker thread: its loop, its listeners, its world, its sessions (decision 1).
 */
#ifndef GW_SERVER_WORKER_H
#define GW_SERVER_WORKER_H

#include <pthread.h>

#include "base/mailbox.h"
#include "gateway/conf.h"
#include "gateway/session.h"
#include "gateway/worlds.h"
#include "net/listener.h"
#include "server/descriptors.h"

#define GW_WORKER_LISTENERS 1024 /* as GW_INHERIT_FDS: all of them, should there be one worker */

struct gw_worker {
    unsigned id;
    char name[24];
    pthread_t thread;
    struct gw_loop *loop;
    struct gw_world *world;
    struct gw_sessions sessions; /* of clients */
    struct gw_mailbox *mailbox;
    struct event *mail_event;
    struct gw_listener *listeners[GW_WORKER_LISTENERS];
    size_t n_listeners;
    struct gw_listener *admin; /* worker 0 only; or NULL */
    size_t files;              /* client connections that open files allow it */
    struct gw_timer look;      /* while it is full: is one idle meanwhile? */
    bool full;                 /* not accepting until a client leaves or is idle */
    bool draining;
    uint64_t quiet_until_ms;              /* that it is full was said already */
    void (*drained)(struct gw_worker *w); /* the last session of a draining worker has ended */
};

/* Everything but the thread; on the control thread.  all: the worlds, filled in by now or later.
 * may: what open files allow it. */
void gw_worker_init(struct gw_worker *w, unsigned id, struct gw_conf *conf,
                    struct gw_descriptors may, struct gw_world *const *all, size_t n_all);

/* Starts the thread; it only reads mail until it is told to listen. */
bool gw_worker_start(struct gw_worker *w);

/* On the worker's thread, by mail. */
void gw_worker_listen(struct gw_worker *w, int fd, bool admin);
void gw_worker_drain(struct gw_worker *w, void (*drained)(struct gw_worker *w));
void gw_worker_stop(struct gw_worker *w); /* the thread ends */

/* After the thread was joined. */
void gw_worker_fini(struct gw_worker *w);

#endif
