#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/claim_index.h"
#include "server/checker.h"
#include "server/control_private.h"
#include "server/descriptors.h"

/* Between two looks at the registry's state, for readiness and metrics. */
#define STATUS_EVERY_MS 100
/* How long a start waits for its registry, before it serves by what was on disk, or by nothing; and
 * between two looks meanwhile. */
#define FIRST_STATE_MS 1000
#define FIRST_EVERY_MS 10

static struct gw_control *the_control;   /* set before the first thread, cleared after the last */
static struct gw_sync_status the_status; /* a copy, behind the lock */
static struct gw_control_live the_live;  /* as well */
static pthread_mutex_t status_lock = PTHREAD_MUTEX_INITIALIZER;

/* -- mail ----------------------------------------------------------------------------------------
 */

struct listen_mail {
    struct gw_mail mail;
    int fd;
    bool admin;
};

void
gw_control_send(struct gw_mail *mail)
{
    gw_mailbox_send(the_control->mailbox, mail);
}

void
gw_control_send_worker(unsigned world_id, struct gw_mail *mail)
{
    assert(world_id < the_control->n_workers);
    gw_mailbox_send(the_control->workers[world_id].mailbox, mail);
}

static void
on_control_mail(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;

    (void)fd;
    (void)what;
    gw_loop_turn(c->loop);
    gw_mailbox_run(c->mailbox, c);
}

/* -- start and end -------------------------------------------------------------------------------
 */

static void
run_listen(struct gw_mail *mail, void *receiver)
{
    struct listen_mail *m = (struct listen_mail *)mail;

    gw_worker_listen(receiver, m->fd, m->admin);
    free(m);
}

static void
send_listen(struct gw_control *c, unsigned worker, int fd, bool admin)
{
    struct listen_mail *m = gw_mem_alloc(sizeof(*m));

    *m = (struct listen_mail){.mail = {.run = run_listen}, .fd = fd, .admin = admin};
    gw_mailbox_send(c->workers[worker].mailbox, &m->mail);
}

static void
say_ready(struct gw_control *c)
{
    if (c->args->ready_fd >= 0) {
        if (write(c->args->ready_fd, "r", 1) != 1) {
            gw_log_warn("the supervisor could not be told that the server is ready");
        }
        close(c->args->ready_fd);
    }
    gw_log_info("serving with %u workers", c->n_workers);
}

/* Listens on all sockets: the batches that were sent before are applied first, since mail is
 * read in order. */
static void
listen_all(struct gw_control *c)
{
    c->listening = true;
    for (size_t i = 0; i < c->args->n_fds; i++) {
        send_listen(c, (unsigned)(i % c->n_workers), c->args->fds[i], false);
    }
    if (c->args->admin_fd >= 0) {
        send_listen(c, 0, c->args->admin_fd, true);
    }
    say_ready(c);
}

/* The workers' allocator keeps what a crowd has needed. */
static void
look_for_ebb(struct gw_control *c)
{
    long long n = 0;

    for (unsigned i = 0; i < c->n_workers; i++) {
        const struct gw_world_stats *s = gw_world_stats(c->worlds[i]);

        n += atomic_load_explicit(&s->connections, memory_order_relaxed) +
             atomic_load_explicit(&s->backend_connections, memory_order_relaxed);
    }
    if (gw_ebb(&c->ebb, n)) {
        gw_mem_trim();
    }
}

/* What is on disk may be of last week: users may have lost their rights since, and backends have
 * moved.  So the registry comes first, if it is there; nobody waits for one that is not.  And the
 * other gateways: who waits for all of them has to wait for this one as soon as it is asked. */
static bool
is_settled(const struct gw_sync_status *now)
{
    bool away = !now->reachable && now->store.text[0] != '\0';

    return (now->state == GW_SYNC_FRESH && !now->store.joining) ||
           (now->state == GW_SYNC_STALE && away);
}

static void
see_to_listening(struct gw_control *c, const struct gw_sync_status *now)
{
    bool late = gw_clock_mono_ms() - c->started_ms >= FIRST_STATE_MS;
    bool ready = is_settled(now) && gw_control_last_live(c)->known; /* who is asked knows it, too */

    if (c->listening || c->stopping || !(late || ready)) {
        return;
    }
    if (now->state == GW_SYNC_STARTING) {
        gw_log_warn("serving without any registered object: %s", now->text);
    } else if (now->state == GW_SYNC_STALE && !is_settled(now)) {
        gw_log_warn("serving by the last state, since the registry takes its time: %s", now->text);
    }
    event_del(c->first_event);
    listen_all(c);
}

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;
    struct gw_sync_status now;
    const struct gw_control_step *live = gw_control_last_live(c);

    (void)fd;
    (void)what;
    gw_sync_status(c->sync, &now);
    pthread_mutex_lock(&status_lock);
    the_status = now;
    the_live = (struct gw_control_live){
        .revision = live->revision, .sum = live->sum, .known = live->known};
    pthread_mutex_unlock(&status_lock);
    look_for_ebb(c);
    gw_control_see_to_waiters(c);
    see_to_listening(c, &now);
}

void
gw_control_registry_status(struct gw_sync_status *out)
{
    pthread_mutex_lock(&status_lock);
    *out = the_status;
    pthread_mutex_unlock(&status_lock);
}

void
gw_control_live(struct gw_control_live *out)
{
    pthread_mutex_lock(&status_lock);
    *out = the_live;
    pthread_mutex_unlock(&status_lock);
}

static void
open_loop(struct gw_control *c)
{
    const struct timeval every = gw_clock_timeval(STATUS_EVERY_MS);
    const struct timeval first = gw_clock_timeval(FIRST_EVERY_MS);
    sigset_t held;

    c->loop = gw_loop_new();
    c->base = c->loop->base;
    c->mailbox = gw_mailbox_new();
    c->mail_event =
        event_new(c->base, gw_mailbox_fd(c->mailbox), EV_READ | EV_PERSIST, on_control_mail, c);
    event_add(c->mail_event, NULL);
    c->status_event = event_new(c->base, -1, EV_PERSIST, on_status, c);
    event_add(c->status_event, &every);
    c->first_event = event_new(c->base, -1, EV_PERSIST, on_status, c);
    event_add(c->first_event, &first);
    c->drain_event = event_new(c->base, -1, 0, gw_control_on_drain_deadline, c);
    c->signals[0] = evsignal_new(c->base, SIGTERM, gw_control_on_term, c);
    c->signals[1] = evsignal_new(c->base, SIGINT, gw_control_on_term, c);
    c->signals[2] = evsignal_new(c->base, SIGHUP, gw_control_on_hup, c);
    sigemptyset(&held);
    for (int i = 0; i < 3; i++) {
        event_add(c->signals[i], NULL);
        sigaddset(&held, event_get_signal(c->signals[i]));
    }
    pthread_sigmask(SIG_UNBLOCK, &held, NULL); /* held back since the supervisor's fork() */
}

static bool
open_workers(struct gw_control *c)
{
    struct gw_descriptors may = gw_descriptors_prepare(&c->conf->settings);

    c->n_workers = c->conf->settings.n_workers;
    gw_checker_open(c->loop, c->n_workers, may.checks);
    gw_checker_use(c->conf);
    c->workers = gw_mem_alloc(c->n_workers * sizeof(*c->workers));
    c->worlds = gw_mem_alloc(c->n_workers * sizeof(struct gw_world *));
    c->live = gw_mem_alloc(c->n_workers * sizeof(*c->live));
    for (unsigned i = 0; i < c->n_workers; i++) {
        gw_worker_init(&c->workers[i], i, c->conf, may, c->worlds, c->n_workers);
        c->worlds[i] = c->workers[i].world;
    }
    gw_conf_use(c->conf, c->worlds, c->n_workers);
    for (unsigned i = 0; i < c->n_workers; i++) {
        if (!gw_worker_start(&c->workers[i])) {
            gw_log_error("a worker thread could not be started");
            return false; /* the process ends: nothing to undo */
        }
    }
    return true;
}

static bool
open_registry(struct gw_control *c)
{
    struct gw_diag diag = {0};

    c->gathered = gw_gathered_new();
    c->writing = gw_claim_index_new();
    c->sync = gw_sync_open(&c->conf->settings.registry, c->base, gw_control_on_batch, c, &diag);
    gw_control_log_findings("registry", &diag);
    gw_diag_fini(&diag);
    return c->sync != NULL;
}

/* Then no thread but this one runs any more. */
static void
end_threads(struct gw_control *c)
{
    gw_control_stop_workers(c);
    for (unsigned i = 0; i < c->n_workers; i++) {
        pthread_join(c->workers[i].thread, NULL);
    }
    gw_conf_end(c->conf);
}

static void
close_all(struct gw_control *c)
{
    end_threads(c);
    gw_follow_free(c->follow);
    gw_mailbox_run(c->mailbox, c); /* late errands still find the registry open */
    gw_sync_close(c->sync);
    c->sync = NULL; /* as those who still wait find out */
    gw_gathered_free(c->gathered);
    gw_claim_index_free(c->writing);
    gw_control_dismiss_waiters(c);
    for (unsigned i = 0; i < c->n_workers; i++) {
        gw_worker_fini(&c->workers[i]);
    }
    gw_mailbox_free(c->mailbox, c);
    gw_checker_close();
    for (int i = 0; i < 3; i++) {
        event_free(c->signals[i]);
    }
    event_free(c->drain_event);
    event_free(c->first_event);
    event_free(c->status_event);
    event_free(c->mail_event);
    gw_loop_free(c->loop);
    gw_conf_unref(c->conf);
    free(c->live);
    free(c->worlds);
    free(c->workers);
}

int
gw_control_run(const struct gw_server_args *args)
{
    struct gw_control c = {.args = args, .conf = args->conf, .started_ms = gw_clock_mono_ms()};

    the_control = &c;
    open_loop(&c);
    if (!open_workers(&c)) {
        return 1;
    }
    if (!open_registry(&c)) {
        end_threads(&c); /* those that fetch would use libraries that the process's end closes */
        return 1;
    }
    gw_control_follow_files(&c);
    on_status(-1, 0, &c);
    event_base_dispatch(c.base);
    close_all(&c);
    the_control = NULL;
    gw_arena_trim();
    gw_log_info("stopped");
    return 0;
}

struct gw_sync *
gw_control_sync(struct gw_control *c)
{
    return c->sync;
}

struct gw_claim_index *
gw_control_claims(struct gw_control *c)
{
    return gw_gathered_claims(c->gathered);
}

struct gw_claim_index *
gw_control_writing(struct gw_control *c)
{
    return c->writing;
}

struct event_base *
gw_control_base(struct gw_control *c)
{
    return c->base;
}

struct gw_conf *
gw_control_conf(struct gw_control *c)
{
    return c->conf;
}
