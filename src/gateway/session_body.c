/* session_body.c - the request's body, from the client's connection to whoever wants it. */
#include <assert.h>
#include <stdlib.h>

#include "gateway/conf.h"
#include "gateway/pace.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

static void
body_failed(struct gw_session *s, enum gw_err err)
{
    s->sink_on = false;
    s->keep_alive = false;
    s->message->sink.fail(s->message->sink.arg, err);
}

static bool
too_large(const struct gw_session *s)
{
    long long limit = s->message->conf->settings.limits.body;

    return limit >= 0 && s->message->req->decision.bytes_in > (uint64_t)limit;
}

/* So many bytes of the body have come.  False when that is too many, or too late: the sink knows.
 */
static bool
account(struct gw_session *s, size_t bytes)
{
    struct gw_req *req = s->message->req;

    req->decision.bytes_in += bytes;
    if (too_large(s)) {
        req->detail = gw_arena_printf(req->arena, "limits.body is %lld bytes, and %llu have come",
                                      s->message->conf->settings.limits.body,
                                      (unsigned long long)req->decision.bytes_in);
        body_failed(s, GW_ERR_BODY_TOO_LARGE);
        return false;
    }
    if (!gw_pace_body(s, bytes)) {
        req->detail = gw_pace_words(s);
        body_failed(s, GW_ERR_BODY_TOO_SLOW);
        return false;
    }
    return true;
}

/* Parses n bytes and hands them on.  *used: how many of them were the body's.  False when no
 * more is wanted now.  The sink may end the request from within: nothing of it, the parser
 * included, is touched after that. */
static bool
deliver(struct gw_session *s, char *bytes, size_t n, size_t *used)
{
    struct gw_parser *p = &s->message->parser;
    struct gw_req *req = s->message->req;
    enum gw_parse result = gw_parser_body(p, bytes, n, used);

    s->awaits_100 = false;
    if (result == GW_PARSE_ERROR) {
        body_failed(s, p->err);
        return false;
    }
    if (!account(s, p->body_bytes)) {
        return false;
    }
    s->body_done = result == GW_PARSE_DONE;
    if (p->n_body > 0 &&
        !s->message->sink.bytes(s->message->sink.arg, p->body, p->n_body, p->body_bytes)) {
        s->body_paused = true;
    }
    if (gw_session_req(s) != req || !s->sink_on) {
        return false;
    }
    if (result == GW_PARSE_DONE) {
        s->sink_on = false;
        s->message->sink.end(s->message->sink.arg, &p->trailers);
        return false;
    }
    return !s->body_paused;
}

/* What was put aside before the sink was there.  The stash stays where it is meanwhile. */
static bool
deliver_stash(struct gw_session *s)
{
    size_t at = s->stash_at;
    size_t n = s->stash_n - at;
    size_t used = n;

    s->delivering = true;
    s->stash_at = s->stash_n;
    bool more = deliver(s, s->stash + at, n, &used);
    s->delivering = false;
    s->stash_at = (uint32_t)(at + used);
    if (s->state == GW_SESSION_IDLE) {
        gw_conn_call_later(&s->conn);
    }
    return more;
}

/* What came together with the head and still is in the scratch buffer. */
static bool
deliver_rest(struct gw_session *s)
{
    char *rest = s->rest;
    size_t n = s->rest_n;
    size_t used = n;

    s->rest_n = 0;
    bool more = deliver(s, rest, n, &used);
    s->rest = rest + used;
    s->rest_n = (uint32_t)(n - used);
    return more;
}

/* Bytes that need not be looked at, straight to the sink's connection.  GW_CONN_COPY: read them. */
static long
splice_body(struct gw_session *s)
{
    struct gw_conn *to =
        s->message->sink.straight == NULL ? NULL : s->message->sink.straight(s->message->sink.arg);
    size_t n = to == NULL || to->out_bytes > 0 ? 0 : gw_parser_uniform(&s->message->parser);

    return n == 0 ? GW_CONN_COPY : gw_conn_splice(&s->conn, to, n);
}

/* So many have gone there.  False when no more are wanted now. */
static bool
deliver_spliced(struct gw_session *s, size_t n)
{
    gw_parser_skip(&s->message->parser, n);
    atomic_fetch_add_explicit(&gw_world_stats(s->all->world)->spliced, n, memory_order_relaxed);
    if (!account(s, n)) {
        return false;
    }
    s->body_paused = !s->message->sink.bytes(s->message->sink.arg, NULL, 0, n);
    return !s->body_paused;
}

void
gw_session_read_body(struct gw_session *s)
{
    struct gw_loop *l = s->conn.loop;
    size_t turn = 0;

    if (s->stash_n > s->stash_at && !deliver_stash(s)) {
        return;
    }
    while (gw_conn_may_read(&s->conn)) {
        size_t used = 0;

        if (turn >= GW_TURN_BYTES) {
            gw_conn_call_later(&s->conn);
            return;
        }
        long got = splice_body(s);
        if (got > 0) {
            turn += (size_t)got;
            if (!deliver_spliced(s, (size_t)got)) {
                return;
            }
            continue;
        }
        if (got == GW_CONN_COPY) {
            got = gw_conn_read(&s->conn, l->scratch, GW_SCRATCH_SIZE);
        }
        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) {
            body_failed(s, GW_ERR_CLIENT_GONE);
            return;
        }
        used = (size_t)got;
        turn += used;
        bool more = deliver(s, l->scratch, (size_t)got, &used);
        if (used < (size_t)got && s->state != GW_SESSION_ENDED) {
            gw_session_put_aside(s, l->scratch + used, (size_t)got - used);
            if (s->state == GW_SESSION_IDLE) {
                gw_conn_call_later(&s->conn);
            }
        }
        if (!more) {
            return;
        }
    }
    gw_conn_doubt(&s->conn);
}

void
gw_session_body_start(struct gw_session *s, const struct gw_body_sink *sink)
{
    s->message->sink = *sink;
    if (s->body_done) {
        s->message->sink.end(s->message->sink.arg, NULL);
        return;
    }
    s->sink_on = true;
    s->body_paused = false;
    gw_session_touch(s);
    if (s->rest_n > 0 && !deliver_rest(s)) {
        return;
    }
    /* The scratch buffer may be a backend's just now: the socket is read from the loop. */
    if (s->stash_n > s->stash_at || gw_conn_may_read(&s->conn)) {
        gw_conn_call_later(&s->conn);
    }
}

void
gw_session_body_resume(struct gw_session *s)
{
    if (s->sink_on && s->body_paused) {
        s->body_paused = false;
        gw_session_touch(s);
        if (s->stash_n > s->stash_at || gw_conn_may_read(&s->conn)) {
            gw_conn_call_later(&s->conn);
        }
    }
}

void
gw_session_body_hold(struct gw_session *s)
{
    s->sink_on = false;
}

void
gw_session_body_stop(struct gw_session *s)
{
    s->sink_on = false;
    if (!s->body_done && !gw_session_rest_is_small(s)) {
        s->keep_alive = false;
    }
}

bool
gw_session_body_done(const struct gw_session *s)
{
    return s->body_done;
}

struct gw_conn *
gw_session_conn(struct gw_session *s)
{
    return &s->conn;
}

void
gw_session_on_drained(struct gw_session *s, void (*drained)(void *arg), void *arg)
{
    s->message->drained = drained;
    s->message->drained_arg = arg;
}

bool
gw_session_keep_alive(const struct gw_session *s)
{
    return s->keep_alive;
}

void
gw_session_no_keep_alive(struct gw_session *s)
{
    s->keep_alive = false;
}

void
gw_session_answered_early(struct gw_session *s)
{
    s->keep_alive = s->keep_alive && (s->body_done || gw_session_rest_is_small(s));
}

void
gw_session_cut(struct gw_session *s)
{
    s->cut = true;
    s->keep_alive = false;
}
