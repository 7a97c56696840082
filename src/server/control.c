#include "server/control.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/admin_health.h"
#include "server/checker.h"
#include "server/descriptors.h"
#include "server/ebb.h"
#include "server/worker.h"

/* Between two looks at the registry's state, for readiness and metrics. */
#define STATUS_EVERY_MS 100
/* How long a start waits for a registry that it knows nothing of yet, before it serves without. */
#define FIRST_STATE_MS 1000

struct live_waiter {
    struct live_waiter *next;
    uint64_t revision;
    void (*done)(void *arg);
    void *arg;
};

struct gw_control {
    const struct gw_server_args *args;
    struct gw_loop *loop;
    struct event_base *base; /* the loop's */
    struct gw_mailbox *mailbox;
    struct event *mail_event, *status_event, *drain_event;
    struct event *signals[3];
    struct gw_conf *conf;
    struct gw_sync *sync;
    struct gw_worker *workers;
    struct gw_world **worlds;
    uint64_t *live; /* the revision that each worker has applied */
    unsigned n_workers, n_drained;
    struct live_waiter *waiters;
    uint64_t started_ms;
    struct gw_ebb ebb;
    bool listening, stopping;
};

#define LARGE_BATCH 10000 /* changes */

static struct gw_control *the_control;   /* set before the first thread, cleared after the last */
static struct gw_sync_status the_status; /* a copy, behind the lock */
static pthread_mutex_t status_lock = PTHREAD_MUTEX_INITIALIZER;

/* -- mail ----------------------------------------------------------------------------------------
 */

struct conf_mail {
    struct gw_mail mail;
    struct gw_conf *conf;
};

struct batch_mail {
    struct gw_mail mail;
    struct gw_batch *batch;
};

struct live_mail {
    struct gw_mail mail;
    unsigned id;
    uint64_t revision;
    bool large; /* the batch */
};

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

/* -- changes -------------------------------------------------------------------------------------
 */

static uint64_t
live_everywhere(const struct gw_control *c)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < c->n_workers; i++) {
        least = c->live[i] < least ? c->live[i] : least;
    }
    return least;
}

static void
wake_waiters(struct gw_control *c)
{
    uint64_t live = live_everywhere(c);

    for (struct live_waiter **at = &c->waiters; *at != NULL;) {
        struct live_waiter *w = *at;

        if (w->revision > live) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->done(w->arg);
        free(w);
    }
}

void
gw_control_when_live(struct gw_control *c, uint64_t revision, void (*done)(void *arg), void *arg)
{
    if (live_everywhere(c) >= revision) {
        done(arg);
        return;
    }
    struct live_waiter *w = gw_mem_alloc(sizeof(*w));
    *w = (struct live_waiter){.next = c->waiters, .revision = revision, .done = done, .arg = arg};
    c->waiters = w;
}

static void
on_live(struct gw_mail *mail, void *receiver)
{
    struct live_mail *m = (struct live_mail *)mail;
    struct gw_control *c = receiver;

    c->live[m->id] = m->revision;
    if (m->large) {
        gw_mem_trim(); /* its listing and lists were larger than what stays */
    }
    free(m);
    wake_waiters(c);
}

/* On the worker. */
static void
run_batch(struct gw_mail *mail, void *receiver)
{
    struct batch_mail *m = (struct batch_mail *)mail;
    struct gw_worker *w = receiver;
    struct live_mail *back = gw_mem_alloc(sizeof(*back));

    gw_world_apply(w->world, m->batch);
    *back = (struct live_mail){.mail = {.run = on_live},
                               .id = w->id,
                               .revision = m->batch->revision,
                               .large = m->batch->n >= LARGE_BATCH};
    gw_batch_unref(m->batch);
    free(m);
    gw_control_send(&back->mail);
}

static void
on_batch(void *owner, const struct gw_change *changes, size_t n, uint64_t revision, bool reset)
{
    struct gw_control *c = owner;
    struct gw_batch *batch = gw_batch_compile(changes, n, revision, reset, NULL);

    for (unsigned i = 0; i < c->n_workers; i++) {
        struct batch_mail *m = gw_mem_alloc(sizeof(*m));

        *m = (struct batch_mail){.mail = {.run = run_batch}, .batch = gw_batch_ref(batch)};
        gw_mailbox_send(c->workers[i].mailbox, &m->mail);
    }
    gw_batch_unref(batch);
    if (c->sync != NULL && !c->listening) {
        event_active(c->status_event, EV_TIMEOUT, 1); /* what was waited for is known now */
    }
}

/* -- configuration -------------------------------------------------------------------------------
 */

static void
run_conf(struct gw_mail *mail, void *receiver)
{
    struct conf_mail *m = (struct conf_mail *)mail;
    struct gw_worker *w = receiver;

    gw_world_use(w->world, m->conf);
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
gw_control_reload(struct gw_control *c, struct gw_diag *diag)
{
    struct gw_conf *next = gw_conf_load(c->args->config_file, diag);

    gw_admin_reloaded(next != NULL);
    if (next == NULL) {
        return false;
    }
    warn_of_restart(&c->conf->settings, &next->settings, diag);
    for (unsigned i = 0; i < c->n_workers; i++) {
        struct conf_mail *m = gw_mem_alloc(sizeof(*m));

        *m = (struct conf_mail){.mail = {.run = run_conf}, .conf = gw_conf_ref(next)};
        gw_mailbox_send(c->workers[i].mailbox, &m->mail);
    }
    gw_conf_unref(c->conf);
    c->conf = next;
    gw_checker_use(next);
    return true;
}

/* A line of the log for each. */
static void
log_findings(const char *about, const struct gw_diag *diag)
{
    for (size_t i = 0; i < diag->n; i++) {
        const struct gw_finding *f = &diag->findings[i];
        const char *file = f->place.file == NULL ? "" : f->place.file;

        gw_log_line(f->severity == GW_ERROR ? GW_LOG_ERROR : GW_LOG_WARN, "%s: %s%s%.0d%s%s", about,
                    file, file[0] == '\0' ? "" : ":", f->place.line, file[0] == '\0' ? "" : ": ",
                    f->text);
    }
}

static void
on_hup(evutil_socket_t fd, short what, void *arg)
{
    struct gw_diag diag = {0};

    (void)fd;
    (void)what;
    bool ok = gw_control_reload(arg, &diag);
    log_findings("reload", &diag);
    if (ok) {
        gw_log_info("the configuration was reloaded");
    } else {
        gw_log_error("the configuration was not reloaded: the old one stays in force");
    }
    gw_diag_fini(&diag);
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

static void
on_status(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;
    struct gw_sync_status now;

    (void)fd;
    (void)what;
    gw_sync_status(c->sync, &now);
    pthread_mutex_lock(&status_lock);
    the_status = now;
    pthread_mutex_unlock(&status_lock);
    look_for_ebb(c);
    if (!c->listening && !c->stopping &&
        (now.state != GW_SYNC_STARTING || gw_clock_mono_ms() - c->started_ms >= FIRST_STATE_MS)) {
        if (now.state == GW_SYNC_STARTING) {
            gw_log_warn("serving without any registered object: %s", now.text);
        }
        listen_all(c);
    }
}

void
gw_control_registry_status(struct gw_sync_status *out)
{
    pthread_mutex_lock(&status_lock);
    *out = the_status;
    pthread_mutex_unlock(&status_lock);
}

static void
run_stop(struct gw_mail *mail, void *receiver)
{
    free(mail);
    gw_worker_stop(receiver);
}

static void
send_to_all(struct gw_control *c, void (*run)(struct gw_mail *mail, void *receiver))
{
    for (unsigned i = 0; i < c->n_workers; i++) {
        struct gw_mail *m = gw_mem_alloc(sizeof(*m));

        m->run = run;
        gw_mailbox_send(c->workers[i].mailbox, m);
    }
}

static void
on_drain_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;

    (void)fd;
    (void)what;
    gw_log_warn("timeouts.drain is over: the remaining connections are closed");
    event_base_loopbreak(c->base);
}

static void
on_worker_drained(struct gw_mail *mail, void *receiver)
{
    struct gw_control *c = receiver;

    free(mail);
    if (++c->n_drained == c->n_workers) {
        event_base_loopbreak(c->base);
    }
}

static void
tell_drained(struct gw_worker *w)
{
    struct gw_mail *m = gw_mem_alloc(sizeof(*m));

    (void)w;
    m->run = on_worker_drained;
    gw_control_send(m);
}

static void
run_drain(struct gw_mail *mail, void *receiver)
{
    free(mail);
    gw_worker_drain(receiver, tell_drained);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;
    long long ms = c->conf->settings.timeouts.drain;
    const struct timeval deadline = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    (void)fd;
    (void)what;
    if (c->stopping) {
        event_base_loopbreak(c->base); /* asked twice: no more waiting */
        return;
    }
    c->stopping = true;
    gw_log_info("stopping: no new connections, running requests may take %lld ms", ms);
    send_to_all(c, run_drain);
    event_add(c->drain_event, &deadline);
}

static void
open_loop(struct gw_control *c)
{
    const struct timeval every = {.tv_usec = STATUS_EVERY_MS * 1000L};
    sigset_t held;

    c->loop = gw_loop_new();
    c->base = c->loop->base;
    c->mailbox = gw_mailbox_new();
    c->mail_event =
        event_new(c->base, gw_mailbox_fd(c->mailbox), EV_READ | EV_PERSIST, on_control_mail, c);
    event_add(c->mail_event, NULL);
    c->status_event = event_new(c->base, -1, EV_PERSIST, on_status, c);
    event_add(c->status_event, &every);
    c->drain_event = event_new(c->base, -1, 0, on_drain_deadline, c);
    c->signals[0] = evsignal_new(c->base, SIGTERM, on_term, c);
    c->signals[1] = evsignal_new(c->base, SIGINT, on_term, c);
    c->signals[2] = evsignal_new(c->base, SIGHUP, on_hup, c);
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

    c->sync = gw_sync_open(&c->conf->settings.registry, c->base, on_batch, c, &diag);
    log_findings("registry", &diag);
    gw_diag_fini(&diag);
    return c->sync != NULL;
}

/* What they wait for does not come any more.  Their errands go home, where nobody is; later there
 * would be no mailbox to send them to. */
static void
dismiss_waiters(struct gw_control *c)
{
    while (c->waiters != NULL) {
        struct live_waiter *w = c->waiters;

        c->waiters = w->next;
        w->done(w->arg);
        free(w);
    }
}

static void
close_all(struct gw_control *c)
{
    send_to_all(c, run_stop);
    for (unsigned i = 0; i < c->n_workers; i++) {
        pthread_join(c->workers[i].thread, NULL);
    }
    gw_mailbox_run(c->mailbox, c); /* late errands still find the registry open */
    gw_sync_close(c->sync);
    dismiss_waiters(c);
    for (unsigned i = 0; i < c->n_workers; i++) {
        gw_worker_fini(&c->workers[i]);
    }
    gw_mailbox_free(c->mailbox, c);
    gw_checker_close();
    for (int i = 0; i < 3; i++) {
        event_free(c->signals[i]);
    }
    event_free(c->drain_event);
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
    if (!open_workers(&c) || !open_registry(&c)) {
        return 1;
    }
    on_status(-1, 0, &c); /* what is on disk is known by now: then listening needn't wait */
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
