#include "gateway/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/intake.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

static const struct gw_conn_events conn_events;

#define COUNT(s, field, n) \
    atomic_fetch_add_explicit(&gw_world_stats((s)->all->world)->field, (n), memory_order_relaxed)

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

static void
set_deadline(struct gw_session *s, long long in_ms)
{
    gw_wheel_set(&s->conn.loop->wheel, &s->timer, now_ms(s) + (uint64_t)in_ms);
}

/* -- the end ------------------------------------------------------------------------------- */

static void
on_free(struct gw_timer *t)
{
    struct gw_session *s = gw_session_of_timer(t);
    struct gw_sessions *all = s->all;

    *s->prev = s->next;
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    free(s->stash);
    free(s);
    all->count--;
    if (all->ended != NULL) {
        all->ended(all);
    }
}

/* Closed now, freed by the wheel: callers up the stack may still look at it. */
static void
end_session(struct gw_session *s, bool reset)
{
    if (s->state == GW_SESSION_ENDED) {
        return;
    }
    if (s->state == GW_SESSION_IDLE) {
        COUNT(s, idle, -1);
    }
    COUNT(s, connections, -1);
    s->state = GW_SESSION_ENDED;
    gw_conn_close(&s->conn, reset);
    gw_arena_free(s->arena);
    s->arena = NULL;
    s->parser = NULL;
    s->timer.fire = on_free;
    gw_wheel_set(&s->conn.loop->wheel, &s->timer, now_ms(s));
}

/* The answer is out, or as good as: the client may still be sending, and closing now would
 * reset the connection and could destroy the answer on its way (RFC 9112, 9.6). */
static void
linger(struct gw_session *s)
{
    if (s->state == GW_SESSION_IDLE) {
        COUNT(s, idle, -1);
    }
    s->state = GW_SESSION_LINGER;
    s->lingered = 0;
    gw_arena_free(s->arena);
    s->arena = NULL;
    s->parser = NULL;
    gw_conn_shutdown(&s->conn);
    set_deadline(s, s->conn.out_bytes > 0 ? timeouts(s)->body_idle : GW_LINGER_MS);
    gw_conn_call_later(&s->conn);
}

static void
read_lingering(struct gw_session *s)
{
    long got;

    while ((got = gw_conn_read(&s->conn, s->conn.loop->scratch, GW_SCRATCH_SIZE)) > 0) {
        s->lingered += (size_t)got;
        if (s->lingered > GW_LINGER_BYTES) {
            end_session(s, false);
            return;
        }
        if (!gw_conn_may_read(&s->conn)) {
            return;
        }
    }
    if (got != GW_CONN_WAIT) {
        end_session(s, false);
    }
}

/* -- the head ------------------------------------------------------------------------------ */

void
gw_session_put_aside(struct gw_session *s, const char *p, size_t n)
{
    assert(!s->delivering);
    if (s->stash_at > 0 && s->stash_size - s->stash_n < n) { /* what was used makes room */
        s->stash_n -= s->stash_at;
        memmove(s->stash, s->stash + s->stash_at, s->stash_n);
        s->stash_at = 0;
    }
    if (s->stash_size - s->stash_n < n) {
        s->stash_size = (s->stash_n + n) * 2;
        s->stash = gw_mem_resize(s->stash, s->stash_size);
    }
    memcpy(s->stash + s->stash_n, p, n);
    s->stash_n += n;
}

static void
become_idle(struct gw_session *s)
{
    s->state = GW_SESSION_IDLE;
    COUNT(s, idle, 1);
    if (s->stash_at == s->stash_n && s->stash != NULL && !s->delivering) {
        free(s->stash); /* an idle connection owns no buffer */
        s->stash = NULL;
        s->stash_at = s->stash_n = s->stash_size = 0;
    }
    set_deadline(s, s->conn.out_bytes > 0 ? timeouts(s)->body_idle : timeouts(s)->idle);
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

static void
begin_message(struct gw_session *s)
{
    if (s->state == GW_SESSION_IDLE) {
        COUNT(s, idle, -1);
    }
    s->state = GW_SESSION_HEAD;
    s->arena = gw_arena_new();
    s->parser = gw_arena_raw(s->arena, sizeof(*s->parser));
    s->conf = gw_world_conf_take(s->all->world);
    gw_parser_start(s->parser, GW_PARSE_REQUEST, &s->conf->settings.parse);
    s->start_us = s->conn.loop->now_us;
    set_deadline(s, s->conf->settings.timeouts.head);
}

static void
give_up_message(struct gw_session *s)
{
    gw_world_conf_give(s->all->world, s->conf);
    s->conf = NULL;
    end_session(s, false);
}

/* The head is there, or wrong: from here on the request has the word. */
static void
begin_request(struct gw_session *s, bool ok)
{
    s->state = GW_SESSION_BUSY;
    gw_wheel_cancel(&s->timer);
    if (s->half_closed) {
        set_deadline(s, timeouts(s)->half_closed);
    }
    s->sink_on = s->body_paused = s->tunneling = s->cut = false;
    s->drained = NULL;
    s->body_done = ok && s->parser->done;
    s->keep_alive = ok && s->parser->head.keep_alive && !s->all->draining;
    s->touched_ms = now_ms(s);
    COUNT(s, requests, 1);
    struct gw_req *req = gw_intake(s, ok);
    s->req = req;
    if (req->err != GW_ERR_OK) {
        s->keep_alive = s->keep_alive && s->body_done;
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
    switch (gw_parser_head(s->parser, s->arena, base, n, &used)) {
    case GW_PARSE_MORE:
        if (!from_stash) {
            gw_session_put_aside(s, base, n);
        }
        return true;
    case GW_PARSE_HEAD:
    case GW_PARSE_DONE:
        if (from_stash) {
            s->stash_at += used;
        } else {
            s->rest = base + used;
            s->rest_n = n - used;
        }
        begin_request(s, true);
        break;
    case GW_PARSE_ERROR:
        begin_request(s, false);
        break;
    }
    if (s->rest_n > 0 && s->state != GW_SESSION_ENDED) {
        /* The scratch buffer is about to be someone else's. */
        gw_session_put_aside(s, s->rest, s->rest_n);
        if (s->state == GW_SESSION_IDLE) {
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
                end_session(s, false);
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
        if (!more || !gw_conn_may_read(&s->conn)) {
            return;
        }
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
    bool whole = s->body_done && s->keep_alive && !s->tunneling && !s->all->draining;
    bool over = is_over(s, req);

    COUNT(s, requests, -1);
    s->req = NULL;
    s->sink_on = false;
    s->drained = NULL;
    s->requests++;
    gw_world_conf_give(w, req->snapshot);
    s->conf = NULL;
    s->parser = NULL;
    s->arena = NULL;
    gw_arena_free(req->arena); /* the request and the parser live in it */
    if (s->state == GW_SESSION_ENDED) {
        return;
    }
    if (s->cut || s->conn.failed || over) {
        end_session(s, s->cut);
    } else if (!whole) {
        linger(s);
    } else {
        become_idle(s);
        read_next(s);
    }
}

/* The client has gone or is given up while its request runs. */
static void
abandon(struct gw_session *s, const char *why, bool reset)
{
    struct gw_req *req = s->req;

    s->cut = s->cut || reset;
    s->keep_alive = false;
    s->conn.failed = true; /* whatever is still written goes nowhere */
    if (req != NULL && req->waiting) {
        req->decision.end = why;
        if (req->err == GW_ERR_OK) {
            req->err = GW_ERR_CLIENT_GONE;
        }
        gw_req_abort(req);
    }
}

/* -- deadlines ------------------------------------------------------------------------------ */

static void
refuse_late_head(struct gw_session *s)
{
    s->parser->err = GW_ERR_HEAD_TIMEOUT;
    begin_request(s, false);
}

static void
check_busy(struct gw_session *s)
{
    uint64_t idle = now_ms(s) - s->touched_ms;
    uint64_t body = (uint64_t)timeouts(s)->body_idle;
    uint64_t half = (uint64_t)timeouts(s)->half_closed;

    if (s->tunneling) {
        return; /* has its own deadline */
    }
    if (s->half_closed && idle >= half) {
        abandon(s, "client_gone", false);
    } else if (s->conn.out_bytes > 0 && idle >= body) {
        abandon(s, "client_too_slow", true);
    } else if (s->sink_on && !s->body_paused && !s->body_done && idle >= body) {
        s->keep_alive = false;
        s->sink_on = false;
        s->sink.fail(s->sink.arg, GW_ERR_BODY_TIMEOUT);
    } else if (s->half_closed || s->conn.out_bytes > 0 || (s->sink_on && !s->body_done)) {
        uint64_t limit = s->half_closed && half < body ? half : body;

        set_deadline(s, (long long)(idle >= limit ? 1000 : limit - idle));
    }
}

static void
on_timer(struct gw_timer *t)
{
    struct gw_session *s = gw_session_of_timer(t);

    switch (s->state) {
    case GW_SESSION_IDLE:
    case GW_SESSION_LINGER:
        end_session(s, s->conn.out_bytes > 0); /* the client must not take the rest for all */
        break;
    case GW_SESSION_HEAD:
        refuse_late_head(s);
        break;
    case GW_SESSION_BUSY:
        check_busy(s);
        break;
    case GW_SESSION_ENDED:
        break;
    }
}

void
gw_session_touch(struct gw_session *s)
{
    s->touched_ms = now_ms(s);
    if (!gw_wheel_is_set(&s->timer) && s->state == GW_SESSION_BUSY) {
        set_deadline(s, timeouts(s)->body_idle);
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

    if (got > 0) {
        return; /* pipelined: read when this request is over */
    }
    if (got == 0) {
        if (!s->half_closed) {
            s->half_closed = true;
            s->keep_alive = s->keep_alive && s->stash_n > s->stash_at; /* pipelined before it */
            s->touched_ms = now_ms(s);
            set_deadline(s, timeouts(s)->half_closed);
        }
        return;
    }
    if (s->conn.failed || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        abandon(s, "client_gone", false);
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
            s->tunnel_readable(s->tunnel_arg);
        } else if (s->sink_on && !s->body_paused && !s->body_done) {
            gw_session_read_body(s);
        } else if (s->conn.failed || gw_conn_may_read(c)) {
            look_at_client(s);
        }
        break;
    case GW_SESSION_LINGER:
        read_lingering(s);
        break;
    case GW_SESSION_ENDED:
        break;
    }
}

static void
on_drained(struct gw_conn *c)
{
    struct gw_session *s = (struct gw_session *)c;

    s->touched_ms = now_ms(s);
    switch (s->state) {
    case GW_SESSION_IDLE:
        set_deadline(s, timeouts(s)->idle);
        read_next(s);
        break;
    case GW_SESSION_BUSY:
        if (s->drained != NULL) {
            s->drained(s->drained_arg);
        }
        break;
    case GW_SESSION_LINGER:
        set_deadline(s, GW_LINGER_MS);
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

/* -- all of them ------------------------------------------------------------------------------ */

static void
note_peer(struct gw_session *s, const struct sockaddr_storage *peer)
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (peer->ss_family == AF_INET) {
        memcpy(s->address, v4_mapped, 12);
        memcpy(s->address + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        memcpy(s->address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    }
}

void
gw_session_open(struct gw_sessions *all, int fd, const struct sockaddr_storage *peer, bool trusted)
{
    struct gw_session *s = gw_mem_alloc(sizeof(*s));

    s->all = all;
    s->trusted = trusted;
    note_peer(s, peer);
    s->next = all->all;
    s->prev = &all->all;
    if (s->next != NULL) {
        s->next->prev = &s->next;
    }
    all->all = s;
    all->count++;
    s->timer.fire = on_timer;
    gw_conn_open(&s->conn, gw_world_loop(all->world), fd, &conn_events);
    COUNT(s, accepted, 1);
    COUNT(s, connections, 1);
    become_idle(s);
    /* Clients usually speak first, and at once: one read now saves a turn of the loop. */
    s->conn.may_read = true;
    read_head(s);
}

void
gw_sessions_drain(struct gw_sessions *all)
{
    all->draining = true;
    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        s->keep_alive = false;
        if (s->state != GW_SESSION_IDLE) {
            continue;
        }
        if (s->conn.out_bytes > 0) {
            linger(s);
        } else if (s->requests == 0) {
            set_deadline(s, GW_LINGER_MS); /* just come: its request is on its way */
        } else {
            end_session(s, false);
        }
    }
}

void
gw_sessions_close(struct gw_sessions *all)
{
    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        if (s->state == GW_SESSION_BUSY) {
            abandon(s, "shutdown", true);
        }
        if (s->state == GW_SESSION_HEAD) {
            give_up_message(s);
        }
        end_session(s, false);
    }
    while (all->all != NULL) {
        struct gw_timer *t = &all->all->timer;

        gw_wheel_cancel(t);
        t->fire(t);
    }
}
