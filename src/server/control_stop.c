/*
 * control_stop.c - the server comes to an end: no new connections, what runs may finish.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/control_private.h"

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

void
gw_control_on_drain_deadline(evutil_socket_t fd, short what, void *arg)
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

void
gw_control_on_term(evutil_socket_t fd, short what, void *arg)
{
    struct gw_control *c = arg;
    long long ms = c->conf->settings.timeouts.drain;
    const struct timeval deadline = gw_clock_timeval((uint64_t)ms);

    (void)fd;
    (void)what;
    if (c->stopping) {
        event_base_loopbreak(c->base); /* asked twice: no more waiting */
        return;
    }
    c->stopping = true;
    gw_sync_part(c->sync);
    gw_log_info("stopping: no new connections, running requests may take %lld ms", ms);
    send_to_all(c, run_drain);
    event_add(c->drain_event, &deadline);
}

void
gw_control_stop_workers(struct gw_control *c)
{
    send_to_all(c, run_stop);
}
