#include "modules/jwt_wait.h"

#include <stdlib.h>

#include "base/mem.h"
#include "modules/jwt_fetch.h"

#define PER_TURN 32 /* a signature takes some 50 us */

/* A source that a request waits for.  In the request's arena. */
struct gw_jwt_link {
    struct gw_jwt_link *next, **prev; /* of those who wait for it; prev NULL: does not */
    struct gw_jwt_link *other;        /* of the same request */
    struct gw_jwt_waiter *waiter;
    struct gw_jwt_source *source;
    struct gw_jwt_slot *slot;
    uint64_t begun; /* questions to it, when the request came */
    uint64_t heard; /* answers, when it last began to wait */
    bool waited;
};

/* In the same arena. */
struct gw_jwt_waiter {
    struct gw_timer late;
    uint64_t until_ms;                  /* mono */
    uint64_t came_ms;                   /* wall */
    struct gw_jwt_waiter *next, **prev; /* of those who look again; prev NULL: does not yet */
    struct gw_jwt_link *links;
    struct gw_req *req;
    enum gw_verdict (*step)(struct gw_req *req, const void *conf);
    const void *conf;
    struct gw_jwt_finding found;
    uint64_t sets; /* by which that was found */
};

/* A worker's. */
static _Thread_local struct {
    struct gw_jwt_waiter *woken;   /* look again soon */
    struct gw_jwt_waiter *looking; /* does so just now; or NULL */
    uint64_t sets;                 /* how often keys have changed */
    bool goes_on;                  /* mail is on its way that goes on with the woken */
} here;

/* ---- who waits --------------------------------------------------------------------------------
 */

static void
unlink_all(struct gw_jwt_waiter *w)
{
    for (struct gw_jwt_link *l = w->links; l != NULL; l = l->other) {
        if (l->prev != NULL) {
            *l->prev = l->next;
            if (l->next != NULL) {
                l->next->prev = l->prev;
            }
            l->prev = NULL;
        }
    }
}

static void
leave(struct gw_jwt_waiter *w)
{
    unlink_all(w);
    if (w->prev != NULL) {
        *w->prev = w->next;
        if (w->next != NULL) {
            w->next->prev = w->prev;
        }
        w->prev = NULL;
    }
    gw_wheel_cancel(&w->late);
}

static void
on_cancel(void *arg)
{
    leave(arg);
}

static void
link_in(struct gw_jwt_link *l)
{
    l->next = l->slot->waiters;
    l->prev = &l->slot->waiters;
    if (l->next != NULL) {
        l->next->prev = &l->next;
    }
    l->slot->waiters = l;
}

/* ---- and looks again --------------------------------------------------------------------------
 */

static void
look_again(struct gw_jwt_waiter *w)
{
    struct gw_req *req = w->req;

    leave(w);
    req->pending = (struct gw_pending){0};
    here.looking = w;
    enum gw_verdict v = w->step(req, w->conf);
    here.looking = NULL;
    if (v != GW_WAIT) {
        gw_req_resume(req, v);
    }
}

static void
on_late(struct gw_timer *t)
{
    look_again((struct gw_jwt_waiter *)((char *)t - offsetof(struct gw_jwt_waiter, late)));
}

static void look_at_some(void);

static void
run_on(struct gw_mail *mail, void *receiver)
{
    (void)receiver;
    free(mail);
    here.goes_on = false;
    look_at_some();
}

static void
look_at_some(void)
{
    for (unsigned n = 0; here.woken != NULL && n < PER_TURN; n++) {
        look_again(here.woken);
    }
    if (here.woken != NULL) {
        struct gw_mail *m = gw_mem_alloc(sizeof(*m));

        m->run = run_on;
        here.goes_on = true;
        gw_world_send(here.woken->req->world, m);
    }
}

/* Who has waited longest is the first. */
void
gw_jwt_wake(struct gw_jwt_slot *slot)
{
    while (slot->waiters != NULL) {
        struct gw_jwt_waiter *w = slot->waiters->waiter;

        unlink_all(w);
        w->next = here.woken;
        w->prev = &here.woken;
        if (w->next != NULL) {
            w->next->prev = &w->next;
        }
        here.woken = w;
    }
    if (!here.goes_on) {
        look_at_some();
    }
}

void
gw_jwt_wait_changed(void)
{
    here.sets++;
}

const struct gw_jwt_finding *
gw_jwt_wait_found(const struct gw_req *req)
{
    const struct gw_jwt_waiter *w = here.looking;

    return w != NULL && w->req == req && w->sets == here.sets ? &w->found : NULL;
}

/* ---- is there hope? ---------------------------------------------------------------------------
 */

static struct gw_jwt_link *
link_of(struct gw_jwt_waiter *w, struct gw_jwt_source *s)
{
    struct gw_jwt_link *l = w->links;

    while (l != NULL && l->source != s) {
        l = l->other;
    }
    if (l == NULL) {
        l = gw_arena_alloc(w->req->arena, sizeof(*l));
        *l = (struct gw_jwt_link){.other = w->links,
                                  .waiter = w,
                                  .source = s,
                                  .slot = &s->slots[gw_world_id(w->req->world)],
                                  .begun = atomic_load(&s->begun)};
        w->links = l;
    }
    return l;
}

/* What is to be said when the source is not asked again, or not yet; WAITS: it is, and in time. */
static enum gw_jwt_hope
hope(const struct gw_jwt_link *l, uint64_t made_ms, uint64_t now_ms)
{
    const struct gw_jwt_slot *slot = l->slot;
    bool in_time = now_ms < l->waiter->until_ms;

    if (l->waited && l->heard == slot->heard) {
        return in_time ? GW_JWT_WAITS : GW_JWT_UNSURE;
    }
    if (!l->waited && now_ms >= slot->ask_after_ms && (in_time || here.looking == NULL)) {
        return GW_JWT_WAITS;
    }
    if (slot->failed || slot->keys == NULL) {
        return GW_JWT_UNSURE;
    }
    if (made_ms < slot->asked_ms || slot->answered > l->begun) {
        return GW_JWT_KNOWN;
    }
    return in_time && slot->ask_after_ms < l->waiter->until_ms ? GW_JWT_WAITS : GW_JWT_UNSURE;
}

static void
wait_for(struct gw_jwt_link *l)
{
    struct gw_jwt_slot *slot = l->slot;

    l->waited = true;
    l->heard = slot->heard;
    link_in(l);
    if (!slot->asked) {
        slot->asked = true;
        gw_jwt_fetch_ask(l->source, l->waiter->req->world);
    }
}

/* Of all sources: while one may still have the key the request waits, and while one may have it
 * and can't be asked nobody knows. */
static enum gw_jwt_hope
ask_all(struct gw_jwt_waiter *w, uint64_t now_ms)
{
    enum gw_jwt_hope all = GW_JWT_KNOWN;
    uint64_t ms = 0;

    for (const struct gw_jwt_lack *k = w->found.lacking; k != NULL; k = k->next) {
        struct gw_jwt_link *l = link_of(w, k->source);
        enum gw_jwt_hope one = hope(l, k->made_ms < w->came_ms ? k->made_ms : w->came_ms, now_ms);
        uint64_t after_ms = l->slot->ask_after_ms;

        if (one == GW_JWT_WAITS) {
            wait_for(l);
            all = GW_JWT_WAITS;
        } else if (one == GW_JWT_UNSURE) {
            ms = after_ms > now_ms + ms ? after_ms - now_ms : ms;
            all = all == GW_JWT_KNOWN ? GW_JWT_UNSURE : all;
        }
    }
    w->req->retry_after_s = (unsigned)(ms / 1000) + 1;
    return all;
}

enum gw_jwt_hope
gw_jwt_wait(struct gw_req *req, const struct gw_jwt_finding *found, uint64_t now_ms,
            long long most_ms, gw_jwt_step_fn *step, const void *conf)
{
    struct gw_jwt_waiter *w = here.looking;
    uint64_t mono_ms = gw_world_now_ms(req->world);

    if (w == NULL) {
        w = gw_arena_alloc(req->arena, sizeof(*w));
        *w = (struct gw_jwt_waiter){.late.fire = on_late,
                                    .until_ms = mono_ms + (uint64_t)most_ms,
                                    .came_ms = now_ms,
                                    .req = req,
                                    .step = step,
                                    .conf = conf};
    }
    w->found = *found;
    w->sets = here.sets;
    enum gw_jwt_hope result = ask_all(w, mono_ms);
    if (result == GW_JWT_WAITS) {
        gw_wheel_set(gw_world_wheel(req->world), &w->late, w->until_ms);
        req->pending = (struct gw_pending){.cancel = on_cancel, .arg = w};
    }
    return result;
}
