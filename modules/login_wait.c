#include "modules/login_wait.h"

#include "base/mem.h"

/* In the request's arena. */
struct waiter {
    struct gw_req *req;
    struct gw_login_question *question;
    gw_login_then_fn *then;
    void *arg;
};

/* The question goes on, and nobody hears of its answer. */
static void
on_cancel(void *arg)
{
    struct waiter *w = arg;

    w->question->owner = NULL;
}

static void
on_told(struct gw_login_question *q, struct gw_login_answer *a)
{
    struct waiter *w = q->owner;

    if (w == NULL) {
        return;
    }
    struct gw_req *req = w->req;
    req->pending = (struct gw_pending){0};
    enum gw_verdict v = w->then(req, a, w->arg);
    if (v != GW_WAIT) {
        gw_req_resume(req, v);
    }
}

enum gw_verdict
gw_login_wait(struct gw_req *req, struct gw_login_provider *p, enum gw_login_kind kind,
              struct gw_str form, gw_login_then_fn *then, void *arg)
{
    struct waiter *w = gw_arena_alloc(req->arena, sizeof(*w));
    struct gw_login_question *q = gw_mem_alloc(sizeof(*q));

    *w = (struct waiter){.req = req, .question = q, .then = then, .arg = arg};
    q->kind = kind;
    q->provider = gw_login_provider_ref(p);
    q->world = req->world;
    q->told = on_told;
    q->owner = w;
    q->form = form.n == 0 ? NULL : gw_mem_strndup(form);
    req->pending = (struct gw_pending){.cancel = on_cancel, .arg = w};
    gw_login_ask(q);
    return GW_WAIT;
}

void
gw_login_revoke(struct gw_world *world, struct gw_login_provider *p, struct gw_str refresh,
                uint64_t got_ms)
{
    struct gw_login_question *q = gw_mem_alloc(sizeof(*q));

    q->kind = GW_LOGIN_ASK_REVOKE;
    q->provider = gw_login_provider_ref(p);
    q->world = world;
    q->form = gw_mem_strndup(refresh);
    q->got_ms = got_ms;
    gw_login_ask(q);
}
