#include "gateway/req.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/plan.h"
#include "gateway/reply.h"
#include "gateway/session.h"

const char *const gw_identity_words[] = {
    [GW_IDENTITY_NONE] = "none",
    [GW_IDENTITY_HEADERS] = "headers",
    [GW_IDENTITY_ASSERTION] = "assertion",
    NULL,
};

/* Where a reply goes: no step runs twice, and log always runs. */
static size_t
step_for_reply(const struct gw_plan *plan, size_t step)
{
    if (step < plan->response) {
        return plan->response;
    }
    return step < plan->send ? plan->send : plan->log;
}

static enum gw_verdict
run_step(struct gw_req *req)
{
    const struct gw_step *s = &req->plan->steps[req->step];

    return s->run(req, s->conf);
}

/* The session gets the request back when it is over, and frees it: it alone knows whether the
 * connection goes on. */
static void
walk(struct gw_req *req, enum gw_verdict v)
{
    const struct gw_plan *plan = req->plan;

    for (;;) {
        assert(v == GW_NEXT || req->step < plan->log); /* log steps only ever go on */
        switch (v) {
        case GW_NEXT:
            req->step++;
            break;
        case GW_WAIT:
            assert(req->pending.cancel != NULL); /* whoever waits can be stopped */
            req->waiting = true;
            return;
        case GW_FAIL:
        case GW_REPLY:
            if (v == GW_FAIL) {
                gw_reply_error(req);
            }
            req->step = step_for_reply(plan, req->step);
            break;
        }
        if (req->step == plan->n) {
            gw_session_request_over(req->session, req);
            return;
        }
        v = run_step(req);
    }
}

void
gw_req_run(struct gw_req *req)
{
    walk(req, run_step(req));
}

void
gw_req_refuse(struct gw_req *req)
{
    assert(req->err != GW_ERR_OK && req->step == 0);
    walk(req, GW_FAIL);
}

void
gw_req_resume(struct gw_req *req, enum gw_verdict v)
{
    assert(req->waiting && v != GW_WAIT);
    req->waiting = false;
    req->pending = (struct gw_pending){0};
    walk(req, v);
}

void
gw_req_abort(struct gw_req *req)
{
    assert(req->waiting);
    req->pending.cancel(req->pending.arg);
    req->pending = (struct gw_pending){0};
    req->waiting = false;
    req->step = req->plan->log - 1;
    walk(req, GW_NEXT);
}

enum gw_verdict
gw_req_fail(struct gw_req *req, enum gw_err err, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    req->err = err;
    req->detail = n <= 0 ? NULL : gw_arena_strndup(req->arena, text, strlen(text));
    return GW_FAIL;
}

enum gw_verdict
gw_req_reply(struct gw_req *req, unsigned status, struct gw_str content_type, struct gw_str body)
{
    req->reply =
        (struct gw_own_reply){.status = status, .content_type = content_type, .body = body};
    return GW_REPLY;
}
