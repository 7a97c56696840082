/*
 * tunnel_frames.c - the gateway's own frames in a WebSocket: pings, and the Close when the server
 * stops (ADR 6).
 *
 * They stand only where a frame of the side that they seem to come from has ended, and never
 * behind its Close.  An answer to our ping goes no further: the other side has not asked.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/conf.h"
#include "gateway/tunnel_private.h"

/* How long a client may take to answer our Close before the backend is told by us. */
#define CLOSE_ANSWER_MS 2000

static struct gw_way *
back(struct gw_tunnel *t, const struct gw_way *w)
{
    return w == &t->up ? &t->down : &t->up;
}

static bool
may_insert(const struct gw_way *w)
{
    return w->framed && gw_ws_at_border(&w->ws) && !w->ended && !w->closed && !w->muted &&
           !w->to->failed;
}

static void
put(struct gw_conn *to, const void *p, size_t n)
{
    if (n > 0) {
        gw_conn_write(to, &(struct iovec){(void *)(uintptr_t)p, n}, 1);
    }
}

static void
random_bytes(unsigned char *p, size_t n)
{
    if (getrandom(p, n, 0) != (ssize_t)n) {
        perror("ksgate: getrandom");
        abort();
    }
}

/* A client's frames are masked with what nobody can guess (RFC 6455, 5.3). */
static const unsigned char *
mask_for(const struct gw_way *w, unsigned char mask[4])
{
    if (!w->ws.masked) {
        return NULL;
    }
    random_bytes(mask, 4);
    return mask;
}

/* To a client what the configuration says; the backend's client is what goes away. */
static void
put_close(struct gw_tunnel *t, struct gw_way *w)
{
    const struct gw_conf *conf = t->x->req->snapshot;
    bool back_soon =
        w == &t->down && conf->settings.websocket.close == GW_WEBSOCKET_SERVICE_RESTART;
    enum gw_ws_status status = w == &t->down && t->forbidden ? GW_WS_POLICY_VIOLATION
                               : back_soon                   ? GW_WS_SERVICE_RESTART
                                                             : GW_WS_GOING_AWAY;
    unsigned char frame[GW_WS_CONTROL_MAX];
    unsigned char mask[4];

    put(w->to, frame, gw_ws_close(frame, status, mask_for(w, mask)));
    w->to_close = false;
    w->muted = true;
}

/* To whom `w` leads; `answers` is the way by which the pong comes. */
static void
put_ping(struct gw_way *w, struct gw_way *answers)
{
    unsigned char frame[GW_WS_CONTROL_MAX];
    unsigned char payload[sizeof(answers->nonce)];
    unsigned char mask[4];

    if (answers->open++ == 0) {
        random_bytes(payload, sizeof(payload));
        memcpy(&answers->nonce, payload, sizeof(payload));
    } else {
        answers->nonce++;
        memcpy(payload, &answers->nonce, sizeof(payload));
    }
    put(w->to, frame,
        gw_ws_control(frame, GW_WS_PING, payload, sizeof(payload), mask_for(w, mask)));
}

/* Who is slow answers several at once: each of them, or only the newest (RFC 6455, 5.5.3). */
static bool
answers_us(struct gw_way *w)
{
    unsigned char payload[GW_WS_PAYLOAD_MAX];
    uint64_t nonce;

    if (w->open == 0 || gw_ws_payload(&w->ws, payload) != sizeof(nonce)) {
        return false;
    }
    memcpy(&nonce, payload, sizeof(nonce));
    if (w->nonce - nonce >= w->open) {
        return false;
    }
    w->open = (unsigned)(w->nonce - nonce); /* those behind it */
    return true;
}

static void
insert_wanted(struct gw_tunnel *t, struct gw_way *w)
{
    if (w->to_close && may_insert(w)) {
        put_close(t, w);
    }
}

/* -- passing on ---------------------------------------------------------------------------------
 */

/* A control frame is there.  True when it is the answer to a ping of ours. */
static bool
take_note(struct gw_tunnel *t, struct gw_way *w)
{
    switch (gw_ws_opcode(&w->ws)) {
    case GW_WS_CLOSE:
        w->closed = true;
        break;
    case GW_WS_PING:
        back(t, w)->asked = true;
        break;
    case GW_WS_PONG:
        if (answers_us(w)) {
            return true;
        }
        w->asked = false;
        break;
    default: /* lost: passed on like any other bytes */
        break;
    }
    return false;
}

/* Bytes that are passed on as one. */
struct run {
    const char *p;
    size_t n, passed;
};

static void
end_run(struct gw_way *w, struct run *r, const char *next)
{
    if (!w->muted) {
        put(w->to, r->p, r->n);
    }
    r->passed += r->n;
    r->p = next;
    r->n = 0;
}

/* The frame ends at r->p + r->n + used, or is in ws->bytes when it came in pieces. */
static void
pass_control(struct gw_tunnel *t, struct gw_way *w, struct run *r, size_t used)
{
    const char *next = r->p + r->n + used;

    if (take_note(t, w)) {
        end_run(w, r, next);
        return;
    }
    if (!w->ws.split) {
        r->n += used;
        return;
    }
    end_run(w, r, next);
    if (!w->muted) {
        put(w->to, w->ws.bytes, w->ws.n);
    }
    r->passed += w->ws.n;
}

size_t
gw_tunnel_pass(struct gw_tunnel *t, struct gw_way *w, char *p, size_t n)
{
    struct run r = {.p = p};

    w->heard = true;
    if (!w->framed || w->ws.lost) {
        put(w->to, p, n);
        return n;
    }
    while (n > 0) {
        bool wanted = w->to_close;
        size_t used = 0;

        switch (gw_ws_look(&w->ws, p, n, wanted, &used)) {
        case GW_WS_PASS:
            r.n += used;
            break;
        case GW_WS_CONTROL:
            pass_control(t, w, &r, used);
            break;
        case GW_WS_HELD:
            end_run(w, &r, p + used);
            break;
        }
        p += used;
        n -= used;
        if (wanted && gw_ws_at_border(&w->ws)) {
            end_run(w, &r, p);
            insert_wanted(t, w);
        }
    }
    end_run(w, &r, p);
    w->spoke |= r.passed > 0;
    return r.passed;
}

void
gw_tunnel_passed(struct gw_tunnel *t, struct gw_way *w, size_t n)
{
    w->heard = w->spoke = true;
    if (w->framed && !w->ws.lost) {
        gw_ws_skip(&w->ws, n);
        insert_wanted(t, w);
    }
}

/* -- who is alive? ------------------------------------------------------------------------------
 */

/* Of the side that sends by `w` and is sent to by `to_it`.  False: it has been silent for too
 * long. */
static bool
look_at(struct gw_way *w, struct gw_way *to_it, unsigned limit)
{
    bool readable = w->muted || w->to->out_bytes == 0; /* else we do not hear it */

    if (w->heard || !readable || !w->pinged) {
        w->missed = 0;
    } else if (++w->missed >= limit) {
        return false;
    }
    w->pinged = false;
    if (w->asked && !w->spoke) {
        /* A side need only answer the newest ping: ours would take the other's answer away. */
        w->pinged = true;
    } else if (!w->spoke && !w->ended && may_insert(to_it) && to_it->to->out_bytes == 0) {
        put_ping(to_it, w);
        w->pinged = true;
    }
    w->heard = w->spoke = false;
    return true;
}

bool
gw_tunnel_look(struct gw_tunnel *t)
{
    const struct gw_conf *conf = t->x->req->snapshot;
    unsigned limit = (unsigned)conf->settings.websocket.unanswered;

    return look_at(&t->up, &t->down, limit) && look_at(&t->down, &t->up, limit);
}

/* -- closing ------------------------------------------------------------------------------------
 */

void
gw_tunnel_close(struct gw_tunnel *t)
{
    uint64_t now = gw_loop_now_ms(t->up.from->loop);

    switch (t->stage) {
    case GW_TUNNEL_PLANNED: /* the client's answer tells the backend */
        t->stage = GW_TUNNEL_TOLD_CLIENT;
        t->close_ms = now + CLOSE_ANSWER_MS;
        t->down.to_close = true;
        insert_wanted(t, &t->down);
        break;
    case GW_TUNNEL_TOLD_CLIENT: /* there is none */
        t->stage = GW_TUNNEL_TOLD_BOTH;
        t->close_ms = now + CLOSE_ANSWER_MS;
        t->up.to_close = true;
        insert_wanted(t, &t->up);
        break;
    case GW_TUNNEL_TOLD_BOTH: /* nor from the backend */
        t->stage = GW_TUNNEL_UNANSWERED;
        break;
    case GW_TUNNEL_OPEN:
    case GW_TUNNEL_UNANSWERED:
        break;
    }
}

void
gw_tunnel_forbid(struct gw_tunnel *t)
{
    struct gw_way *ways[] = {&t->down, &t->up};

    t->forbidden = true;
    t->stage = GW_TUNNEL_TOLD_BOTH;
    t->close_ms = gw_loop_now_ms(t->up.from->loop) + CLOSE_ANSWER_MS;
    for (size_t i = 0; i < 2; i++) {
        ways[i]->to_close = !ways[i]->muted && !ways[i]->closed && !ways[i]->ended;
        insert_wanted(t, ways[i]);
    }
}

static bool
was_told(const struct gw_way *w)
{
    return w->muted || w->closed || w->ended;
}

bool
gw_tunnel_is_closed(const struct gw_tunnel *t)
{
    if (t->stage == GW_TUNNEL_UNANSWERED) { /* who is in the middle of a frame may end it */
        return was_told(&t->up) && was_told(&t->down);
    }
    return t->stage >= GW_TUNNEL_TOLD_CLIENT && (t->up.closed || t->up.ended) &&
           (t->down.closed || t->down.ended);
}
