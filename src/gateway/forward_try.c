/*
 * forward_try.c - a request's tries: the next endpoint, and a connection to it, or a turn to come.
 *
 * A try that fails before a byte of an answer is repeated elsewhere when that is safe: nothing
 * was sent, or the method is idempotent and no body has begun.
 */
#include "gateway/balance.h"
#include "gateway/exchange.h"
#include "gateway/pending.h"
#include "gateway/split.h"

/* A turn to come. */
struct wait {
    struct gw_waiter place; /* first */
    struct gw_exchange *x;
    struct gw_endpoint *endpoint;
};

static bool leave_version(struct gw_exchange *x, bool only_full);
static bool take_one(struct gw_exchange *x);
static void try_next(struct gw_exchange *x, enum gw_err err, const char *detail);
static void take_connection(struct gw_exchange *x, struct gw_endpoint *e);

/* -- may it be tried again? -------------------------------------------------------------------- */

static bool
is_idempotent(struct gw_str method)
{
    static const struct gw_str list[] = {
        {"GET", 3}, {"HEAD", 4}, {"OPTIONS", 7}, {"PUT", 3}, {"DELETE", 6}};

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (gw_str_eq(method, list[i])) {
            return true;
        }
    }
    return false;
}

/* May it be sent again when nobody knows what became of it? */
static bool
is_repeatable(const struct gw_req *req)
{
    return req->head->body == GW_BODY_NONE && is_idempotent(req->head->method);
}

/* Of what was not sent, another version costs nothing to ask, either. */
static bool
may_try(struct gw_exchange *x, unsigned *left)
{
    if (*left > 0) {
        (*left)--;
        return true;
    }
    return !x->head_sent && leave_version(x, false);
}

void
gw_exchange_lost(struct gw_exchange *x, enum gw_err err, const char *detail)
{
    static const char may_be_done[] =
        "the request may have been carried out, so it was not sent again";
    bool safe = !x->body_begun && (!x->head_sent || is_idempotent(x->req->head->method));
    bool stale = x->backend != NULL && x->backend->reused;
    unsigned *left = x->head_sent ? &x->tries_left : &x->dials_left;

    if (!stale && err != GW_ERR_GATEWAY_EXHAUSTED) { /* else nobody's fault, or ours */
        bool late = !x->head_sent &&
                    gw_world_now_ms(x->req->world) - x->touched_ms >= (uint64_t)x->connect_ms;

        gw_tries_failed(x, late, detail == NULL ? gw_err_text(err) : detail);
    }
    /* Body bytes that came while the next connection is made would go before the head. */
    gw_session_body_hold(x->req->session);
    gw_exchange_release(x, false);
    if (safe && stale) {
        /* The backend closed an idle connection in the moment we used it. */
        x->tried = 0;
        atomic_fetch_add_explicit(&gw_world_stats(x->req->world)->retries, 1, memory_order_relaxed);
        try_next(x, err, detail);
    } else if (safe && *left > 0 && x->head_sent && !gw_tries_afford(x)) {
        gw_exchange_fail(x, err,
                         "it was not sent again, as too many are at the moment (retry.budget)");
    } else if (safe && may_try(x, left)) {
        atomic_fetch_add_explicit(&gw_world_stats(x->req->world)->retries, 1, memory_order_relaxed);
        try_next(x, err, detail);
    } else {
        gw_exchange_fail(x, err, safe ? detail : may_be_done);
    }
}

/* -- its connection ---------------------------------------------------------------------------- */

static void
on_ready(void *owner)
{
    gw_exchange_send(owner);
}

static void
on_failed(void *owner, const char *why, bool ours)
{
    struct gw_exchange *x = owner;

    x->backend = NULL;
    gw_exchange_lost(x, ours ? GW_ERR_GATEWAY_EXHAUSTED : GW_ERR_UPSTREAM_CONNECT, why);
}

static void
on_readable(void *owner)
{
    gw_answer_readable(owner);
}

static void
on_drained(void *owner)
{
    struct gw_exchange *x = owner;

    gw_exchange_touch(x);
    gw_session_body_resume(x->req->session);
    gw_conn_poke(&x->backend->conn);
}

static const struct gw_backend_events backend_events = {
    .ready = on_ready, .failed = on_failed, .readable = on_readable, .drained = on_drained};

static void
on_turn(struct gw_waiter *w)
{
    struct wait *wait = (struct wait *)w;
    struct gw_exchange *x = wait->x;

    if (x->trial == 0 && gw_endpoint_refuses(wait->endpoint)) { /* meanwhile */
        gw_tries_end(x);
        try_next(x, GW_ERR_BREAKER_OPEN, gw_tries_refused(x));
        return;
    }
    take_connection(x, wait->endpoint);
    if (x->backend->ready) {
        gw_exchange_send(x);
    }
}

/* Nothing was sent: another version may have room at once, but nobody waits twice. */
static void
on_late(struct gw_waiter *w)
{
    struct gw_exchange *x = ((struct wait *)w)->x;

    gw_tries_end(x);
    x->waited = true;
    if (!leave_version(x, true) || !take_one(x)) {
        gw_exchange_fail(x, GW_ERR_PENDING_TIMEOUT,
                         gw_arena_printf(x->req->arena,
                                         "after %lld ms all of the %u that this worker may have "
                                         "are in use still",
                                         x->pending_ms, x->req->to.max_connections));
    } else if (x->backend->ready) {
        gw_exchange_send(x);
    }
}

static void
take_connection(struct gw_exchange *x, struct gw_endpoint *e)
{
    struct gw_req *req = x->req;

    req->decision.tries++;
    x->sent_again |= x->head_sent;
    x->head_sent = false;
    gw_exchange_touch(x);
    x->backend = gw_backend_take(e, &backend_events, x, x->connect_ms,
                                 x->sent_again        ? GW_BACKEND_FRESH
                                 : is_repeatable(req) ? GW_BACKEND_ANY
                                                      : GW_BACKEND_SURE);
}

/* The endpoint has as many requests as it may: this one waits for its turn. */
static void
wait_for(struct gw_exchange *x, struct gw_endpoint *e)
{
    struct wait *wait = (struct wait *)x->waiter;

    if (wait == NULL) {
        wait = gw_arena_alloc(x->req->arena, sizeof(*wait));
        *wait = (struct wait){.place = {.turn = on_turn, .late = on_late}, .x = x};
        x->waiter = &wait->place;
    }
    wait->endpoint = e;
    gw_pending_wait(&wait->place, e, x->req->to.max_connections, x->pending_ms);
}

/* The index of the next endpoint; n_endpoints: none is left. */
static unsigned
choose(const struct gw_exchange *x)
{
    const struct gw_req *req = x->req;
    const struct gw_destination *to = &req->to;

    if (to->n_endpoints == 1 && x->tried == 0) {
        return gw_endpoint_refuses(to->endpoints[0]) ? 1 : 0;
    }
    return gw_balance_choose(to, x->tried,
                             gw_balance_key(to->balancer, &req->head->headers, req->client_ip),
                             gw_world_now_ms(req->world));
}

/* The version that was chosen has no endpoint left: another one takes over, if there is one. */
static bool
leave_version(struct gw_exchange *x, bool only_full)
{
    if (!gw_split_leave(x->req, only_full)) {
        return false;
    }
    x->tried = 0;
    x->dials_left = gw_exchange_others(&x->req->to);
    return true;
}

/* Takes a connection to the next endpoint of this version, or a place in its queue.  False when
 * there is neither; err then says why. */
static bool
take_one(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    unsigned max = req->to.max_connections;
    unsigned i;

    req->err = GW_ERR_UPSTREAM_CONNECT;
    while ((i = choose(x)) < req->to.n_endpoints) {
        struct gw_endpoint *e = req->to.endpoints[i];
        bool must_wait = max > 0 && gw_pending_must_wait(e, max);

        if (i < 64) {
            x->tried |= (uint64_t)1 << i;
        }
        gw_tries_begin(x, e);
        req->decision.endpoint = gw_endpoint_url(e);
        if (!must_wait) {
            req->err = GW_ERR_OK;
            take_connection(x, e);
            return true;
        }
        if (e->n_pending < req->to.max_pending && !x->waited) {
            req->err = GW_ERR_OK;
            wait_for(x, e);
            return true;
        }
        req->err = GW_ERR_PENDING_FULL;
        gw_tries_end(x);
        if (i >= 64) {
            break; /* it can't be marked as tried, and would be chosen for ever */
        }
    }
    return false;
}

/* The same, of whichever version. */
bool
gw_exchange_try(struct gw_exchange *x)
{
    struct gw_req *req = x->req;

    if (take_one(x) || (leave_version(x, req->err == GW_ERR_PENDING_FULL) && take_one(x))) {
        return true;
    }
    if (req->err == GW_ERR_PENDING_FULL) {
        req->detail = gw_arena_printf(req->arena, "this worker's share is %u, and %u connections",
                                      req->to.max_pending, req->to.max_connections);
    } else if (x->tried == 0) { /* nobody could be asked at all */
        req->err = GW_ERR_BREAKER_OPEN;
        req->detail = gw_tries_refused(x);
    }
    return false;
}

/* err and detail: how the last try has ended, to be told if it was the last of all. */
static void
try_next(struct gw_exchange *x, enum gw_err err, const char *detail)
{
    if (!gw_exchange_try(x)) {
        bool full = x->req->err != GW_ERR_UPSTREAM_CONNECT;

        gw_exchange_fail(x, full ? x->req->err : err, full ? NULL : detail);
    } else if (x->backend != NULL && x->backend->ready) {
        gw_exchange_send(x);
    }
}
