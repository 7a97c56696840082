/*
 * forward_body.c - the request itself goes out to its backend: the head, and the body as it comes.
 */
#include "gateway/exchange.h"
#include "gateway/intake.h"

static bool
on_body(void *arg, const struct iovec *iov, unsigned n, size_t bytes)
{
    struct gw_exchange *x = arg;
    struct iovec out[GW_PARSE_IOV + 2];
    char line[20];
    unsigned k = 0;

    if (x->backend == NULL) {
        return true; /* the answer is complete already: read on, for keep-alive's sake */
    }
    x->body_begun = true;
    gw_exchange_touch(x);
    if (x->chunk_up) {
        out[k++] = (struct iovec){line, gw_chunk_line(line, bytes)};
    }
    for (unsigned i = 0; i < n; i++) {
        out[k++] = iov[i];
    }
    if (x->chunk_up) {
        out[k++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
    }
    if (k > 0) { /* else they have gone straight there */
        gw_conn_write(&x->backend->conn, out, (int)k);
    }
    return x->backend->conn.out_bytes == 0;
}

static struct gw_conn *
straight(void *arg)
{
    struct gw_exchange *x = arg;

    return x->backend == NULL || x->chunk_up ? NULL : &x->backend->conn;
}

static void
on_body_end(void *arg, const struct gw_headers *trailers)
{
    struct gw_exchange *x = arg;

    x->body_sent = true;
    x->body_begun |= trailers != NULL && trailers->n > 0; /* they come once */
    if (x->backend == NULL) {
        return;
    }
    gw_exchange_touch(x);
    if (x->chunk_up) {
        struct gw_out out;

        gw_out_init(&out, x->req->arena, 64);
        gw_out_last_chunk(&out, trailers);
        gw_conn_cork(&x->backend->conn, out.p, out.n);
    }
    gw_conn_flush(&x->backend->conn);
}

static void
on_body_failed(void *arg, enum gw_err err)
{
    struct gw_exchange *x = arg;

    if (!x->answered) {
        gw_exchange_fail(x, err, NULL);
        return;
    }
    gw_session_cut(x->req->session);
    x->req->err = err;
    x->req->decision.end = "client_gone";
    gw_req_abort(x->req);
}

void
gw_exchange_send(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    struct gw_conn *c = &x->backend->conn;
    struct gw_out out;

    req->decision.reused = x->backend->reused;
    req->decision.endpoint = gw_endpoint_url(x->backend->endpoint);
    req->decision.connected_us = c->loop->now_us - req->decision.start_us;
    gw_out_init(&out, req->arena, req->head->raw.n + 512);
    gw_heads_request(x, &out);
    x->head_sent = true;
    gw_exchange_touch(x);
    gw_wheel_set(gw_world_wheel(req->world), &x->timer, x->touched_ms + (uint64_t)x->first_byte_ms);
    gw_parser_start(&x->parser, GW_PARSE_RESPONSE, x->parser.limits);
    gw_parser_expect(&x->parser, req->head->method);
    if (req->head->body == GW_BODY_NONE) {
        x->body_sent = true;
        gw_conn_write(c, &(struct iovec){out.p, out.n}, 1);
        x->head_sent = !c->failed; /* not a byte of it */
        return;
    }
    gw_conn_cork(c, out.p, out.n); /* goes out with the body's first bytes */
    gw_session_body_start(req->session, &(struct gw_body_sink){.bytes = on_body,
                                                               .end = on_body_end,
                                                               .fail = on_body_failed,
                                                               .straight = straight,
                                                               .arg = x});
    if (x->backend != NULL && x->backend->conn.out_bytes > 0) {
        gw_conn_flush(&x->backend->conn);
    }
}
