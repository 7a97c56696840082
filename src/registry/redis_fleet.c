#include "registry/redis_fleet.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/redis_script.h"

#define FORGET_MS     "60000" /* for so long one that is silent is still shown */
#define AWAIT_MORE_MS 1000    /* beyond the longest wait: others that begin meanwhile say nothing */

/* Somebody who waits for all gateways to route by a revision. */
struct waiter {
    struct waiter *next;
    struct gw_store_mark mark;
    uint64_t line;     /* of the follower, on which that was seen; 0: it was not */
    uint64_t question; /* the first whose answer counts: asked after this began */
    uint64_t deadline_ms;
    gw_store_fleet_fn *done;
    void *arg;
};

struct gw_redis_fleet {
    struct gw_redis *writer;
    struct gw_follow *follow;
    char *prefix;
    long long silence_ms, wait_ms;
    char id[GW_FLEET_ID_MAX + 1];
    struct gw_fleet fleet; /* as it was told last */
    char trouble[200];     /* why it can't be told; "": it can */
    uint64_t live;         /* the revision that all workers route by */
    bool takes_part;       /* it is a gateway, which routes; commands use the store as well */
    bool parted, beating, beat_again;
    bool beaten;                  /* Redis has answered a beat: others know of us */
    bool asking, ask_again;       /* and something has happened since it was asked */
    uint64_t asked, answered;     /* questions, by number; one at a time is on its way */
    uint64_t await_until_ms;      /* mono: until then the others know that they are waited for */
    struct waiter *first, **last; /* in the order of their deadlines */
    struct event *deadline;
};

/* ---- who waits ------------------------------------------------------------------------------ */

static void
answer(struct gw_redis_fleet *f, struct waiter **at, struct gw_diag *behind, size_t of)
{
    struct waiter *w = *at;

    *at = w->next;
    if (*at == NULL) {
        f->last = at;
    }
    w->done(w->arg, behind, of);
    free(w);
}

/* A registry that was put back meanwhile has lost it, perhaps. */
static bool
is_here(const struct gw_redis_fleet *f, const struct waiter *w)
{
    uint64_t line = gw_follow_line(f->follow);

    return (line != 0 && line == w->line) || gw_follow_has_seen(f->follow, &w->mark);
}

/* Those whom the last answer says that all have followed. */
static void
settle(struct gw_redis_fleet *f)
{
    struct waiter **at = &f->first;

    while (*at != NULL) {
        const struct waiter *w = *at;
        struct gw_diag none = {0};

        if (w->question > f->answered || !is_here(f, w) ||
            gw_fleet_behind(&f->fleet, f->id, w->mark.epoch, w->mark.revision, f->silence_ms,
                            NULL) > 0) {
            at = &(*at)->next;
        } else {
            answer(f, at, &none, gw_fleet_living(&f->fleet, f->silence_ms));
            at = &f->first; /* who is answered may have begun to wait for something else */
        }
    }
}

static void
give_up(struct gw_redis_fleet *f, struct waiter **at, const char *why)
{
    const struct waiter *w = *at;
    struct gw_diag behind = {0};
    size_t of = 0;

    if (w->question > f->answered || why[0] != '\0') {
        gw_diag_error(&behind, (struct gw_place){0},
                      "the registry: it has not said which gateways there are%s%s",
                      why[0] == '\0' ? "" : ": ", why);
    } else {
        (void)gw_fleet_behind(&f->fleet, f->id, w->mark.epoch, w->mark.revision, f->silence_ms,
                              &behind);
        of = gw_fleet_living(&f->fleet, f->silence_ms);
        if (!is_here(f, w)) {
            gw_diag_error(&behind, (struct gw_place){0},
                          "%s: this gateway itself, whose registry was lost, or put back, since",
                          f->id);
        }
    }
    answer(f, at, &behind, of);
}

static void
set_deadline(struct gw_redis_fleet *f)
{
    uint64_t now = gw_clock_mono_ms();
    uint64_t left =
        f->first == NULL || f->first->deadline_ms <= now ? 0 : f->first->deadline_ms - now;
    const struct timeval tv = gw_clock_timeval(left);

    if (f->first != NULL) {
        (void)event_add(f->deadline, &tv);
    }
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_fleet *f = arg;

    (void)fd;
    (void)what;
    while (f->first != NULL && f->first->deadline_ms <= gw_clock_mono_ms()) {
        give_up(f, &f->first, f->trouble);
    }
    set_deadline(f);
}

/* ---- what Redis says ------------------------------------------------------------------------ */

/* Said once; beats go on all the same, and who waits is told. */
static void
complain(struct gw_redis_fleet *f, const char *text)
{
    bool news = f->trouble[0] == '\0';

    (void)snprintf(f->trouble, sizeof(f->trouble), "%s", text);
    if (news) {
        gw_log_warn("registry: %s: the gateways of the fleet can't be told: %s",
                    gw_redis_name(f->writer), text);
    }
}

/* False: it is no answer.  A connection that was lost is told by whoever has it. */
static bool
take(struct gw_redis_fleet *f, const redisReply *reply)
{
    if (reply == NULL) {
        return false;
    }
    if (!gw_fleet_read(&f->fleet, reply)) {
        complain(f, reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of another kind");
        return false;
    }
    f->trouble[0] = '\0';
    gw_follow_beat_id(f->follow, f->fleet.beat);
    return true;
}

static void ask(struct gw_redis_fleet *f);

static void
on_fleet(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_fleet *f = arg;
    bool again = f->ask_again;

    (void)error;
    f->asking = false;
    f->ask_again = false;
    if (take(f, reply)) { /* else the next beat asks again */
        f->answered = f->asked;
        settle(f);
    }
    if (again && f->first != NULL && reply != NULL) {
        ask(f);
    }
}

/* One question at a time: what happens meanwhile is asked about when it is answered. */
static void
ask(struct gw_redis_fleet *f)
{
    static const char *const argv[] = {"fleet", NULL};

    if (f->asking) {
        f->ask_again = true;
    } else if (gw_redis_is_up(f->writer)) {
        f->asking = true;
        f->asked++;
        gw_script_call(f->writer, f->prefix, argv, on_fleet, f);
    }
}

static void
on_beat_of_others(void *arg)
{
    struct gw_redis_fleet *f = arg;

    if (f->first != NULL) {
        ask(f);
    }
}

/* ---- the heartbeat -------------------------------------------------------------------------- */

static void
on_beaten(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_fleet *f = arg;
    bool again = f->beat_again;

    (void)error;
    f->beating = false;
    f->beat_again = false;
    f->beaten |= reply != NULL;
    if (take(f, reply) && f->first != NULL) {
        ask(f); /* it was asked before some began to wait, perhaps */
    }
    if (again) {
        gw_redis_fleet_beat(f);
    }
}

void
gw_redis_fleet_beat(struct gw_redis_fleet *f)
{
    char revision[24];
    char stamp[24];
    const char *epoch = gw_follow_epoch(f->follow);
    /* Whoever has lost the line does not know whether revisions have gone back. */
    bool known = f->live > 0 && epoch[0] != '\0' && gw_follow_is_following(f->follow);
    const char *const argv[] = {"beat",    f->id, revision, known ? epoch : "",
                                FORGET_MS, stamp, NULL};

    if (!f->takes_part || !gw_redis_is_up(f->writer)) {
        return;
    }
    if (f->beating) {
        f->beat_again = true;
        return;
    }
    (void)snprintf(revision, sizeof(revision), "%" PRIu64, known ? f->live : 0);
    (void)snprintf(stamp, sizeof(stamp), "%" PRIu64,
                   known ? gw_follow_stamp(f->follow, f->live) : 0);
    f->beating = true;
    gw_script_call(f->writer, f->prefix, argv, on_beaten, f);
}

/* What it said last would count until the next beat.  That somebody waits may have gone with a
 * registry that was wiped. */
static void
on_line(void *arg)
{
    struct gw_redis_fleet *f = arg;

    f->await_until_ms = 0;
    gw_redis_fleet_beat(f);
}

void
gw_redis_fleet_live(struct gw_redis_fleet *f, uint64_t revision)
{
    bool first = !f->takes_part && !f->parted;
    bool moved = revision != f->live;

    f->live = revision;
    f->takes_part = !f->parted;
    if (first || (moved && gw_follow_is_awaited(f->follow))) {
        gw_redis_fleet_beat(f);
    }
}

static void
on_parted(void *arg, const redisReply *reply, const char *error)
{
    (void)arg;
    (void)reply;
    (void)error;
}

void
gw_redis_fleet_part(struct gw_redis_fleet *f)
{
    const char *const argv[] = {"part", f->id, NULL};

    if (f->takes_part && gw_redis_is_up(f->writer)) {
        gw_script_call(f->writer, f->prefix, argv, on_parted, NULL);
    }
    f->takes_part = false;
    f->parted = true;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void
on_awaited(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_fleet *f = arg;

    (void)error;
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        f->await_until_ms = 0; /* said by the next beat, if it is more than a lost connection */
    }
}

/* On the way to Redis before the write, and so there before whoever follows sees that. */
void
gw_redis_fleet_await(struct gw_redis_fleet *f)
{
    char ms[24];
    const char *const argv[] = {"await", ms, NULL};
    uint64_t now = gw_clock_mono_ms();

    gw_follow_beats(f->follow, f->wait_ms + AWAIT_MORE_MS);
    if (now + (uint64_t)f->wait_ms < f->await_until_ms || !gw_redis_is_up(f->writer)) {
        return;
    }
    f->await_until_ms = now + (uint64_t)f->wait_ms + AWAIT_MORE_MS;
    (void)snprintf(ms, sizeof(ms), "%lld", f->wait_ms + AWAIT_MORE_MS);
    gw_script_call(f->writer, f->prefix, argv, on_awaited, f);
}

void
gw_redis_fleet_when(struct gw_redis_fleet *f, const struct gw_store_mark *mark,
                    gw_store_fleet_fn *done, void *arg)
{
    struct waiter *w = gw_mem_alloc(sizeof(*w));

    *w =
        (struct waiter){.mark = *mark,
                        .line = gw_follow_has_seen(f->follow, mark) ? gw_follow_line(f->follow) : 0,
                        .question = f->asked + 1,
                        .deadline_ms = gw_clock_mono_ms() + (uint64_t)f->wait_ms,
                        .done = done,
                        .arg = arg};
    *f->last = w;
    f->last = &w->next;
    if (f->first == w) {
        set_deadline(f);
    }
    ask(f);
}

bool
gw_redis_fleet_forget(struct gw_redis_fleet *f, const void *arg)
{
    for (struct waiter **at = &f->first; *at != NULL; at = &(*at)->next) {
        struct waiter *w = *at;

        if (w->arg == arg) {
            *at = w->next;
            if (*at == NULL) {
                f->last = at;
            }
            free(w);
            return true;
        }
    }
    return false;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* "HOST-1a2b3c4d": to be recognised by people, and another one after each start. */
static void
make_id(char id[GW_FLEET_ID_MAX + 1])
{
    char host[GW_FLEET_ID_MAX - 12] = "gateway";
    char uid[37];

    (void)gethostname(host, sizeof(host) - 1);
    for (char *p = host; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '.' || *p == '-';

        if (!plain) {
            *p = '-';
        }
    }
    gw_object_uid(uid);
    (void)snprintf(id, GW_FLEET_ID_MAX + 1, "%s-%.8s", host, uid);
}

struct gw_redis_fleet *
gw_redis_fleet_open(const struct gw_registry_redis *conf, struct gw_redis *writer,
                    struct gw_follow *follow, struct event_base *base)
{
    struct gw_redis_fleet *f = gw_mem_alloc(sizeof(*f));

    f->writer = writer;
    f->follow = follow;
    f->prefix = gw_mem_strdup(conf->prefix);
    f->silence_ms = conf->fleet_silence_ms;
    f->wait_ms = conf->fleet_wait_ms;
    f->last = &f->first;
    f->deadline = event_new(base, -1, 0, on_deadline, f);
    assert(f->deadline != NULL);
    make_id(f->id);
    gw_follow_on_beat(follow, on_beat_of_others, f);
    gw_follow_on_line(follow, on_line, f);
    return f;
}

void
gw_redis_fleet_close(struct gw_redis_fleet *f)
{
    f->takes_part = false;
    while (f->first != NULL) {
        give_up(f, &f->first, "this gateway is shutting down");
    }
    event_free(f->deadline);
    gw_fleet_fini(&f->fleet);
    free(f->prefix);
    free(f);
}

void
gw_redis_fleet_status(const struct gw_redis_fleet *f, struct gw_store_status *out)
{
    out->joining = !f->beaten && !f->parted;
    out->gateways = gw_fleet_living(&f->fleet, f->silence_ms);
    (void)snprintf(out->gateway, sizeof(out->gateway), "%s", f->id);
    (void)snprintf(out->fleet_trouble, sizeof(out->fleet_trouble), "%s", f->trouble);
    for (size_t i = 0; i < f->fleet.n && out->n_fleet < GW_FLEET_SHOWN; i++) {
        const struct gw_fleet_member *m = &f->fleet.members[i];

        out->fleet[out->n_fleet] = *m;
        out->lives[out->n_fleet++] = gw_fleet_lives(&f->fleet, m, f->silence_ms);
    }
}
