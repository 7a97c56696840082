/*
 * forward.c - the request's way to a backend: where it begins, and how it is left.
 *
 *     pick an endpoint -> a pooled or new connection (forward_try.c)
 *                      -> head -> body, streamed (forward_body.c)
 */
#include "gateway/forward.h"

#include "gateway/exchange.h"
#include "gateway/intake.h"
#include "gateway/pending.h"

/* -- leaving ---------------------------------------------------------------------------------- */

void
gw_exchange_release(struct gw_exchange *x, bool reusable)
{
    struct gw_backend *b = x->backend;

    gw_wheel_cancel(&x->timer);
    gw_tries_end(x);
    x->backend = NULL;
    if (b == NULL) {
        if (x->waiter != NULL) {
            gw_pending_leave(x->waiter);
        }
        return;
    }
    if (reusable) {
        gw_backend_give(b);
    } else {
        gw_backend_drop(b);
    }
}

/* The client has gone, or the request ends otherwise while it waits. */
static void
cancel(void *arg)
{
    struct gw_exchange *x = arg;

    gw_session_body_stop(x->req->session);
    gw_exchange_release(x, false);
}

static void
on_arena_free(void *arg)
{
    struct gw_exchange *x = arg;

    gw_exchange_release(x, false);
    if (x->gone != NULL) {
        *x->gone = true;
    }
}

void
gw_exchange_fail(struct gw_exchange *x, enum gw_err err, const char *detail)
{
    struct gw_req *req = x->req;

    gw_session_body_stop(req->session);
    gw_exchange_release(x, false);
    req->err = err;
    if (detail != NULL) {
        req->detail = gw_arena_strndup(req->arena, detail, strlen(detail));
    }
    req->decision.end = "failed";
    if (x->in_step) {
        x->step_failed = true; /* the step itself says so: nobody waits yet */
    } else {
        gw_req_resume(req, GW_FAIL);
    }
}

/* -- the step ---------------------------------------------------------------------------------- */

static void
on_timer(struct gw_timer *t)
{
    struct gw_exchange *x = (struct gw_exchange *)((char *)t - offsetof(struct gw_exchange, timer));
    uint64_t now = gw_world_now_ms(x->req->world);
    uint64_t limit = (uint64_t)(x->answered ? x->idle_ms : x->first_byte_ms);

    if (now - x->touched_ms < limit) {
        gw_wheel_set(gw_world_wheel(x->req->world), t, x->touched_ms + limit);
    } else {
        gw_answer_timeout(x);
    }
}

static long long
or_default(long long own, long long general)
{
    return own > 0 ? own : general;
}

static struct gw_exchange *
exchange_new(struct gw_req *req)
{
    struct gw_exchange *x = gw_arena_alloc(req->arena, sizeof(*x));
    const struct gw_conf *conf = req->snapshot;
    const struct gw_limits *limits = &conf->settings.limits;
    const struct gw_timeouts *t = &conf->settings.timeouts;

    x->req = req;
    x->parser.limits = &conf->settings.parse;
    x->parser.arena = req->arena;
    x->timer.fire = on_timer;
    x->connect_ms = or_default(req->to.connect_ms, t->connect);
    x->first_byte_ms = or_default(req->to.first_byte_ms, t->first_byte);
    x->idle_ms = or_default(req->to.idle_ms, t->backend_idle);
    x->tunnel_idle_ms = or_default(req->to.tunnel_idle_ms, t->tunnel_idle);
    x->pending_ms = or_default(req->to.pending_ms, t->pending);
    if (req->to.max_connections == 0 && limits->backend_connections > 0) {
        req->to.max_connections = gw_world_share(req->world, limits->backend_connections);
    }
    /* Another endpoint costs nothing to ask while nothing was sent; repeating what was sent is
     * the destination's choice. */
    x->dials_left = gw_exchange_others(&req->to);
    x->tries_left = req->to.tries;
    gw_arena_defer(req->arena, on_arena_free, x);
    req->exchange = x;
    return x;
}

static void
on_endpoint_left(void *endpoint)
{
    struct gw_endpoint *e = endpoint;

    gw_world_endpoint_release(e->world, e);
}

/* The endpoints of ks-core and of the console are the config's; a reload may take them away while
 * the request still wants to name them, or try them again. */
static bool
find_destination(struct gw_req *req)
{
    const struct gw_conf *conf = req->snapshot;
    struct gw_endpoint *e = NULL;

    if (req->to.n_endpoints > 0) {
        return true;
    }
    if (req->plan->route == GW_ROUTE_CORE) {
        e = gw_world_core(req->world);
    } else if (req->plan->route == GW_ROUTE_CONSOLE) {
        e = gw_world_console(req->world);
    }
    if (e == NULL) {
        return false;
    }
    struct gw_endpoint **list = gw_arena_raw(req->arena, sizeof(struct gw_endpoint *));
    *list = e;
    gw_endpoint_ref(e);
    gw_arena_defer(req->arena, on_endpoint_left, e);
    req->to.endpoints = list;
    req->to.n_endpoints = 1;
    req->to.preserve_host = conf->settings.core.preserve_host;
    req->to.outlier = &conf->settings.core.outlier;
    if (conf->settings.limits.backend_connections > 0) {
        req->to.max_pending = gw_world_share(req->world, conf->settings.limits.backend_pending);
    }
    return true;
}

static enum gw_verdict
answer_options(struct gw_req *req)
{
    gw_edits_add(req, &req->down, GW_STR("Allow"), GW_METHODS);
    return gw_req_reply(req, 204, GW_STR_NONE, GW_STR_NONE);
}

enum gw_verdict
gw_forward_step(struct gw_req *req, const void *conf)
{
    (void)conf;
    req->decision.decided_us = gw_world_loop(req->world)->now_us - req->decision.start_us;
    if (gw_str_eq(req->target.path, GW_STR("*"))) {
        return answer_options(req);
    }
    if (req->target.odd != 0 && !req->odd_allowed) { /* no step has decided: it is refused */
        (void)gw_relax_allow(req, 0);
        return GW_FAIL;
    }
    if (!find_destination(req)) {
        return gw_req_fail(req, GW_ERR_NO_ROUTE, "nothing is served at this path");
    }
    struct gw_exchange *x = exchange_new(req);
    if (!gw_exchange_try(x)) {
        return GW_FAIL;
    }
    req->pending = (struct gw_pending){.cancel = cancel, .arg = x};
    if (x->backend != NULL && x->backend->ready) {
        x->in_step = true;
        gw_exchange_send(x);
        x->in_step = false;
    }
    return x->step_failed ? GW_FAIL : GW_WAIT;
}
