/*
 * control_private.h - the control thread's state, for control.c and its neighbours.
 *
 * control.c starts and ends it; control_live.c tells the workers of changes, control_reload.c of a
 * new configuration, which control_files.c asks for as well, control_stop.c to come to an end.  All
 * on the control thread.
 */
#ifndef GW_SERVER_CONTROL_PRIVATE_H
#define GW_SERVER_CONTROL_PRIVATE_H

#include <event2/event.h>

#include "server/control.h"
#include "server/ebb.h"
#include "server/follow.h"
#include "server/worker.h"

struct gw_live_waiter;

/* What workers were sent, or one of them has applied. */
struct gw_control_step {
    uint64_t number; /* of the batch, from 1: revisions may go back */
    uint64_t revision;
    struct gw_sum sum; /* of all objects that it leaves */
    bool known;        /* with it, what is registered is known */
};

struct gw_control {
    const struct gw_server_args *args;
    struct gw_loop *loop;
    struct event_base *base; /* the loop's */
    struct gw_mailbox *mailbox;
    struct event *mail_event, *status_event, *drain_event;
    struct event *first_event; /* as status_event, more often, until it listens */
    struct event *signals[3];
    struct gw_conf *conf;
    struct gw_sync *sync;
    struct gw_gathered *gathered;
    struct gw_claim_index *writing; /* what the store was asked to write and has not answered yet */
    struct gw_follow *follow;       /* the files that conf names */
    struct gw_worker *workers;
    struct gw_world **worlds;
    struct gw_control_step sent;  /* the last batch */
    struct gw_control_step *live; /* what each worker has applied */
    unsigned n_workers, n_drained;
    struct gw_live_waiter *waiters;
    long long n_waiting; /* errands that may wait; some of them for something else yet */
    uint64_t started_ms;
    struct gw_ebb ebb;
    bool listening, stopping;
};

/* A batch from the registry (gw_sync_fn): compiled once, sent to every worker. */
void gw_control_on_batch(void *owner, const struct gw_change *changes, size_t n, uint64_t revision,
                         bool reset, bool known);
/* What the worker has applied that is the furthest behind. */
const struct gw_control_step *gw_control_last_live(const struct gw_control *c);
/* The news of the batch that was just sent, to those workers where somebody watches. */
void gw_control_tell_watchers(struct gw_control *c);
/* Now and then: answers those whose write is live, or has not been for too long. */
void gw_control_see_to_waiters(struct gw_control *c);
/* Those who wait for a write are answered although it will never be live. */
void gw_control_dismiss_waiters(struct gw_control *c);

/* Another configuration is in force from now on (its reference is c's), and the files that it names
 * are followed; or NULL, when it could not be loaded: then all stays, and false. */
bool gw_control_take(struct gw_control *c, struct gw_conf *next, struct gw_diag *diag);
void gw_control_follow_files(struct gw_control *c);

void gw_control_on_hup(evutil_socket_t fd, short what, void *arg);

/* The workers let running requests end, at most timeouts.drain; then the loop breaks.  A second
 * signal breaks it at once. */
void gw_control_on_term(evutil_socket_t fd, short what, void *arg);
void gw_control_on_drain_deadline(evutil_socket_t fd, short what, void *arg);
/* The workers' loops end now, whatever runs. */
void gw_control_stop_workers(struct gw_control *c);

#endif
