/* session_time.c - a session's deadlines, and what happens when one has passed. */
#include <stdio.h>

#include "gateway/conf.h"
#include "gateway/pace.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

void
gw_session_deadline(struct gw_session *s, long long in_ms)
{
    gw_wheel_set(&s->conn.loop->wheel, &s->timer, gw_loop_now_ms(s->conn.loop) + (uint64_t)in_ms);
}

void
gw_session_head_is_late(struct gw_session *s, enum gw_err err)
{
    struct gw_parser *p = &s->message->parser;
    uint64_t ms = (s->conn.loop->now_us - s->message->start_us) / 1000;

    p->err = err;
    (void)snprintf(p->detail, sizeof(p->detail), "after %llu ms %u bytes of it had come",
                   (unsigned long long)ms, s->stash_n - s->stash_at);
    gw_session_begin(s, false);
}

static bool
wants_body(const struct gw_session *s)
{
    return s->sink_on && !s->body_paused && !s->body_done && !s->awaits_100;
}

static void
body_is_late(struct gw_session *s)
{
    struct gw_req *req = s->message->req;
    unsigned long long came = req->decision.bytes_in;

    req->detail = gw_arena_printf(req->arena, "after %llu bytes nothing came for %lld ms", came,
                                  gw_session_timeouts(s)->body_idle);
    s->keep_alive = false;
    s->sink_on = false;
    if (s->debt_ms > 0) { /* it did go on, but not as it should */
        req->detail = gw_pace_words(s);
        s->message->sink.fail(s->message->sink.arg, GW_ERR_BODY_TOO_SLOW);
        return;
    }
    s->message->sink.fail(s->message->sink.arg, GW_ERR_BODY_TIMEOUT);
}

/* The client has closed its sending side: has it got anything since the last look? */
static void
check_half_closed(struct gw_session *s)
{
    uint32_t got = (uint32_t)s->message->req->decision.bytes_out;
    uint64_t now = gw_loop_now_ms(s->conn.loop);
    long long limit = gw_session_timeouts(s)->half_closed;

    if (got != s->pending) {
        s->pending = got;
        s->touched_ms = now;
    }
    long long left = limit - (long long)(now - s->touched_ms);
    if (left <= 0) {
        gw_session_abandon(s, GW_ERR_HALF_CLOSED, "client_gone", false);
    } else {
        gw_session_deadline(s, left);
    }
}

static void
check_busy(struct gw_session *s)
{
    long long limit = gw_session_timeouts(s)->body_idle;
    long long left = 0;

    if (s->tunneling) {
        return; /* has its own deadline */
    }
    if (s->conn.out_bytes > 0) {
        if (s->half_closed && gw_session_timeouts(s)->half_closed < limit) {
            limit = gw_session_timeouts(s)->half_closed;
        }
        left = gw_pace_taking(s, limit);
        if (left == 0) {
            gw_session_abandon(s, GW_ERR_CLIENT_TOO_SLOW, "client_too_slow", true);
        }
    } else if (s->half_closed) {
        check_half_closed(s);
    } else if (wants_body(s)) {
        left = gw_pace_body_left(s);
        if (left == 0) {
            body_is_late(s);
        }
    }
    if (left > 0) {
        gw_session_deadline(s, left);
    }
}

/* The rest of an answer whose request is over already. */
static void
check_rest(struct gw_session *s)
{
    long long left =
        s->conn.out_bytes > 0 ? gw_pace_taking(s, gw_session_timeouts(s)->body_idle) : 0;

    if (left > 0) {
        gw_session_deadline(s, left);
        return;
    }
    if (s->conn.out_bytes > 0) {
        GW_SESSION_COUNT(s, cut, 1);
    } else if (s->state == GW_SESSION_IDLE) {
        GW_SESSION_COUNT(s, timed_out, 1);
    }
    gw_session_end(s, s->conn.out_bytes > 0); /* the client must not take the rest for all */
}

void
gw_session_on_timer(struct gw_timer *t)
{
    struct gw_session *s = gw_session_of_timer(t);

    switch (s->state) {
    case GW_SESSION_IDLE:
    case GW_SESSION_REST:
    case GW_SESSION_LINGER:
        check_rest(s);
        break;
    case GW_SESSION_HEAD:
        gw_session_head_is_late(s, GW_ERR_HEAD_TIMEOUT);
        break;
    case GW_SESSION_BUSY:
        check_busy(s);
        break;
    case GW_SESSION_ENDED:
        break;
    }
}

/* The first look comes early, so that the next one can tell whether anything has moved. */
void
gw_session_touch(struct gw_session *s)
{
    gw_pace_stalled(s);
    if (!gw_wheel_is_set(&s->timer) && s->state == GW_SESSION_BUSY) {
        gw_session_deadline(s, s->conn.out_bytes > 0 ? gw_session_timeouts(s)->body_idle / 4
                                                     : gw_session_timeouts(s)->body_idle);
    }
}

void
gw_session_continue(struct gw_session *s)
{
    s->awaits_100 = false;
    gw_session_touch(s);
}
