#include "server/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "gateway/shed.h"

/* While it is full: how soon an idle client is noticed; how often the log is told. */
#define LOOK_EVERY_MS 100
#define LOG_EVERY_MS  10000

static struct gw_worker *
worker_of(struct gw_sessions *s)
{
    return (struct gw_worker *)((char *)s - offsetof(struct gw_worker, sessions));
}

static void
check_drained(struct gw_worker *w)
{
    if (w->draining && w->sessions.count == 0 && w->drained != NULL) {
        void (*drained)(struct gw_worker *) = w->drained;

        w->drained = NULL;
        drained(w);
    }
}

static void
on_session_ended(struct gw_sessions *s)
{
    check_drained(worker_of(s));
}

static void
count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* This worker's share of limits.connections, as of now, or of what open files allow. */
static size_t
most_clients(const struct gw_worker *w)
{
    const struct gw_settings *set = &gw_world_conf(w->world)->settings;
    size_t mine = ((size_t)set->limits.connections + set->n_workers - 1) / set->n_workers;

    return mine < w->files ? mine : w->files;
}

/* ---- full ---------------------------------------------------------------------------------- */

static void
open_doors(struct gw_worker *w)
{
    if (!w->full || w->draining) {
        return;
    }
    w->full = false;
    gw_wheel_cancel(&w->look);
    for (size_t i = 0; i < w->n_listeners; i++) {
        gw_listener_resume(w->listeners[i]);
    }
}

static void
look_again(struct gw_worker *w)
{
    gw_wheel_set(&w->loop->wheel, &w->look, gw_loop_now_ms(w->loop) + LOOK_EVERY_MS);
}

static void
on_look(struct gw_timer *t)
{
    struct gw_worker *w = (struct gw_worker *)((char *)t - offsetof(struct gw_worker, look));

    if (w->sessions.clients < most_clients(w) || gw_shed_can(&w->sessions)) {
        open_doors(w);
    } else {
        look_again(w);
    }
}

/* Busy ones are never closed for others: those wait in the kernel's queue. */
static void
close_doors(struct gw_worker *w)
{
    w->full = true;
    count(&gw_world_stats(w->world)->full);
    if (gw_loop_now_ms(w->loop) >= w->quiet_until_ms) {
        gw_log_warn("%s is reached (%zu in this worker, none of them idle or late): new ones wait",
                    most_clients(w) < w->files ? "limits.connections" : "the limit of open files",
                    w->sessions.clients);
        w->quiet_until_ms = gw_loop_now_ms(w->loop) + LOG_EVERY_MS;
    }
    for (size_t i = 0; i < w->n_listeners; i++) {
        gw_listener_pause(w->listeners[i]);
    }
    look_again(w);
}

static void
on_client_left(struct gw_sessions *s)
{
    struct gw_worker *w = worker_of(s);

    if (w->full && s->clients < most_clients(w)) {
        open_doors(w);
    }
    for (size_t i = 0; i < w->n_listeners; i++) {
        gw_listener_retry(w->listeners[i]);
    }
}

static void
on_accepted(void *owner, int fd, const struct sockaddr_storage *peer)
{
    struct gw_worker *w = owner;
    size_t most = most_clients(w);

    gw_session_open(&w->sessions, fd, peer, false);
    if (w->sessions.clients > most) {
        (void)gw_shed_one(&w->sessions);
    }
    if (w->sessions.clients >= most && !w->full && !w->draining && !gw_shed_can(&w->sessions)) {
        close_doors(w);
    }
}

/* ---- descriptors ---------------------------------------------------------------------------- */

/* Clients leave as many descriptors for backends as they take themselves, and each uses one at a
 * time: if there are more, some are idle in pools. */
static void
on_dialing(void *owner)
{
    struct gw_worker *w = owner;
    long long n =
        atomic_load_explicit(&gw_world_stats(w->world)->backend_connections, memory_order_relaxed);

    if (n > (long long)w->files) {
        (void)gw_world_shed_backend(w->world);
    }
}

static bool
make_room(void *owner)
{
    struct gw_worker *w = owner;

    count(&gw_world_stats(w->world)->out_of_files);
    return gw_world_shed_backend(w->world) || gw_shed_idle(&w->sessions);
}

/* ---- the rest ------------------------------------------------------------------------------- */

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
gw_worker_init(struct gw_worker *w, unsigned id, struct gw_conf *conf, struct gw_descriptors may,
               struct gw_world *const *all, size_t n_all)
{
    *w = (struct gw_worker){.id = id};
    (void)snprintf(w->name, sizeof(w->name), "worker-%u", id);
    w->loop = gw_loop_new();
    w->world = gw_world_new(id, w->loop, all, n_all);
    gw_world_use(w->world, conf);
    w->sessions.world = w->world;
    gw_world_sessions(w->world, &w->sessions);
    w->sessions.ended = on_session_ended;
    w->sessions.left = on_client_left;
    w->files = may.clients;
    w->loop->pipes.most = may.pipes;
    w->look.fire = on_look;
    w->loop->room = (struct gw_loop_room){.dialing = on_dialing, .make = make_room, .owner = w};
    w->mailbox = gw_mailbox_new();
    gw_world_mailbox(w->world, w->mailbox);
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
    gw_wheel_cancel(&w->look);
    close_listeners(w);
    gw_sessions_close(&w->sessions);
    event_base_loopbreak(w->loop->base);
}

void
gw_worker_fini(struct gw_worker *w)
{
    event_free(w->mail_event);
    gw_world_stop(w->world);
    gw_mailbox_free(w->mailbox, w);
    gw_world_free(w->world);
    gw_loop_free(w->loop);
}
