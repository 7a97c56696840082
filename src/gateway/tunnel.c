/*
 * tunnel.c - bytes both ways after a 101: WebSocket, kubectl exec, anything.
 *
 *     client --> read into the scratch buffer --> written to the backend, or kept
 *            <--                              <--
 *
 * A side is read only while the other keeps nothing back.  The end of one direction is passed
 * on as such (half-close); the tunnel ends when both have ended, or it is idle for too long.
 */
#include "gateway/exchange.h"

struct tunnel {
    struct gw_exchange *x;
    struct gw_conn *client, *backend;
    struct gw_timer timer;
    bool client_ended, backend_ended;
};

static void
finish(struct tunnel *t, const char *end)
{
    struct gw_req *req = t->x->req;

    gw_wheel_cancel(&t->timer);
    req->decision.end = end;
    req->decision.end_us = t->client->loop->now_us - req->decision.start_us;
    gw_exchange_release(t->x, false);
    gw_req_resume(req, GW_NEXT);
}

static void
on_idle(struct gw_timer *timer)
{
    struct tunnel *t = (struct tunnel *)((char *)timer - offsetof(struct tunnel, timer));
    uint64_t now = gw_loop_now_ms(t->client->loop);
    uint64_t limit = (uint64_t)t->x->tunnel_idle_ms;

    if (now - t->x->touched_ms < limit) {
        gw_wheel_set(&t->client->loop->wheel, timer, t->x->touched_ms + limit);
    } else {
        finish(t, "tunnel_idle");
    }
}

/* Moves what there is; false when the tunnel is over (and gone). */
static bool
pump(struct tunnel *t, struct gw_conn *from, struct gw_conn *to, bool *ended, uint64_t *bytes)
{
    char *scratch = from->loop->scratch;

    while (!*ended && to->out_bytes == 0 && gw_conn_may_read(from)) {
        long got = gw_conn_read(from, scratch, GW_SCRATCH_SIZE);

        if (got == GW_CONN_WAIT) {
            return true;
        }
        if (got == GW_CONN_END) {
            *ended = true;
            gw_conn_shutdown(to);
        }
        if (got == GW_CONN_FAILED || to->failed || (t->client_ended && t->backend_ended)) {
            finish(t, got == GW_CONN_FAILED || to->failed ? "tunnel_broken" : "done");
            return false;
        }
        if (got > 0) {
            *bytes += (uint64_t)got;
            gw_exchange_touch(t->x);
            gw_conn_write(to, &(struct iovec){scratch, (size_t)got}, 1);
        }
    }
    return true;
}

static void
on_client_readable(void *arg)
{
    struct tunnel *t = arg;

    if (t->client->failed) {
        finish(t, "tunnel_broken");
        return;
    }
    pump(t, t->client, t->backend, &t->client_ended, &t->x->req->decision.bytes_in);
}

static void
on_client_drained(void *arg)
{
    struct tunnel *t = arg;

    gw_conn_poke(t->backend);
}

static void
on_backend_readable(void *owner)
{
    struct tunnel *t = owner;

    if (t->backend->failed) {
        finish(t, "tunnel_broken");
        return;
    }
    pump(t, t->backend, t->client, &t->backend_ended, &t->x->req->decision.bytes_out);
}

static void
on_backend_drained(void *owner)
{
    struct tunnel *t = owner;

    gw_conn_poke(t->client);
}

static const struct gw_backend_events backend_events = {.readable = on_backend_readable,
                                                        .drained = on_backend_drained};

static void
on_arena_free(void *arg)
{
    struct tunnel *t = arg;

    gw_wheel_cancel(&t->timer);
    atomic_fetch_sub_explicit(&gw_world_stats(t->x->req->world)->tunnels, 1, memory_order_relaxed);
}

void
gw_tunnel_begin(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    struct tunnel *t = gw_arena_alloc(req->arena, sizeof(*t));

    t->x = x;
    t->client = gw_session_conn(req->session);
    t->backend = &x->backend->conn;
    x->backend->events = &backend_events;
    x->backend->owner = t;
    req->decision.tunnel = true;
    atomic_fetch_add_explicit(&gw_world_stats(req->world)->tunnels, 1, memory_order_relaxed);
    gw_wheel_cancel(&x->timer);
    t->timer.fire = on_idle;
    gw_arena_defer(req->arena, on_arena_free, t);
    gw_exchange_touch(x);
    gw_wheel_set(gw_world_wheel(req->world), &t->timer,
                 x->touched_ms + (uint64_t)x->tunnel_idle_ms);
    if (x->rest_n > 0) { /* the backend spoke right after its 101 */
        gw_conn_cork(t->client, x->rest, x->rest_n);
        x->rest_n = 0;
    }
    gw_conn_flush(t->client);
    gw_session_on_drained(req->session, on_client_drained, t);
    gw_session_tunnel(req->session, t->backend, on_client_readable, t);
    gw_conn_poke(t->backend);
}
