/*
 * control_live.c - what is registered gets to the workers, and who waited for that is told.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/control_private.h"

#define LARGE_BATCH 10000 /* changes */
/* What nobody has written as one step (of which there are fewer changes) a worker takes over beside
 * its requests: they do not wait for 100 000 objects after a registry was away. */
#define WHOLE_BATCH 2000 /* changes */
#define PART_US     2000

struct gw_live_waiter {
    struct gw_live_waiter *next;
    struct gw_store_mark mark;
    uint64_t number; /* of the batch that it is in at the latest; 0: it was not given to us yet */
    uint64_t deadline_ms;
    void (*done)(void *arg, bool live);
    void *arg;
};

struct batch_mail {
    struct gw_mail mail;
    struct gw_batch *batch;
    struct gw_control_step step;
    struct gw_world_part at; /* the worker's */
};

struct live_mail {
    struct gw_mail mail;
    unsigned id;
    struct gw_control_step step;
    struct gw_batch *batch; /* goes home with it: what ends with a large one takes its time */
};

const struct gw_control_step *
gw_control_last_live(const struct gw_control *c)
{
    const struct gw_control_step *last = &c->live[0];

    for (unsigned i = 1; i < c->n_workers; i++) {
        last = c->live[i].number < last->number ? &c->live[i] : last;
    }
    return last;
}

static bool
is_live(const struct gw_control_step *live, const struct gw_live_waiter *w)
{
    return w->number > 0 && live->number >= w->number;
}

/* until_ms: whose deadline is over by then is answered as well. */
static void
wake_waiters(struct gw_control *c, uint64_t until_ms)
{
    const struct gw_control_step *live = gw_control_last_live(c);

    for (struct gw_live_waiter **at = &c->waiters; *at != NULL;) {
        struct gw_live_waiter *w = *at;

        if (!is_live(live, w) && w->deadline_ms > until_ms) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->done(w->arg, is_live(live, w));
        free(w);
    }
}

/* Those whose writes were given to us meanwhile: with the last batch, or before. */
static void
number_waiters(struct gw_control *c)
{
    for (struct gw_live_waiter *w = c->waiters; w != NULL; w = w->next) {
        if (w->number == 0 && gw_sync_has(c->sync, &w->mark)) {
            w->number = c->sent.number;
        }
    }
}

void
gw_control_see_to_waiters(struct gw_control *c)
{
    if (c->waiters != NULL) { /* a list may say that nothing has changed: that is no batch */
        number_waiters(c);
        wake_waiters(c, gw_clock_mono_ms());
    }
}

void
gw_control_when_live(struct gw_control *c, const struct gw_store_mark *mark,
                     void (*done)(void *arg, bool live), void *arg)
{
    bool given = c->sync == NULL || gw_sync_has(c->sync, mark);
    struct gw_live_waiter now = {.number = given ? c->sent.number : 0};

    if (is_live(gw_control_last_live(c), &now)) {
        done(arg, true);
        return;
    }
    struct gw_live_waiter *w = gw_mem_alloc(sizeof(*w));
    *w = (struct gw_live_waiter){.next = c->waiters,
                                 .number = now.number,
                                 .deadline_ms =
                                     gw_clock_mono_ms() +
                                     (uint64_t)c->conf->settings.registry.redis.fleet_wait_ms,
                                 .done = done,
                                 .arg = arg};
    if (mark != NULL) {
        w->mark = *mark;
    }
    c->waiters = w;
}

bool
gw_control_forget_live(struct gw_control *c, const void *arg)
{
    for (struct gw_live_waiter **at = &c->waiters; *at != NULL; at = &(*at)->next) {
        struct gw_live_waiter *w = *at;

        if (w->arg == arg) {
            *at = w->next;
            free(w);
            return true;
        }
    }
    return false;
}

bool
gw_control_wait_begin(struct gw_control *c)
{
    if (c->n_waiting >= c->conf->settings.registry.waiters) {
        return false;
    }
    c->n_waiting++;
    return true;
}

void
gw_control_wait_end(struct gw_control *c)
{
    c->n_waiting--;
}

static void
on_live(struct gw_mail *mail, void *receiver)
{
    struct live_mail *m = (struct live_mail *)mail;
    struct gw_control *c = receiver;

    bool large = m->batch->changes >= LARGE_BATCH;
    bool was_known = gw_control_last_live(c)->known;

    c->live[m->id] = m->step;
    if (gw_control_last_live(c)->known != was_known) {
        event_active(c->status_event, EV_TIMEOUT, 1); /* it is ready */
    }
    gw_batch_unref(m->batch);
    if (large) {
        gw_mem_trim(); /* its listing and lists were larger than what stays */
    }
    free(m);
    if (c->sync != NULL) {
        const struct gw_control_step *live = gw_control_last_live(c);

        gw_sync_live(c->sync, live->number, live->revision);
    }
    wake_waiters(c, 0);
}

/* On the worker. */
static void
run_batch(struct gw_mail *mail, void *receiver)
{
    struct batch_mail *m = (struct batch_mail *)mail;
    struct gw_worker *w = receiver;
    uint64_t until_us =
        m->batch->changes <= WHOLE_BATCH ? UINT64_MAX : gw_clock_mono_us() + PART_US;

    if (!gw_world_apply_part(w->world, m->batch, &m->at, until_us)) {
        gw_mailbox_again(w->mailbox);
        return;
    }
    struct live_mail *back = gw_mem_alloc(sizeof(*back));
    gw_sessions_review(&w->sessions);
    *back = (struct live_mail){
        .mail = {.run = on_live}, .id = w->id, .step = m->step, .batch = m->batch};
    free(m);
    gw_control_send(&back->mail);
}

void
gw_control_on_batch(void *owner, const struct gw_change *changes, size_t n, uint64_t revision,
                    bool reset, bool known)
{
    struct gw_control *c = owner;
    struct gw_batch *batch = gw_batch_compile(c->gathered, changes, n, revision, reset, NULL);

    batch->known = known;
    c->sent = (struct gw_control_step){.number = c->sent.number + 1,
                                       .revision = revision,
                                       .known = known,
                                       .sum = reset ? (struct gw_sum){0} : c->sent.sum};
    gw_sum_change(&c->sent.sum, changes, n);
    number_waiters(c);
    for (unsigned i = 0; i < c->n_workers; i++) {
        struct batch_mail *m = gw_mem_alloc(sizeof(*m));

        *m = (struct batch_mail){
            .mail = {.run = run_batch}, .batch = gw_batch_ref(batch), .step = c->sent};
        gw_mailbox_send(c->workers[i].mailbox, &m->mail);
    }
    gw_control_tell_watchers(c);
    gw_batch_unref(batch);
    if (c->sync != NULL && !c->listening) {
        event_active(c->status_event, EV_TIMEOUT, 1); /* what was waited for is known now */
    }
}

/* What they wait for does not come any more.  Their errands go home, where nobody is; later there
 * would be no mailbox to send them to. */
void
gw_control_dismiss_waiters(struct gw_control *c)
{
    while (c->waiters != NULL) {
        struct gw_live_waiter *w = c->waiters;

        c->waiters = w->next;
        w->done(w->arg, true);
        free(w);
    }
}
