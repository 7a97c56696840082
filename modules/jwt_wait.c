#include "modules/jwt_wait.h"

#include "modules/jwt_fetch.h"

/* In the request's arena. */
struct gw_jwt_waiter {
    struct gw_timer late;
    uint64_t until_ms; /* mono */
    struct gw_jwt_waiter *next, **prev;
    struct gw_jwt_slot *slot;
    struct gw_req *req;
    enum gw_verdict (*step)(struct gw_req *req, const void *conf);
    const void *conf;
};

static void
leave(struct gw_jwt_waiter *w)
{
    *w->prev = w->next;
    if (w->next != NULL) {
        w->next->prev = w->prev;
    }
    gw_wheel_cancel(&w->late);
}

static void
on_cancel(void *arg)
{
    leave(arg);
}

/* Others may begin to wait in the slot before this request is over. */
static void
look_again(struct gw_jwt_waiter *w)
{
    struct gw_req *req = w->req;

    leave(w);
    req->pending = (struct gw_pending){0};
    w->slot->looking = w;
    enum gw_verdict v = w->step(req, w->conf);
    w->slot->looking = NULL;
    if (v != GW_WAIT) {
        gw_req_resume(req, v);
    }
}

static void
on_late(struct gw_timer *t)
{
    look_again((struct gw_jwt_waiter *)((char *)t - offsetof(struct gw_jwt_waiter, late)));
}

void
gw_jwt_wake(struct gw_jwt_slot *slot)
{
    struct gw_jwt_waiter *list = slot->waiters; /* who comes meanwhile waits for the next time */

    slot->waiters = NULL;
    if (list != NULL) {
        list->prev = &list;
    }
    while (list != NULL) {
        look_again(list);
    }
}

static void
link_in(struct gw_jwt_waiter *w)
{
    struct gw_jwt_slot *slot = w->slot;

    w->next = slot->waiters;
    w->prev = &slot->waiters;
    if (w->next != NULL) {
        w->next->prev = &w->next;
    }
    slot->waiters = w;
    gw_wheel_set(gw_world_wheel(w->req->world), &w->late, w->until_ms);
    w->req->pending = (struct gw_pending){.cancel = on_cancel, .arg = w};
}

/* What is to be said when it is not asked again, or not yet; WAITS: it is, and in time. */
static enum gw_jwt_hope
hope(const struct gw_jwt_slot *slot, uint64_t made_ms, uint64_t now_ms, uint64_t until_ms)
{
    const struct gw_jwt_waiter *before = slot->looking;

    if (before == NULL && now_ms >= slot->ask_after_ms) {
        return GW_JWT_WAITS;
    }
    if (slot->failed || slot->keys == NULL || now_ms >= until_ms) {
        return GW_JWT_UNSURE;
    }
    if (made_ms < slot->asked_ms) {
        return GW_JWT_KNOWN;
    }
    return slot->ask_after_ms < until_ms ? GW_JWT_WAITS : GW_JWT_UNSURE;
}

enum gw_jwt_hope
gw_jwt_wait(struct gw_jwt_source *s, struct gw_req *req, uint64_t made_ms, long long most_ms,
            enum gw_verdict (*step)(struct gw_req *req, const void *conf), const void *conf)
{
    struct gw_jwt_slot *slot = &s->slots[gw_world_id(req->world)];
    struct gw_jwt_waiter *w = slot->looking;
    uint64_t now_ms = gw_world_now_ms(req->world);
    uint64_t until_ms = w != NULL ? w->until_ms : now_ms + (uint64_t)most_ms;
    enum gw_jwt_hope result = hope(slot, made_ms, now_ms, until_ms);

    if (result != GW_JWT_WAITS) {
        uint64_t ms = slot->ask_after_ms > now_ms ? slot->ask_after_ms - now_ms : 0;

        req->retry_after_s = (unsigned)(ms / 1000) + 1;
        return result;
    }
    if (w == NULL) {
        w = gw_arena_alloc(req->arena, sizeof(*w));
        *w = (struct gw_jwt_waiter){.late.fire = on_late,
                                    .until_ms = until_ms,
                                    .slot = slot,
                                    .req = req,
                                    .step = step,
                                    .conf = conf};
    }
    link_in(w);
    if (!slot->asked) {
        slot->asked = true;
        gw_jwt_fetch_ask(s, req->world);
    }
    return GW_JWT_WAITS;
}
