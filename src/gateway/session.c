#include "gateway/session.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/guests.h"
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

/* -- between requests ------------------------------------------------------------------------ */

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
    gw_session_deadline(s, s->conn.out_bytes > 0
                               ? gw_pace_taking(s, gw_session_timeouts(s)->body_idle)
                               : gw_session_timeouts(s)->idle);
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
            gw_session_deadline(s, gw_session_timeouts(s)->half_closed);
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
            gw_session_read_head(s);
        }
        break;
    case GW_SESSION_HEAD:
        gw_session_read_head(s);
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
        gw_session_deadline(s, gw_session_timeouts(s)->idle);
        read_next(s);
        break;
    case GW_SESSION_BUSY:
        if (s->message->drained != NULL) {
            s->message->drained(s->message->drained_arg);
        }
        break;
    case GW_SESSION_REST:
    case GW_SESSION_LINGER:
        gw_session_deadline(s, gw_session_timeouts(s)->linger);
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
    gw_session_read_head(s);
}

void
gw_session_shut_out(struct gw_session *s)
{
    if (s->state == GW_SESSION_BUSY) {
        gw_session_abandon(s, GW_ERR_CLIENT_GONE, "shutdown", true);
    }
    if (s->state == GW_SESSION_HEAD) {
        gw_session_give_up_head(s);
    }
    gw_session_end(s, false);
}
