#include "server/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"

static void
check_drained(struct gw_worker *w)
{
    if (w->draining && w->sessions.count == 0 && w->drained != NULL) {
        void (*drained)(struct gw_worker *) = w->drained;

        w->drained = NULL;
        drained(w);
    }
}

/* Room again: one session less. */
static void
on_session_ended(struct gw_sessions *s)
{
    struct gw_worker *w = (struct gw_worker *)((char *)s - offsetof(struct gw_worker, sessions));

    if (w->full && s->count < w->max_sessions && !w->draining) {
        w->full = false;
        for (size_t i = 0; i < w->n_listeners; i++) {
            gw_listener_resume(w->listeners[i]);
        }
    }
    check_drained(w);
}

static void
on_accepted(void *owner, int fd, const struct sockaddr_storage *peer)
{
    struct gw_worker *w = owner;

    gw_session_open(&w->sessions, fd, peer, false);
    if (w->sessions.count >= w->max_sessions && !w->full && !w->draining) {
        w->full = true;
        gw_log_warn("limits.connections is reached (%zu in this worker): new connections wait",
                    w->sessions.count);
        for (size_t i = 0; i < w->n_listeners; i++) {
            gw_listener_pause(w->listeners[i]);
        }
    }
}

/* The administrator's door stays open when the house is full. */
static void
on_admin_accepted(void *owner, int fd, const struct sockaddr_storage *peer)
{
    struct gw_worker *w = owner;

    gw_session_open(&w->sessions, fd, peer, true);
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
    struct gw_worker *w = arg;

    (void)fd;
    (void)what;
    gw_loop_turn(w->loop);
    gw_mailbox_run(w->mailbox, w);
}

void
gw_worker_init(struct gw_worker *w, unsigned id, struct gw_conf *conf, struct gw_world *const *all,
               size_t n_all)
{
    *w = (struct gw_worker){.id = id};
    (void)snprintf(w->name, sizeof(w->name), "worker-%u", id);
    w->loop = gw_loop_new();
    w->world = gw_world_new(id, w->loop, all, n_all);
    gw_world_use(w->world, conf);
    w->sessions.world = w->world;
    w->sessions.ended = on_session_ended;
    w->max_sessions = ((size_t)conf->settings.limits.connections + conf->settings.n_workers - 1) /
                      conf->settings.n_workers;
    w->mailbox = gw_mailbox_new();
    w->mail_event =
        event_new(w->loop->base, gw_mailbox_fd(w->mailbox), EV_READ | EV_PERSIST, on_mail, w);
    event_add(w->mail_event, NULL);
}

static void *
run(void *arg)
{
    struct gw_worker *w = arg;

    gw_log_name(w->name);
    event_base_dispatch(w->loop->base);
    gw_arena_trim();
    return NULL;
}

bool
gw_worker_start(struct gw_worker *w)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all); /* signals are the control thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        pthread_setname_np(w->thread, w->name);
    }
    return error == 0;
}

void
gw_worker_listen(struct gw_worker *w, int fd, bool admin)
{
    if (admin) {
        w->admin = gw_listener_new(w->loop, fd, on_admin_accepted, w);
        return;
    }
    assert(w->n_listeners < GW_WORKER_LISTENERS);
    w->listeners[w->n_listeners++] = gw_listener_new(w->loop, fd, on_accepted, w);
}

static void
close_listeners(struct gw_worker *w)
{
    for (size_t i = 0; i < w->n_listeners; i++) {
        gw_listener_close(w->listeners[i]);
    }
    w->n_listeners = 0;
    if (w->admin != NULL) {
        gw_listener_close(w->admin);
        w->admin = NULL;
    }
}

void
gw_worker_drain(struct gw_worker *w, void (*drained)(struct gw_worker *w))
{
    w->draining = true;
    w->drained = drained;
    close_listeners(w);
    gw_sessions_drain(&w->sessions);
    check_drained(w);
}

void
gw_worker_stop(struct gw_worker *w)
{
    w->draining = true;
    w->drained = NULL;
    close_listeners(w);
    gw_sessions_close(&w->sessions);
    event_base_loopbreak(w->loop->base);
}

void
gw_worker_fini(struct gw_worker *w)
{
    event_free(w->mail_event);
    gw_mailbox_free(w->mailbox, w);
    gw_world_free(w->world);
    gw_loop_free(w->loop);
}
