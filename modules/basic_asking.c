#include "modules/basic_asking.h"

#include "base/mem.h"
#include "gateway/module.h"
#include "modules/counter.h"
#include "modules/slots.h"

/* ---- outcomes ----------------------------------------------------------------------------- */

void
gw_basic_refuse(struct gw_req *req, enum gw_err err)
{
    req->credential_err = err;
    req->decision.authentication = gw_err_name(err);
}

static void
on_user_left(void *user)
{
    gw_piece_unref(user);
}

void
gw_basic_let_in(struct gw_req *req, struct gw_basic_user *u, const char *how)
{
    switch (u->state) {
    case GW_BASIC_INACTIVE:
        gw_basic_refuse(req, GW_ERR_USER_DISABLED);
        req->credential_detail = "status.state of the User is not Active";
        return;
    case GW_BASIC_LIMITED:
        gw_basic_refuse(req, GW_ERR_PASSWORD_LIMIT);
        req->credential_detail = "ks-core has suspended the user for a while (AuthLimitExceeded)";
        return;
    case GW_BASIC_ACTIVE:
        break;
    }
    gw_arena_defer(req->arena, on_user_left, gw_piece_ref(&u->piece));
    req->slot[GW_SLOT_basic] = u;
    req->subject = u->subject;
    req->decision.authentication = how;
}

void
gw_basic_refuse_to_ask(struct gw_req *req, struct gw_basic_worker *w,
                       const struct gw_basic_settings *s, enum gw_basic_answer answer,
                       uint64_t wait_ms)
{
    bool user = answer == GW_BASIC_TOO_MANY_USER;

    req->retry_after_s = (unsigned)((wait_ms + 999) / 1000);
    if (answer == GW_BASIC_BUSY) {
        gw_counter_add(&w->busy, 1);
        gw_basic_refuse(req, GW_ERR_PASSWORD_BUSY);
        return;
    }
    gw_counter_add(&w->limited, 1);
    gw_basic_refuse(req, GW_ERR_PASSWORD_LIMIT);
    req->credential_detail =
        gw_arena_printf(req->arena, "authentication.passwords.%s is %lld in %lld s",
                        user ? "user_failures" : "address_failures",
                        user ? s->user_failures : s->address_failures, s->window_ms / 1000);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void
unlink_asking(struct gw_basic_asking *a)
{
    *a->prev = a->next;
    if (a->next != NULL) {
        a->next->prev = a->prev;
    }
}

static void
link_asking(struct gw_basic_worker *w, struct gw_basic_asking *a)
{
    a->worker = w;
    a->next = w->asking;
    a->prev = &w->asking;
    if (a->next != NULL) {
        a->next->prev = &a->next;
    }
    w->asking = a;
}

/* The request goes on without an answer. */
static void
give_up(struct gw_basic_asking *a)
{
    gw_wheel_cancel(&a->timer);
    a->req = NULL;
    if (gw_basic_pool_withdraw(&a->job)) {
        unlink_asking(a);
        gw_basic_job_free(&a->job);
    }
}

static void
on_client_left(void *asking)
{
    give_up(asking);
}

static void
on_late(struct gw_timer *t)
{
    struct gw_basic_asking *a =
        (struct gw_basic_asking *)((char *)t - offsetof(struct gw_basic_asking, timer));
    struct gw_req *req = a->req;

    gw_counter_add(&a->worker->busy, 1);
    give_up(a);
    req->pending = (struct gw_pending){0};
    gw_basic_refuse(req, GW_ERR_PASSWORD_BUSY);
    gw_req_resume(req, GW_NEXT);
}

/* For as long as was set when it was asked, or is by now: whichever is less. */
static void
remember(const struct gw_basic_asking *a, uint64_t now_ms)
{
    const struct gw_basic_worker *w = a->worker;
    long long ms = a->remember_ms < w->remember_ms ? a->remember_ms : w->remember_ms;

    gw_basic_memory_put(w->memory, &a->proof, now_ms, now_ms + (uint64_t)ms);
}

/* The user may have gone, or have another password by now. */
static void
judge(struct gw_basic_asking *a, struct gw_req *req)
{
    struct gw_basic_user *u = a->job.right ? gw_basic_users_find(req->world, a->name) : NULL;
    uint64_t now_ms = gw_world_now_ms(req->world);

    if (u == NULL || strcmp(u->hash, a->job.hash) != 0) {
        gw_basic_refuse(req, GW_ERR_PASSWORD_WRONG);
        return;
    }
    remember(a, now_ms);
    gw_basic_let_in(req, u, "basic");
}

static void
on_checked(struct gw_basic_job *job)
{
    struct gw_basic_asking *a = (struct gw_basic_asking *)job;
    struct gw_req *req = a->req;

    unlink_asking(a);
    if (req != NULL) {
        gw_wheel_cancel(&a->timer);
        req->pending = (struct gw_pending){0};
        judge(a, req);
    }
    gw_basic_job_free(job);
    if (req != NULL) {
        gw_req_resume(req, GW_NEXT);
    }
}

/* ---- asking ------------------------------------------------------------------------------- */

struct gw_basic_asking *
gw_basic_asking_new(struct gw_req *req, const struct gw_basic_settings *s, struct gw_str name,
                    const struct gw_basic_user *u)
{
    struct gw_basic_asking *a = gw_mem_alloc(sizeof(*a));

    a->req = req;
    a->name = name;
    a->remember_ms = s->remember_ms;
    a->timer.fire = on_late;
    a->job.done = on_checked;
    a->job.known = u != NULL && u->cost > 0 && u->cost <= s->cost;
    if (a->job.known) {
        memcpy(a->job.hash, u->hash, sizeof(u->hash));
    } else {
        unsigned cost = gw_basic_users_cost(req->world);

        gw_bcrypt_nobody(a->job.hash, cost <= s->cost ? cost : (unsigned)s->cost);
    }
    return a;
}

enum gw_verdict
gw_basic_asking_send(struct gw_basic_asking *a, struct gw_basic_worker *w,
                     const struct gw_basic_settings *s, struct gw_str network)
{
    struct gw_req *req = a->req;
    uint64_t wait_ms = 0;
    enum gw_basic_answer answer =
        gw_basic_pool_ask(&a->job, req->world, s, a->name, network, &wait_ms);

    if (answer != GW_BASIC_ASKED) {
        gw_basic_job_free(&a->job);
        gw_basic_refuse_to_ask(req, w, s, answer, wait_ms);
        return GW_NEXT;
    }
    link_asking(w, a);
    gw_wheel_set(gw_world_wheel(req->world), &a->timer,
                 gw_world_now_ms(req->world) + (uint64_t)s->wait_ms);
    req->pending = (struct gw_pending){.cancel = on_client_left, .arg = a};
    return GW_WAIT;
}

void
gw_basic_asking_stop(struct gw_basic_worker *w)
{
    while (w->asking != NULL) {
        struct gw_basic_asking *a = w->asking;

        unlink_asking(a);
        gw_wheel_cancel(&a->timer);
        gw_basic_pool_leave(&a->job);
    }
}
