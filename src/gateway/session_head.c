/* session_head.c - a request's head is read, and what came with it kept; then the request runs. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/intake.h"
#include "gateway/session_private.h"

void
gw_session_put_aside(struct gw_session *s, const char *p, size_t n)
{
    assert(!s->delivering && s->stash_n + n < UINT32_MAX / 2);
    if (s->stash_at > 0 && s->stash_size - s->stash_n < n) { /* what was used makes room */
        s->stash_n -= s->stash_at;
        memmove(s->stash, s->stash + s->stash_at, s->stash_n);
        s->stash_at = 0;
    }
    if (s->stash_size - s->stash_n < n) {
        s->stash_size = (uint32_t)(s->stash_n + n) * 2;
        s->stash = gw_mem_resize(s->stash, s->stash_size);
    }
    memcpy(s->stash + s->stash_n, p, n);
    s->stash_n += (uint32_t)n;
}

static void
begin_message(struct gw_session *s)
{
    if (s->state == GW_SESSION_IDLE) {
        GW_SESSION_COUNT(s, idle, -1);
    }
    s->state = GW_SESSION_HEAD;
    struct gw_arena *arena = gw_arena_new();
    struct gw_message *m = gw_arena_raw(arena, sizeof(*m));
    m->arena = arena;
    m->conf = gw_world_conf_take(s->all->world);
    m->req = NULL;
    m->start_us = s->conn.loop->now_us;
    m->leave_err = GW_ERR_OK;
    m->drained = NULL;
    m->stream = NULL;
    gw_parser_start(&m->parser, GW_PARSE_REQUEST, &m->conf->settings.parse);
    s->message = m;
    gw_session_deadline(s, m->conf->settings.timeouts.head);
}

void
gw_session_give_up_head(struct gw_session *s)
{
    gw_world_conf_give(s->all->world, s->message->conf);
    gw_session_end(s, false);
}

/* Whatever it asks for. */
static void
refuse_guest(struct gw_session *s, struct gw_req *req)
{
    long long limit = gw_world_conf(s->all->world)->settings.limits.connections_per_client;

    s->keep_alive = false;
    req->err = GW_ERR_CLIENT_CONNECTIONS;
    req->detail = gw_arena_printf(
        req->arena, "limits.connections_per_client is %lld, and %.*s has more connections", limit,
        GW_STR_ARG(req->peer_ip));
    req->decision.end = "refused";
}

/* The head is there, or wrong: from here on the request has the word. */
void
gw_session_begin(struct gw_session *s, bool ok)
{
    s->state = GW_SESSION_BUSY;
    gw_wheel_cancel(&s->timer);
    if (s->half_closed) {
        gw_session_deadline(s, gw_session_timeouts(s)->half_closed);
    }
    s->sink_on = s->body_paused = s->tunneling = s->cut = false;
    s->body_done = ok && s->message->parser.done;
    s->keep_alive = ok && s->message->parser.head.keep_alive && !s->all->draining;
    s->touched_ms = gw_loop_now_ms(s->conn.loop);
    s->debt_ms = s->pending = 0;
    s->awaits_100 = ok && s->message->parser.head.expect_continue && !s->body_done;
    GW_SESSION_COUNT(s, requests, 1);
    struct gw_req *req = gw_intake(s, ok);
    s->message->req = req;
    if (s->over) {
        refuse_guest(s, req);
    }
    if (req->err != GW_ERR_OK) {
        s->keep_alive =
            s->keep_alive &&
            (s->body_done || (req->err != GW_ERR_BODY_TOO_LARGE && gw_session_rest_is_small(s)));
        gw_req_refuse(req);
    } else {
        gw_req_run(req);
    }
}

/* Feeds the parser all bytes of the message so far; true while it wants more. */
static bool
feed_head(struct gw_session *s, char *base, size_t n, bool from_stash)
{
    size_t used = 0;

    if (s->state != GW_SESSION_HEAD) {
        begin_message(s);
    }
    switch (gw_parser_head(&s->message->parser, s->message->arena, base, n, &used)) {
    case GW_PARSE_MORE:
        if (!from_stash) {
            gw_session_put_aside(s, base, n);
        }
        return true;
    case GW_PARSE_HEAD:
    case GW_PARSE_DONE:
        if (from_stash) {
            s->stash_at += (uint32_t)used;
        } else {
            s->rest = base + used;
            s->rest_n = (uint32_t)(n - used);
        }
        gw_session_begin(s, true);
        break;
    case GW_PARSE_ERROR:
        gw_session_begin(s, false);
        break;
    }
    if (s->rest_n > 0 && s->state != GW_SESSION_ENDED) {
        /* The scratch buffer is about to be someone else's. */
        gw_session_put_aside(s, s->rest, s->rest_n);
        if (s->state == GW_SESSION_IDLE || s->state == GW_SESSION_REST) {
            gw_conn_call_later(&s->conn);
        }
    }
    s->rest_n = 0;
    return false;
}

void
gw_session_read_head(struct gw_session *s)
{
    struct gw_loop *l = s->conn.loop;

    if (s->state == GW_SESSION_IDLE && s->stash_n > s->stash_at) {
        /* Pipelined: the next request is here already. */
        if (!feed_head(s, s->stash + s->stash_at, s->stash_n - s->stash_at, true)) {
            return;
        }
    }
    for (;;) {
        long got = gw_conn_read(&s->conn, l->scratch, GW_SCRATCH_SIZE);

        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) { /* between requests that is the usual end; within a head there is nobody
                           left to answer */
            if (s->state == GW_SESSION_HEAD) {
                gw_session_give_up_head(s);
            } else {
                gw_session_end(s, false);
            }
            return;
        }
        bool more;
        if (s->stash_n > s->stash_at) {
            gw_session_put_aside(s, l->scratch, (size_t)got);
            more = feed_head(s, s->stash + s->stash_at, s->stash_n - s->stash_at, true);
        } else {
            s->stash_at = s->stash_n = 0;
            more = feed_head(s, l->scratch, (size_t)got, false);
        }
        if (!more) {
            return;
        }
        gw_conn_look_again(&s->conn);
    }
}
