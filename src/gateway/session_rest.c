/* session_rest.c - what a client still sends when all is answered: the rest of a body, read away so
 * that the next request can follow, or whatever it sends until it finds that this was the end. */
#include "gateway/conf.h"
#include "gateway/pace.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

static long long
time_to_leave(struct gw_session *s)
{
    return s->conn.out_bytes > 0 ? gw_pace_taking(s, gw_session_timeouts(s)->body_idle)
                                 : gw_session_timeouts(s)->linger;
}

/* The answer is out, or as good as: the client may still be sending, and closing now would
 * reset the connection and could destroy the answer on its way (RFC 9112, 9.6). */
void
gw_session_linger(struct gw_session *s)
{
    if (s->state == GW_SESSION_IDLE) {
        GW_SESSION_COUNT(s, idle, -1);
    }
    s->state = GW_SESSION_LINGER;
    s->lingered = 0;
    s->touched_ms = gw_loop_now_ms(s->conn.loop);
    gw_session_forget(s);
    gw_conn_shutdown(&s->conn);
    gw_session_deadline(s, time_to_leave(s));
    gw_conn_call_later(&s->conn);
}

void
gw_session_read_lingering(struct gw_session *s)
{
    long got;

    if (s->lingered > GW_LINGER_BYTES) {
        return;
    }
    while ((got = gw_conn_read(&s->conn, s->conn.loop->scratch, GW_SCRATCH_SIZE)) > 0) {
        s->lingered += (uint32_t)got;
        if (s->lingered > GW_LINGER_BYTES) {
            return; /* it finds its answer, or its deadline */
        }
        if (!gw_conn_may_read(&s->conn)) {
            return;
        }
    }
    if (got != GW_CONN_WAIT) {
        gw_session_end(s, false);
    }
}

bool
gw_session_rest_is_small(const struct gw_session *s)
{
    const struct gw_parser *p = s->message == NULL ? NULL : &s->message->parser;

    return p != NULL && p->err == GW_ERR_OK && p->head.body == GW_BODY_LENGTH &&
           p->body_left <= GW_REST_BYTES && !s->awaits_100 && !s->half_closed;
}

void
gw_session_skip_rest(struct gw_session *s, uint32_t bytes)
{
    s->state = GW_SESSION_REST;
    s->lingered = bytes;
    gw_session_deadline(s, time_to_leave(s));
    gw_conn_call_later(&s->conn);
}

void
gw_session_read_rest(struct gw_session *s)
{
    size_t here = s->stash_n - s->stash_at;

    here = here < s->lingered ? here : s->lingered;
    s->stash_at += (uint32_t)here;
    s->lingered -= (uint32_t)here;
    while (s->lingered > 0) {
        long got = gw_conn_read(&s->conn, s->conn.loop->scratch, GW_SCRATCH_SIZE);

        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) {
            gw_session_end(s, false);
            return;
        }
        here = (size_t)got < s->lingered ? (size_t)got : s->lingered;
        s->lingered -= (uint32_t)here;
        if (here < (size_t)got) { /* the next request's */
            gw_session_put_aside(s, s->conn.loop->scratch + here, (size_t)got - here);
        }
        if (s->lingered > 0 && !gw_conn_may_read(&s->conn)) {
            return;
        }
    }
    if (s->all->draining) {
        gw_session_linger(s);
        return;
    }
    gw_session_next(s);
}
