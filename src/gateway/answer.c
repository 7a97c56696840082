/*
 * answer.c - the answer's way back: from a backend (its head: answer_head.c), or our own, to the
 * client.
 *
 *     backend readable -> head -> (response steps) -> send: head and first bytes in one write
 *                      -> more bytes, while the client takes them -> the end
 */
#include "base/clock.h"
#include "gateway/exchange.h"
#include "gateway/forward.h"
#include "gateway/reply.h"
#include "gateway/stream.h"

/* -- the body ---------------------------------------------------------------------------------- */

static void
note_end(struct gw_exchange *x)
{
    struct gw_decision *d = &x->req->decision;

    d->end_us = gw_world_loop(x->req->world)->now_us - d->start_us;
    if (d->end == NULL) {
        d->end = "done";
    }
}

/* The backend's connection may serve another request only when both messages on it were whole. */
static void
finish(struct gw_exchange *x)
{
    bool whole = x->complete && x->body_sent && x->parser.head.keep_alive && !x->odd &&
                 x->parser.head.body != GW_BODY_TO_CLOSE && x->rest_n == 0 && x->stash_n == 0;

    if (!x->body_sent) {
        gw_session_body_stop(x->req->session);
    }
    note_end(x);
    gw_exchange_release(x, whole);
}

/* Puts the head in front of the body where that lies in the scratch buffer, over the head that it
 * came with.  False when there is no room. */
static bool
join(const struct gw_loop *l, const struct iovec *head, struct iovec *body)
{
    char *at = body->iov_base;

    if (at < l->scratch || at >= l->scratch + GW_SCRATCH_SIZE ||
        (size_t)(at - l->scratch) + GW_SCRATCH_FRONT < head->iov_len) {
        return false;
    }
    body->iov_base = memcpy(at - head->iov_len, head->iov_base, head->iov_len);
    body->iov_len += head->iov_len;
    return true;
}

/* Writes what the parser has just found, after `first` (a head, or none), as one call. */
static void
write_found(struct gw_exchange *x, const struct iovec *first)
{
    struct iovec iov[GW_PARSE_IOV + 4];
    struct gw_parser *p = &x->parser;
    struct gw_conn *client = gw_session_conn(x->req->session);
    struct gw_out last;
    char line[20];
    int n = 0;

    bool joined = first != NULL && p->n_body > 0 && !x->no_body && !x->chunk_down &&
                  join(client->loop, first, &p->body[0]);

    if (first != NULL && !joined) {
        iov[n++] = *first;
    }
    if (p->n_body > 0 && !x->no_body) {
        if (x->chunk_down) {
            iov[n++] = (struct iovec){line, gw_chunk_line(line, p->body_bytes)};
        }
        for (unsigned i = 0; i < p->n_body; i++) {
            iov[n++] = p->body[i];
        }
        if (x->chunk_down) {
            iov[n++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
        }
        x->req->decision.bytes_out += p->body_bytes;
    }
    if (x->complete && x->chunk_down && !x->no_body) {
        gw_out_init(&last, x->req->arena, 64);
        gw_out_last_chunk(&last, &p->trailers);
        iov[n++] = (struct iovec){last.p, last.n};
    }
    if (n > 0) {
        gw_conn_write(client, iov, n);
        if (client->out_bytes > 0) {
            gw_session_touch(x->req->session);
        }
    }
}

/* Takes bytes after the head.  False when the message is broken. */
static bool
take_bytes(struct gw_exchange *x, char *bytes, size_t n, const struct iovec *first)
{
    size_t used = 0;
    enum gw_parse result = gw_parser_body(&x->parser, bytes, n, &used);

    if (result == GW_PARSE_ERROR) {
        return false;
    }
    x->complete = result == GW_PARSE_DONE;
    x->rest_n = n - used; /* more than was promised: the connection is not used again */
    gw_exchange_touch(x);
    write_found(x, first);
    return true;
}

static void
over(struct gw_exchange *x)
{
    finish(x);
    gw_req_resume(x->req, GW_NEXT);
}

/* The answer broke off: the client must not take it for whole. */
static void
cut(struct gw_exchange *x, const char *end)
{
    struct gw_req *req = x->req;

    req->err = GW_ERR_RESPONSE_CUT;
    req->decision.end = end;
    gw_session_cut(req->session);
    finish(x);
    gw_req_resume(req, GW_NEXT);
}

static void
ended_by_close(struct gw_exchange *x, bool clean)
{
    x->parser.n_body = 0;
    x->parser.body_bytes = 0;
    if (!clean || gw_parser_eof(&x->parser) != GW_PARSE_DONE) {
        cut(x, "upstream_cut");
        return;
    }
    x->complete = true;
    write_found(x, NULL);
    over(x);
}

/* Bytes that need not be looked at, from one socket to the other.  GW_CONN_COPY: read them. */
static long
splice_body(struct gw_exchange *x, struct gw_conn *client)
{
    size_t n = x->chunk_down || x->no_body ? 0 : gw_parser_uniform(&x->parser);

    if (n == 0) {
        return GW_CONN_COPY;
    }
    long got = gw_conn_splice(&x->backend->conn, client, n);
    if (got > 0) {
        gw_parser_skip(&x->parser, (size_t)got);
        atomic_fetch_add_explicit(&gw_world_stats(x->req->world)->spliced, (uint64_t)got,
                                  memory_order_relaxed);
        x->req->decision.bytes_out += (uint64_t)got;
        gw_exchange_touch(x);
        if (client->out_bytes > 0) {
            gw_session_touch(x->req->session);
        }
    }
    return got;
}

static void
read_body(struct gw_exchange *x)
{
    struct gw_conn *c = &x->backend->conn;
    struct gw_conn *client = gw_session_conn(x->req->session);
    size_t turn = 0;

    while (client->out_bytes == 0 && gw_conn_may_read(c)) {
        if (turn >= GW_TURN_BYTES) {
            gw_conn_call_later(c);
            return;
        }
        long got = splice_body(x, client);
        bool copy = got == GW_CONN_COPY;

        if (copy) {
            got = gw_conn_read(c, c->loop->scratch, GW_SCRATCH_SIZE);
        }
        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) {
            ended_by_close(x, got == GW_CONN_END);
            return;
        }
        turn += (size_t)got;
        if (copy && !take_bytes(x, c->loop->scratch, (size_t)got, NULL)) {
            cut(x, "upstream_invalid");
            return;
        }
        if (client->failed) {
            x->req->decision.end = "client_gone";
            x->req->err = GW_ERR_CLIENT_GONE;
            over(x);
            return;
        }
        if (x->complete) {
            over(x);
            return;
        }
    }
    if (!gw_conn_may_read(c)) {
        gw_conn_doubt(c);
    }
}

void
gw_answer_readable(struct gw_exchange *x)
{
    if (!x->answered) {
        gw_answer_read_head(x);
    } else if (x->sending) {
        read_body(x);
    }
    /* else a response step waits; the send step reads on */
}

/* Is it the client that keeps everybody waiting, or a step of ours?  They have deadlines of their
 * own. */
static bool
backend_may_wait(const struct gw_exchange *x)
{
    const struct gw_req *req = x->req;

    if (x->answered) {
        return !x->sending || gw_session_conn(req->session)->out_bytes > 0;
    }
    bool waits_for_100 = req->head->expect_continue && !x->body_begun;
    return !x->body_sent && !waits_for_100 && x->backend->conn.out_bytes == 0;
}

void
gw_answer_timeout(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    long long limit = x->answered ? x->idle_ms : x->first_byte_ms;

    if (x->backend != NULL && backend_may_wait(x)) {
        gw_exchange_touch(x);
        gw_wheel_set(gw_world_wheel(req->world), &x->timer, x->touched_ms + (uint64_t)limit);
        return;
    }
    if (x->answered) {
        req->detail = gw_arena_printf(req->arena, "nothing came for %lld ms (%s)", limit,
                                      req->to.idle_ms > 0 ? "the extension's timeouts.idle"
                                                          : "timeouts.backend_idle");
        cut(x, "upstream_timeout");
        return;
    }
    gw_tries_failed(x, true, gw_arena_printf(req->arena, "no answer within %lld ms", limit));
    gw_session_body_stop(req->session);
    gw_exchange_release(x, false);
    req->err = GW_ERR_UPSTREAM_TIMEOUT;
    req->detail = gw_arena_printf(
        req->arena, "after %lld ms%s", limit,
        req->to.first_byte_ms > 0 ? ", which is the extension's timeouts.firstByte" : "");
    req->decision.end = "failed";
    gw_req_resume(req, GW_FAIL);
}

/* -- sending ----------------------------------------------------------------------------------- */

static void
on_client_drained(void *arg)
{
    struct gw_exchange *x = arg;

    if (x->backend != NULL) {
        gw_conn_poke(&x->backend->conn);
    }
}

static void
cancel(void *arg)
{
    struct gw_exchange *x = arg;

    gw_session_body_stop(x->req->session);
    note_end(x);
    gw_exchange_release(x, false);
}

static enum gw_verdict
send_own(struct gw_req *req)
{
    struct gw_conn *c = gw_session_conn(req->session);
    struct iovec iov[2];
    int n = 0;

    if (!gw_session_body_done(req->session)) {
        gw_session_body_stop(req->session); /* also: Connection: close */
    }
    if (req->reply.stream != NULL) {
        return gw_stream_send(req);
    }
    gw_reply_head(req);
    iov[n++] = (struct iovec){(void *)(uintptr_t)req->response->raw.p, req->response->raw.n};
    if (!req->head->head_request && req->reply.body.n > 0) {
        iov[n++] = (struct iovec){(void *)(uintptr_t)req->reply.body.p, req->reply.body.n};
        req->decision.bytes_out = req->reply.body.n;
    }
    gw_conn_write(c, iov, n);
    if (c->out_bytes > 0) {
        gw_session_touch(req->session);
    }
    req->decision.status = req->reply.status;
    /* Our own answers are often out within the turn that read the request: the turn's clock would
     * say that they took no time at all. */
    req->decision.end_us = gw_clock_mono_us() - req->decision.start_us;
    if (req->decision.end == NULL) {
        req->decision.end = "replied";
    }
    return GW_NEXT;
}

/* The answer is broken right behind its head, of which the client has seen nothing yet. */
static enum gw_verdict
refuse(struct gw_exchange *x)
{
    struct gw_req *req = x->req;

    gw_tries_failed(x, false, "its answer is not valid HTTP");
    gw_exchange_release(x, false);
    req->err = GW_ERR_UPSTREAM_INVALID;
    req->detail = x->parser.detail;
    req->decision.end = "failed";
    gw_reply_error(req);
    return send_own(req);
}

static enum gw_verdict
send_answer(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    struct gw_session *s = req->session;
    struct gw_out out;

    if (!x->body_sent && (x->complete || x->parser.head.status >= 300)) {
        gw_session_answered_early(s);
    }
    gw_out_init(&out, req->arena, x->parser.head.raw.n + 256);
    gw_heads_response(x, &out);
    req->decision.status = x->parser.head.status;
    x->sending = true;
    struct iovec head = {out.p, out.n};
    if (x->parser.head.upgrade) {
        gw_conn_cork(gw_session_conn(s), out.p, out.n);
        req->pending = (struct gw_pending){.cancel = cancel, .arg = x};
        gw_tunnel_begin(x);
        return GW_WAIT;
    }
    x->parser.n_body = 0;
    if (x->complete) {
        x->rest_n += x->stash_n; /* more than was promised, see finish() */
    }
    if (x->complete || (x->rest_n == 0 && x->stash_n == 0)) {
        write_found(x, &head);
    } else if (!take_bytes(x, x->rest_n > 0 ? x->rest : x->stash,
                           x->rest_n > 0 ? x->rest_n : x->stash_n, &head)) {
        return refuse(x);
    }
    x->stash_n = 0;
    if (x->complete || gw_session_conn(s)->failed) {
        finish(x);
        return GW_NEXT;
    }
    gw_session_on_drained(s, on_client_drained, x);
    req->pending = (struct gw_pending){.cancel = cancel, .arg = x};
    gw_conn_poke(&x->backend->conn);
    return GW_WAIT;
}

enum gw_verdict
gw_send_step(struct gw_req *req, const void *conf)
{
    struct gw_exchange *x = req->exchange;

    (void)conf;
    /* A step after the backend's answer may have put its own in its place. */
    if (x != NULL && x->answered && req->reply.status == 0) {
        return send_answer(x);
    }
    if (x != NULL) {
        gw_exchange_release(x, false);
    }
    return send_own(req);
}
