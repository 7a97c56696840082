/*
 * checker.c - each target has a patient, each patient its time.
 *
 *     born -> due -> (waits for room) -> probe -> noted, told if it is news -> due again ... gone
 *
 * Not more than so many checks run at a time.  Those whose backend let the last one run into its
 * deadline get half of that at most: a fleet that hangs delays no one else's checks.
 *
 * What is due at one tick of the wheel is begun in parts until the next: all at once, it would take
 * a core from the workers for milliseconds, where there is none to spare.
 */
#include "server/checker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/probe.h"
#include "gateway/targets.h"
#include "gateway/worlds.h"
#include "net/dns.h"
#include "server/control.h"
#include "server/worker.h"

/* A tick's checks are begun in so many parts, this far apart, each of so many checks at least. */
#define PARTS      16
#define PART_MS    3
#define PART_LEAST 4

struct patient {
    struct gw_target *target;
    struct gw_endpoint *endpoint; /* a reference, of the checker's own world */
    struct gw_probe *probe;       /* NULL: none runs */
    struct gw_timer due;
    uint64_t phase_ms, began_ms;
    struct patient *next, **prev; /* in a line; prev NULL: in none */
    bool slow;                    /* the last one ran into its deadline */
};

struct line {
    struct patient *first, **end;
    unsigned n;
};

static struct checker {
    struct gw_world *world; /* has no registered objects and no configuration */
    struct gw_loop *loop;   /* borrowed */
    struct event *pacer;    /* pending while somebody waits who could begin */
    unsigned n_workers, most;
    unsigned n_running, n_slow; /* n_slow: of these, for slow ones */
    struct line waiting, waiting_slow;
    size_t n_patients;
} * the_checker;

static void on_done(void *owner, enum gw_probe_result result, const char *why);

/* -- waiting for room ---------------------------------------------------------------------------
 */

static void
line_up(struct line *line, struct patient *p)
{
    p->next = NULL;
    p->prev = line->end;
    *line->end = p;
    line->end = &p->next;
    line->n++;
}

static void
leave_line(struct line *line, struct patient *p)
{
    *p->prev = p->next;
    *(p->next == NULL ? &line->end : &p->next->prev) = p->prev;
    p->prev = NULL;
    line->n--;
}

static struct line *
line_of(struct patient *p)
{
    return p->slow ? &the_checker->waiting_slow : &the_checker->waiting;
}

static bool
has_room(bool slow)
{
    const struct checker *c = the_checker;

    return c->n_running < c->most && (!slow || c->n_slow < (c->most + 1) / 2);
}

static void
begin(struct patient *p)
{
    the_checker->n_running++;
    the_checker->n_slow += p->slow;
    p->began_ms = gw_loop_now_ms(the_checker->loop);
    p->probe = gw_probe_start(p->endpoint, &p->target->check, on_done, p);
}

static bool
can_begin(const struct line *line, bool slow)
{
    return line->first != NULL && has_room(slow);
}

static void
begin_part(struct line *line, bool slow)
{
    unsigned n = line->n / PARTS > PART_LEAST ? line->n / PARTS : PART_LEAST;

    for (; n > 0 && can_begin(line, slow); n--) {
        struct patient *p = line->first;

        leave_line(line, p);
        begin(p);
    }
}

/* Begins with who can, in PART_MS or, the first time, when this turn of the loop is over. */
static void
go_on(uint64_t ms)
{
    struct checker *c = the_checker;
    const struct timeval soon = gw_clock_timeval(ms);

    if ((can_begin(&c->waiting, false) || can_begin(&c->waiting_slow, true)) &&
        !event_pending(c->pacer, EV_TIMEOUT, NULL)) {
        event_add(c->pacer, &soon);
    }
}

static void
on_pace(evutil_socket_t fd, short what, void *arg)
{
    struct checker *c = arg;

    (void)fd;
    (void)what;
    gw_loop_turn(c->loop);
    begin_part(&c->waiting, false);
    begin_part(&c->waiting_slow, true);
    go_on(PART_MS);
}

static void
on_due(struct gw_timer *t)
{
    struct patient *p = (struct patient *)((char *)t - offsetof(struct patient, due));

    line_up(line_of(p), p);
    go_on(0);
}

/* -- what came out ------------------------------------------------------------------------------
 */

struct news {
    struct gw_mail mail;
    char url[];
};

/* On a worker. */
static void
run_news(struct gw_mail *mail, void *receiver)
{
    struct news *n = (struct news *)mail;
    const struct gw_worker *w = receiver;

    gw_world_checked(w->world, gw_str_of(n->url));
    free(n);
}

static void
tell_workers(const char *url)
{
    size_t size = strlen(url) + 1;

    for (unsigned i = 0; i < the_checker->n_workers; i++) {
        struct news *n = gw_mem_alloc(sizeof(*n) + size);

        n->mail.run = run_news;
        memcpy(n->url, url, size);
        gw_control_send_worker(i, &n->mail);
    }
}

static void
say(const struct gw_target *t, bool good, const char *why)
{
    if (good) {
        gw_log_info("backend %s is healthy: %s", t->url, why);
    } else {
        gw_log_warn("backend %s is unhealthy: %s", t->url, why);
    }
}

static void
schedule(struct patient *p)
{
    uint64_t now = gw_loop_now_ms(the_checker->loop);
    uint64_t dice[] = {p->phase_ms, now};
    uint64_t chance = gw_hash((struct gw_str){(const char *)dice, sizeof(dice)});

    gw_wheel_set(
        &the_checker->loop->wheel, &p->due,
        gw_vitals_due(p->target->check.interval_ms, p->phase_ms, p->began_ms, now, chance));
}

static void
stop_counting(struct patient *p)
{
    the_checker->n_running--;
    the_checker->n_slow -= p->slow;
    p->probe = NULL;
}

static void
on_done(void *owner, enum gw_probe_result result, const char *why)
{
    struct patient *p = owner;
    bool good = result == GW_PROBE_GOOD;

    stop_counting(p);
    p->slow = result == GW_PROBE_LATE;
    if (result == GW_PROBE_VOID) {
        gw_targets_note_void();
    } else if (gw_target_note(p->target, good, why)) {
        say(p->target, good, why);
        tell_workers(p->target->url);
    }
    schedule(p);
    go_on(0);
}

/* -- who is checked -----------------------------------------------------------------------------
 */

static void
on_born(struct gw_mail *mail, void *receiver)
{
    struct gw_target *t = (struct gw_target *)((char *)mail - offsetof(struct gw_target, born));
    struct patient *p = gw_mem_alloc(sizeof(*p));
    const char *why;

    (void)receiver;
    p->target = t;
    p->endpoint = gw_world_endpoint(the_checker->world, gw_str_of(t->url), &why);
    assert(p->endpoint != NULL); /* it is one of a worker's */
    p->due.fire = on_due;
    p->phase_ms = gw_hash(gw_str_of(t->url));
    t->patient = p;
    the_checker->n_patients++;
    on_due(&p->due); /* at once */
}

static void
on_gone(struct gw_mail *mail, void *receiver)
{
    struct gw_target *t = (struct gw_target *)((char *)mail - offsetof(struct gw_target, gone));
    struct patient *p = t->patient;

    (void)receiver;
    gw_wheel_cancel(&p->due);
    if (p->prev != NULL) {
        leave_line(line_of(p), p);
    }
    if (p->probe != NULL) {
        gw_probe_cancel(p->probe);
        stop_counting(p);
    }
    gw_world_endpoint_release(the_checker->world, p->endpoint);
    gw_target_free(t);
    free(p);
    the_checker->n_patients--;
    go_on(0);
}

static void
send_born(struct gw_target *t)
{
    t->born.run = on_born;
    gw_control_send(&t->born);
}

static void
send_gone(struct gw_target *t)
{
    t->gone.run = on_gone;
    gw_control_send(&t->gone);
}

/* -- start and end ------------------------------------------------------------------------------
 */

void
gw_checker_open(struct gw_loop *l, unsigned n_workers, unsigned most)
{
    struct checker *c = gw_mem_alloc(sizeof(*c));

    c->loop = l;
    c->world = gw_world_new(n_workers, l, &c->world, 1);
    c->n_workers = n_workers;
    c->most = most;
    c->waiting.end = &c->waiting.first;
    c->waiting_slow.end = &c->waiting_slow.first;
    c->pacer = event_new(l->base, -1, 0, on_pace, c);
    the_checker = c;
    gw_targets_watch((struct gw_targets_watcher){send_born, send_gone});
}

void
gw_checker_use(const struct gw_conf *conf)
{
    gw_dns_use(the_checker->loop, conf->settings.dns.servers, conf->settings.dns.min_ttl,
               conf->settings.dns.max_ttl);
}

void
gw_checker_close(void)
{
    assert(the_checker->n_patients == 0); /* they have gone with the workers' worlds */
    gw_targets_watch((struct gw_targets_watcher){0});
    event_free(the_checker->pacer);
    gw_world_free(the_checker->world);
    free(the_checker);
    the_checker = NULL;
}
