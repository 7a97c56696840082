/*
 * tunnel.c - bytes both ways after a 101: WebSocket, kubectl exec, anything.
 *
 *     client --> read into the scratch buffer --> written to the backend, or kept
 *            <--     (much at once: spliced)  <--
 *
 * A side is read only while the other keeps nothing back.  The end of one direction is passed
 * on as such (half-close); the tunnel ends when both have ended, or it is idle for too long.
 * What the gateway itself has to say in a WebSocket is in tunnel_frames.c.
 */
#include <assert.h>

#include "gateway/tunnel_private.h"
#include "gateway/worlds.h"

/* Less at once is cheaper to copy. */
#define SPLICE_MIN ((size_t)16 * 1024)

/* For each message: nobody else writes it, so no bus is locked. */
static void
count(atomic_ullong *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t
now_ms(const struct gw_tunnel *t)
{
    return gw_loop_now_ms(t->up.from->loop);
}

static void
touch(struct gw_tunnel *t)
{
    t->touched_ms = now_ms(t);
}

static void
write_down(const struct gw_tunnel *t)
{
    struct gw_decision *d = &t->x->req->decision;

    d->bytes_in += t->up.bytes;
    d->bytes_out += t->down.bytes;
}

/* The request ends otherwise. */
static void
cancel(void *arg)
{
    struct gw_tunnel *t = arg;

    write_down(t);
    t->outer.cancel(t->outer.arg);
}

static void
finish(struct gw_tunnel *t, const char *end)
{
    struct gw_req *req = t->x->req;

    gw_wheel_cancel(&t->timer);
    write_down(t);
    req->decision.end = end;
    req->decision.end_us = t->up.from->loop->now_us - req->decision.start_us;
    gw_exchange_release(t->x, false);
    gw_req_resume(req, GW_NEXT);
}

/* -- deadlines ----------------------------------------------------------------------------------
 */

static bool
half_closed(const struct gw_tunnel *t)
{
    return t->up.ended || t->down.ended;
}

static uint64_t
idle_due_ms(const struct gw_tunnel *t)
{
    const struct gw_conf *conf = t->x->req->snapshot;
    long long half = conf->settings.timeouts.tunnel_half_closed;
    long long idle = t->x->tunnel_idle_ms;

    return t->touched_ms + (uint64_t)(half_closed(t) && half < idle ? half : idle);
}

static const char *
closed_why(const struct gw_tunnel *t)
{
    return t->forbidden ? "revoked" : "drained";
}

static bool
closing(const struct gw_tunnel *t)
{
    return t->stage != GW_TUNNEL_OPEN && t->stage != GW_TUNNEL_UNANSWERED;
}

/* To the nearest of all deadlines.  Bytes that come move only idle_due_ms(), and not the timer. */
static void
set_timer(struct gw_tunnel *t)
{
    uint64_t due = idle_due_ms(t);

    if (t->ping && t->ping_ms < due) {
        due = t->ping_ms;
    }
    if (closing(t) && t->close_ms < due) {
        due = t->close_ms;
    }
    gw_wheel_set(&t->up.from->loop->wheel, &t->timer, due);
}

static void
set_ping(struct gw_tunnel *t)
{
    const struct gw_conf *conf = t->x->req->snapshot;

    t->ping = t->up.framed && conf->settings.websocket.ping > 0;
    t->ping_ms = now_ms(t) + (uint64_t)conf->settings.websocket.ping;
}

static void
on_timer(struct gw_timer *timer)
{
    struct gw_tunnel *t = (struct gw_tunnel *)((char *)timer - offsetof(struct gw_tunnel, timer));
    uint64_t now = now_ms(t);

    if (now >= idle_due_ms(t)) {
        finish(t, half_closed(t) ? "tunnel_half_closed" : "tunnel_idle");
        return;
    }
    if (t->ping && now >= t->ping_ms) {
        if (!gw_tunnel_look(t)) {
            finish(t, "ping_timeout");
            return;
        }
        set_ping(t);
    }
    if (closing(t) && now >= t->close_ms) {
        gw_tunnel_close(t);
        if (t->forbidden || gw_tunnel_is_closed(t)) {
            finish(t, closed_why(t));
            return;
        }
    }
    set_timer(t);
}

/* -- moving -------------------------------------------------------------------------------------
 */

/* How much may be passed on unseen; a frame's header may not. */
static size_t
uniform(const struct gw_way *w)
{
    if (!w->bulk || w->muted) {
        return 0;
    }
    if (!w->framed || w->ws.lost) {
        return SIZE_MAX;
    }
    uint64_t n = gw_ws_uniform(&w->ws);
    return n < SPLICE_MIN ? 0 : n > SIZE_MAX ? SIZE_MAX : (size_t)n;
}

static void
count_bytes(struct gw_tunnel *t, struct gw_way *w, size_t n)
{
    w->bytes += n;
    count(w == &t->up ? &t->stats->tunnel_in : &t->stats->tunnel_out, n);
    touch(t);
}

static long
splice_some(struct gw_tunnel *t, struct gw_way *w)
{
    size_t n = uniform(w);

    if (n == 0) {
        return GW_CONN_COPY;
    }
    long got = gw_conn_splice(w->from, w->to, n);
    if (got > 0) {
        w->bulk = (size_t)got >= SPLICE_MIN;
        count(&t->stats->spliced, (uint64_t)got);
        count_bytes(t, w, (size_t)got);
        gw_tunnel_passed(t, w, (size_t)got);
    }
    return got;
}

static void
pass(struct gw_tunnel *t, struct gw_way *w, char *p, size_t n)
{
    size_t passed = gw_tunnel_pass(t, w, p, n);

    if (passed > 0) { /* answers to our own pings are no traffic */
        count_bytes(t, w, passed);
    }
}

static long
read_some(struct gw_tunnel *t, struct gw_way *w)
{
    char *scratch = w->from->loop->scratch;
    long got = gw_conn_read(w->from, scratch, GW_SCRATCH_SIZE);

    if (got > 0) {
        w->bulk = (size_t)got == GW_SCRATCH_SIZE;
        if (!w->bulk) {
            gw_conn_doubt(w->from);
        }
        pass(t, w, scratch, (size_t)got);
    }
    return got;
}

static void
end_way(struct gw_tunnel *t, struct gw_way *w)
{
    if (w->framed && !w->muted) { /* within a control frame */
        gw_conn_cork(w->to, w->ws.bytes, gw_ws_held(&w->ws));
        gw_conn_flush(w->to);
    }
    w->ended = true;
    gw_conn_shutdown(w->to);
    touch(t);
    set_timer(t);
}

/* Moves what there is; false when the tunnel is over (and gone). */
static bool
pump(struct gw_tunnel *t, struct gw_way *w)
{
    size_t turn = 0;

    while (!w->ended && (w->muted || w->to->out_bytes == 0) && gw_conn_may_read(w->from)) {
        if (turn >= GW_TURN_BYTES) {
            gw_conn_call_later(w->from);
            return true;
        }
        long got = splice_some(t, w);
        if (got == GW_CONN_COPY) {
            got = read_some(t, w);
        }
        if (got == GW_CONN_WAIT) {
            return true;
        }
        if (got == GW_CONN_END) {
            end_way(t, w);
        }
        if (got == GW_CONN_FAILED || w->to->failed) {
            finish(t, "tunnel_broken");
            return false;
        }
        if (gw_tunnel_is_closed(t)) {
            finish(t, closed_why(t));
            return false;
        }
        if (got == GW_CONN_END && t->up.ended && t->down.ended) {
            finish(t, "done");
            return false;
        }
        turn += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static void
on_readable(struct gw_tunnel *t, struct gw_way *w)
{
    if (w->from->failed || (w->ended && gw_conn_was_reset(w->from))) {
        finish(t, "tunnel_broken");
        return;
    }
    pump(t, w);
}

static void
on_client_readable(void *arg)
{
    struct gw_tunnel *t = arg;

    on_readable(t, &t->up);
}

static void
on_client_drained(void *arg)
{
    struct gw_tunnel *t = arg;

    gw_conn_poke(t->down.from);
}

static void
on_client_bytes(void *arg, char *p, size_t n)
{
    struct gw_tunnel *t = arg;

    pass(t, &t->up, p, n);
}

/* The server stops: a WebSocket is told so at its time, and what else there is lives on. */
static void
on_drain(void *arg, uint64_t at_ms)
{
    struct gw_tunnel *t = arg;

    if (t->up.framed && t->stage == GW_TUNNEL_OPEN) {
        t->stage = GW_TUNNEL_PLANNED;
        t->close_ms = at_ms;
        set_timer(t);
    }
}

/* Of bytes that nobody can tell apart, none may pass any more. */
static void
on_forbid(void *arg, enum gw_err why)
{
    struct gw_tunnel *t = arg;

    if (t->forbidden) {
        return;
    }
    t->x->req->err = why;
    if (!t->up.framed || t->up.ws.lost || t->down.ws.lost) {
        t->forbidden = true;
        finish(t, closed_why(t));
        return;
    }
    gw_tunnel_forbid(t);
    if (gw_tunnel_is_closed(t)) {
        finish(t, closed_why(t));
        return;
    }
    set_timer(t);
}

static void
on_backend_readable(void *owner)
{
    struct gw_tunnel *t = owner;

    on_readable(t, &t->down);
}

static void
on_backend_drained(void *owner)
{
    struct gw_tunnel *t = owner;

    gw_conn_poke(t->up.from);
}

static const struct gw_tunnel_events client_events = {
    .bytes = on_client_bytes,
    .readable = on_client_readable,
    .drain = on_drain,
    .forbid = on_forbid,
};
static const struct gw_backend_events backend_events = {.readable = on_backend_readable,
                                                        .drained = on_backend_drained};

/* -- beginning and end ---------------------------------------------------------------------------
 */

static struct gw_slab *
slab(const struct gw_exchange *x)
{
    return gw_world_slab(x->req->world, GW_SLAB_TUNNELS, sizeof(struct gw_tunnel));
}

static void
count_end(struct gw_tunnel *t)
{
    static const char *const names[] = {
#define X(name) #name,
        GW_TUNNEL_ENDS(X)
#undef X
    };
    const char *end = t->x->req->decision.end;

    for (size_t i = 0; end != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(end, names[i]) == 0) {
            count(&t->stats->tunnel_ends[i], 1);
        }
    }
}

static void
on_arena_free(void *arg)
{
    struct gw_tunnel *t = arg;

    gw_wheel_cancel(&t->timer);
    count_end(t);
    atomic_fetch_sub_explicit(&t->stats->tunnels, 1, memory_order_relaxed);
    gw_slab_give(slab(t->x), t);
}

static bool
is_websocket(const struct gw_exchange *x)
{
    struct gw_str websocket = GW_STR("websocket");

    return gw_str_eq_nocase(gw_headers_value(&x->parser.head.headers, GW_H_UPGRADE), websocket) &&
           gw_headers_list_has(&x->req->head->headers, GW_H_UPGRADE, websocket);
}

static struct gw_tunnel *
tunnel_new(struct gw_exchange *x)
{
    struct gw_tunnel *t = gw_slab_take(slab(x));
    struct gw_conn *client = gw_session_conn(x->req->session);
    struct gw_conn *backend = &x->backend->conn;

    t->x = x;
    t->stats = gw_world_stats(x->req->world);
    t->up = (struct gw_way){.from = client, .to = backend, .framed = is_websocket(x)};
    t->down = (struct gw_way){.from = backend, .to = client, .framed = t->up.framed};
    gw_ws_init(&t->up.ws, true);
    gw_ws_init(&t->down.ws, false);
    t->outer = x->req->pending;
    x->req->pending = (struct gw_pending){.cancel = cancel, .arg = t};
    return t;
}

void
gw_tunnel_begin(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    struct gw_tunnel *t = tunnel_new(x);
    struct gw_conn *client = t->up.from;
    struct gw_conn *backend = t->up.to;

    x->backend->events = &backend_events;
    x->backend->owner = t;
    req->decision.tunnel = true;
    atomic_fetch_add_explicit(&t->stats->tunnels, 1, memory_order_relaxed);
    gw_wheel_cancel(&x->timer);
    t->timer.fire = on_timer;
    gw_arena_defer(req->arena, on_arena_free, t);
    touch(t);
    set_ping(t);
    set_timer(t);
    if (x->rest_n > 0) { /* the backend spoke right after its 101 */
        pass(t, &t->down, x->rest, x->rest_n);
        x->rest_n = 0;
    }
    gw_conn_flush(client);
    gw_session_on_drained(req->session, on_client_drained, t);
    gw_session_tunnel(req->session, &client_events, t);
    gw_conn_poke(backend);
}
