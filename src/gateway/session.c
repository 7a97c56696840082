#include "gateway/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/guests.h"
#include "gateway/intake.h"
#include "gateway/pace.h"
#include "gateway/session_private.h"
#include "gateway/shed.h"
#include "gateway/worlds.h"

static const struct gw_conn_events conn_events;

static uint64_t
now_ms(const struct gw_session *s)
{
    return gw_loop_now_ms(s->conn.loop);
}

static const struct gw_timeouts *
timeouts(const struct gw_session *s)
{
    return &gw_world_conf(s->all->world)->settings.timeouts;
}

/* -- the end ------------------------------------------------------------------------------- */

struct gw_slab *
gw_session_slab(const struct gw_sessions *all)
{
    return gw_world_slab(all->world, GW_SLAB_SESSIONS, sizeof(struct gw_session));
}

static void
on_free(struct gw_timer *t)
{
    struct gw_session *s = gw_session_of_timer(t);
    struct gw_sessions *all = s->all;

    gw_shed_remove(s);
    free(s->stash);
    gw_slab_give(gw_session_slab(all), s);
    all->count--;
    if (all->ended != NULL) {
        all->ended(all);
    }
}

void
gw_session_forget(struct gw_session *s)
{
    struct gw_message *m = s->message;

    s->message = NULL;
    if (m != NULL) {
        gw_arena_free(m->arena);
    }
}

void
gw_session_end(struct gw_session *s, bool reset)
{
    if (s->state == GW_SESSION_ENDED) {
        return;
    }
    if (s->state == GW_SESSION_IDLE) {
        GW_SESSION_COUNT(s, idle, -1);
    }
    GW_SESSION_COUNT(s, connections, -1);
    s->state = GW_SESSION_ENDED;
    gw_conn_close(&s->conn, reset);
    gw_session_forget(s);
    s->timer.fire = on_free;
    gw_wheel_set(&s->conn.loop->wheel, &s->timer, now_ms(s));
    if (s->counted) {
        gw_guests_leave(s->address);
    }
    if (!s->trusted) {
        s->all->clients--;
        if (s->all->left != NULL) {
            s->all->left(s->all);
        }
    }
}

/* -- the head ------------------------------------------------------------------------------ */

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
become_idle(struct gw_session *s)
{
    s->state = GW_SESSION_IDLE;
    s->touched_ms = now_ms(s);
    gw_shed_to_front(s);
    GW_SESSION_COUNT(s, idle, 1);
    if (s->stash_at == s->stash_n && s->stash != NULL && !s->delivering) {
        free(s->stash); /* an idle connection owns no buffer */
        s->stash = NULL;
        s->stash_at = s->stash_n = s->stash_size = 0;
    }
    gw_session_deadline(s, s->conn.out_bytes > 0 ? gw_pace_taking(s, timeouts(s)->body_idle)
                                                 : timeouts(s)->idle);
}

/* The next request may be there already.  It has to wait for the last answer to be taken. */
static void
read_next(struct gw_session *s)
{
    if (s->conn.out_bytes == 0 &&
        (s->stash_n > s->stash_at || s->rest_n > 0 || gw_conn_may_read(&s->conn))) {
        gw_conn_call_later(&s->conn); /* from the loop: pipelining must not recurse */
    }
}

void
gw_session_next(struct gw_session *s)
{
    become_idle(s);
    read_next(s);
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

static void
give_up_message(struct gw_session *s)
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
        gw_session_deadline(s, timeouts(s)->half_closed);
    }
    s->sink_on = s->body_paused = s->tunneling = s->cut = false;
    s->body_done = ok && s->message->parser.done;
    s->keep_alive = ok && s->message->parser.head.keep_alive && !s->all->draining;
    s->touched_ms = now_ms(s);
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

static void
read_head(struct gw_session *s)
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
                give_up_message(s);
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

/* -- the end of a request ------------------------------------------------------------------- */

/* The client has said that this was its last request (RFC 9112, 9.6), all of it was read, and the
 * answer was taken: nothing is left that closing could destroy. */
static bool
is_over(const struct gw_session *s, const struct gw_req *req)
{
    return s->body_done && !req->head->keep_alive && s->conn.out_bytes == 0 &&
           s->stash_n == s->stash_at && s->rest_n == 0 && !gw_conn_may_read(&s->conn);
}

void
gw_session_request_over(struct gw_session *s, struct gw_req *req)
{
    struct gw_world *w = s->all->world;
    uint64_t rest = s->body_done || s->message == NULL ? 0 : s->message->parser.body_left;
    bool whole = s->keep_alive && !s->tunneling && !s->all->draining &&
                 (s->body_done || gw_session_rest_is_small(s));
    bool over = is_over(s, req);

    GW_SESSION_COUNT(s, requests, -1);
    s->message = NULL;
    s->sink_on = false;
    s->requests++;
    gw_world_conf_give(w, req->snapshot);
    gw_arena_free(req->arena); /* the request and the message live in it */
    if (s->state == GW_SESSION_ENDED) {
        return;
    }
    if (s->cut || s->conn.failed || over) {
        gw_session_end(s, s->cut);
    } else if (!whole) {
        gw_session_linger(s);
    } else if (rest > 0) {
        gw_session_skip_rest(s, (uint32_t)rest);
    } else {
        gw_session_next(s);
    }
}

void
gw_session_abandon(struct gw_session *s, enum gw_err err, const char *why, bool reset)
{
    struct gw_req *req = gw_session_req(s);

    s->cut = s->cut || reset;
    s->keep_alive = false;
    s->conn.failed = true; /* whatever is still written goes nowhere */
    if (req != NULL && req->waiting) {
        req->decision.end = why;
        if (req->err == GW_ERR_OK) {
            req->err = err;
        }
        gw_req_abort(req);
    }
}

/* -- while a request runs -------------------------------------------------------------------- */

/* Something happened on the client's side, and nobody wants its bytes now: is it still there?
 * A FIN alone may be half-close (`nc`, some pooled clients): the answer is still finished, as
 * long as it makes progress (timeouts.half_closed). */
static void
look_at_client(struct gw_session *s)
{
    char byte;
    ssize_t got = s->conn.failed ? -1 : recv(s->conn.fd, &byte, 1, MSG_PEEK);

    if (got > 0 && !gw_conn_was_reset(&s->conn)) {
        return; /* pipelined, or more of the body: read when this request is over, or takes it */
    }
    if (got == 0) {
        if (!s->half_closed) {
            s->half_closed = true;
            s->keep_alive = s->keep_alive && s->stash_n > s->stash_at; /* pipelined before it */
            s->touched_ms = now_ms(s);
            s->pending = (uint32_t)s->message->req->decision.bytes_out;
            gw_session_deadline(s, timeouts(s)->half_closed);
        }
        return;
    }
    if (got > 0 || s->conn.failed || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        gw_session_abandon(s, GW_ERR_CLIENT_GONE, "client_gone", false);
    }
}

static void
on_readable(struct gw_conn *c)
{
    struct gw_session *s = (struct gw_session *)c;

    switch (s->state) {
    case GW_SESSION_IDLE:
        if (s->conn.out_bytes == 0) { /* who does not take its answers gets no more of them */
            read_head(s);
        }
        break;
    case GW_SESSION_HEAD:
        read_head(s);
        break;
    case GW_SESSION_BUSY:
        if (s->tunneling) {
            s->tunnel->readable(s->tunnel_arg);
        } else if (s->sink_on && !s->body_paused && !s->body_done) {
            gw_session_read_body(s);
        } else if (s->conn.failed || gw_conn_may_read(c)) {
            look_at_client(s);
        }
        break;
    case GW_SESSION_REST:
        gw_session_read_rest(s);
        break;
    case GW_SESSION_LINGER:
        gw_session_read_lingering(s);
        break;
    case GW_SESSION_ENDED:
        break;
    }
}

static void
on_drained(struct gw_conn *c)
{
    struct gw_session *s = (struct gw_session *)c;

    gw_pace_drained(s);
    switch (s->state) {
    case GW_SESSION_IDLE:
        gw_session_deadline(s, timeouts(s)->idle);
        read_next(s);
        break;
    case GW_SESSION_BUSY:
        if (s->message->drained != NULL) {
            s->message->drained(s->message->drained_arg);
        }
        break;
    case GW_SESSION_REST:
    case GW_SESSION_LINGER:
        gw_session_deadline(s, timeouts(s)->linger);
        break;
    case GW_SESSION_HEAD:
    case GW_SESSION_ENDED:
        break;
    }
}

static const struct gw_conn_events conn_events = {
    .readable = on_readable,
    .drained = on_drained,
};

void
gw_session_start(struct gw_session *s, int fd)
{
    s->timer.fire = gw_session_on_timer;
    gw_conn_open(&s->conn, gw_world_loop(s->all->world), fd, &conn_events);
    become_idle(s);
}

void
gw_session_try_read(struct gw_session *s)
{
    s->conn.may_read = true;
    read_head(s);
}

void
gw_session_shut_out(struct gw_session *s)
{
    if (s->state == GW_SESSION_BUSY) {
        gw_session_abandon(s, GW_ERR_CLIENT_GONE, "shutdown", true);
    }
    if (s->state == GW_SESSION_HEAD) {
        give_up_message(s);
    }
    gw_session_end(s, false);
}
