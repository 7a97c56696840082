/* answer_head.c - a backend's answer up to the end of its head, interim answers included. */
#include <stdio.h>

#include "gateway/exchange.h"

static void
put_aside(struct gw_exchange *x, const char *p, size_t n)
{
    if (x->stash_size - x->stash_n < n) {
        x->stash_size = (x->stash_n + n) * 2;
        x->stash = gw_arena_more(x->req->arena, x->stash, x->stash_n, x->stash_size);
    }
    memmove(x->stash + x->stash_n, p, n); /* p may be the rest of the stash itself */
    x->stash_n += n;
}

static void
invalid(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    bool large = x->parser.err == GW_ERR_HEAD_TOO_LARGE || x->parser.err == GW_ERR_TOO_MANY_HEADERS;

    if (!large) {
        gw_tries_failed(x, false, "its answer is not valid HTTP");
    }
    gw_session_body_stop(req->session);
    gw_exchange_release(x, false);
    req->err = large ? GW_ERR_UPSTREAM_TOO_LARGE : GW_ERR_UPSTREAM_INVALID;
    req->detail = x->parser.detail[0] == '\0' ? NULL : x->parser.detail;
    req->decision.end = "failed";
    gw_req_resume(req, GW_FAIL);
}

/* 100, 103 ...: on to the client, which must speak 1.1; the final answer is still to come. */
static bool
pass_interim(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    const struct gw_head *head = &x->parser.head;
    bool wanted = head->status != 100 || req->head->expect_continue;
    struct gw_out out;

    x->odd = x->odd || !head->keep_alive; /* it announces a body: that could be the next answer */
    if (++x->interim > GW_INTERIM_MAX) {
        x->parser.err = GW_ERR_UPSTREAM_INVALID;
        (void)snprintf(x->parser.detail, sizeof(x->parser.detail), "more than %d interim answers",
                       GW_INTERIM_MAX);
        return false;
    }
    if (wanted && req->head->minor >= 1) {
        gw_out_init(&out, req->arena, head->raw.n + 64);
        gw_heads_interim(req, head, &out);
        gw_conn_write(gw_session_conn(req->session), &(struct iovec){out.p, out.n}, 1);
        if (head->status == 100) {
            gw_session_continue(req->session);
        }
    }
    return true;
}

/* Why a 101 can't be what the client waits for (RFC 9110, 7.8), or NULL: it may switch to what was
 * asked for, and to nothing else. */
static const char *
wrong_switch(const struct gw_head *asked, const struct gw_head *got)
{
    struct gw_str to = gw_headers_value(&got->headers, GW_H_UPGRADE);

    if (!asked->upgrade) {
        return "101 that nobody asked for";
    }
    if (got->minor == 0 || to.n == 0) {
        return got->minor == 0 ? "101 in HTTP/1.0" : "101 that does not say to which protocol";
    }
    while (to.n > 0) {
        struct gw_str one = gw_str_trim(gw_str_cut(&to, ','));

        if (!gw_headers_list_has(&asked->headers, GW_H_UPGRADE, one)) {
            return "101 to a protocol that was not asked for";
        }
    }
    return NULL;
}

static void
got_head(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    struct gw_decision *d = &req->decision;
    bool gone = false;

    if (x->parser.head.upgrade) {
        const char *wrong = wrong_switch(req->head, &x->parser.head);

        if (wrong != NULL) {
            x->parser.err = GW_ERR_UPSTREAM_INVALID;
            (void)snprintf(x->parser.detail, sizeof(x->parser.detail), "%s", wrong);
            invalid(x);
            return;
        }
    }
    x->answered = true;
    x->complete = x->parser.done;
    gw_exchange_touch(x);
    if (x->idle_ms < x->first_byte_ms) { /* else the timer finds out by itself when it fires */
        gw_wheel_set(gw_world_wheel(req->world), &x->timer, x->touched_ms + (uint64_t)x->idle_ms);
    }
    req->response = &x->parser.head;
    d->upstream_status = x->parser.head.status;
    gw_tries_answer(x, d->upstream_status);
    d->first_byte_us = x->backend->conn.loop->now_us - d->start_us;
    /* cppcheck-suppress autoVariables ; taken back below, or the exchange is gone */
    x->gone = &gone;
    gw_req_resume(req, GW_NEXT);
    if (gone) {
        return;
    }
    x->gone = NULL;
    if (x->rest_n > 0) { /* a response step waits: the scratch buffer will be someone else's */
        put_aside(x, x->rest, x->rest_n);
        x->rest_n = 0;
    }
}

/* Feeds the answer's bytes so far; false when it has come to something. */
static bool
feed_head(struct gw_exchange *x, char *base, size_t n, bool stashed)
{
    size_t used = 0;
    enum gw_parse result;

    while ((result = gw_parser_head(&x->parser, x->req->arena, base, n, &used)) == GW_PARSE_DONE &&
           x->parser.head.status < 200 && x->parser.head.status != 101) {
        if (!pass_interim(x)) {
            result = GW_PARSE_ERROR;
            break;
        }
        base += used;
        n -= used;
        gw_parser_start(&x->parser, GW_PARSE_RESPONSE, x->parser.limits);
        gw_parser_expect(&x->parser, x->req->head->method);
        if (stashed) {
            memmove(x->stash, base, n);
            x->stash_n = n;
            base = x->stash;
        }
        if (n == 0) {
            return true;
        }
    }
    switch (result) {
    case GW_PARSE_MORE:
        if (!stashed) {
            put_aside(x, base, n);
        }
        return true;
    case GW_PARSE_HEAD:
    case GW_PARSE_DONE:
        x->rest = base + used;
        x->rest_n = n - used;
        x->stash_n = 0;
        got_head(x);
        return false;
    case GW_PARSE_ERROR:
        invalid(x);
        return false;
    }
    return false;
}

static void
lost_before_head(struct gw_exchange *x)
{
    if (x->stash_n > 0 || x->interim > 0) { /* it did begin to answer: not a stale connection */
        gw_tries_failed(x, false, "it closed the connection within the answer's head");
        gw_session_body_stop(x->req->session);
        gw_exchange_release(x, false);
        x->req->err = GW_ERR_UPSTREAM_CLOSED;
        x->req->decision.end = "failed";
        gw_req_resume(x->req, GW_FAIL);
        return;
    }
    gw_exchange_lost(x, GW_ERR_UPSTREAM_CLOSED, NULL);
}

void
gw_answer_read_head(struct gw_exchange *x)
{
    struct gw_conn *c = &x->backend->conn;
    char *scratch = c->loop->scratch;

    for (;;) {
        long got = gw_conn_read(c, scratch, GW_SCRATCH_SIZE);
        bool more;

        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) {
            lost_before_head(x);
            return;
        }
        if (x->stash_n > 0) {
            put_aside(x, scratch, (size_t)got);
            more = feed_head(x, x->stash, x->stash_n, true);
        } else {
            more = feed_head(x, scratch, (size_t)got, false);
        }
        if (!more) {
            return;
        }
        gw_conn_look_again(c);
    }
}
