/*
 * exchange.h - one request's dealings with a backend: shared by forward.c, forward_try.c and
 * forward_body.c (the request's way there), answer_head.c and answer.c (the answer's way back),
 * heads.c (what the heads become) and tunnel.c.
 */
#ifndef GW_GATEWAY_EXCHANGE_H
#define GW_GATEWAY_EXCHANGE_H

#include "gateway/conf.h"
#include "gateway/session.h"
#include "gateway/upstream.h"
#include "http/write.h"

/* Interim answers of one request; more is a backend gone mad. */
#define GW_INTERIM_MAX 16
/* Other endpoints that are tried when no connection can be made: each may take its time. */
#define GW_DIALS_MAX 7

struct gw_exchange {
    struct gw_req *req;
    struct gw_backend *backend;   /* ours until given back or dropped; NULL: none now */
    struct gw_parser parser;      /* of the answer */
    struct gw_timer timer;        /* first byte, then pauses within the answer */
    struct gw_endpoint *endpoint; /* of the try under way, or the last; the request keeps it */
    uint64_t touched_ms;
    uint64_t tried;      /* a bit for each endpoint of the request's list */
    unsigned tries_left; /* of what was sent; of what was not: */
    unsigned dials_left;
    unsigned interim;
    unsigned trial; /* on it hangs whether the endpoint gets more: its number (outlier.h), or 0 */
    struct gw_waiter *waiter; /* forward_try's, for a turn at a full endpoint; arena; or NULL */
    long long first_byte_ms, idle_ms, connect_ms, tunnel_idle_ms, pending_ms;
    char *stash; /* answer bytes that could not be used yet; arena */
    size_t stash_n, stash_size;
    char *rest; /* the same, in the scratch buffer of this callback */
    size_t rest_n;
    bool *gone;                /* set when the exchange ends while a callback is below us */
    bool in_step, step_failed; /* a failure within the forward step is its verdict */
    bool waited;               /* for a turn, in vain */
    bool head_sent;            /* to the backend */
    bool sent_again;           /* to one before, which lost it */
    bool body_begun;           /* bytes of the body went to the backend: no second try */
    bool body_sent;            /* all of it */
    bool again;                /* it was sent before: a second try, which the budget allows */
    bool counted;              /* in the endpoint's retries */
    bool odd;                  /* the backend's connection is not to be used again */
    bool answered;             /* the answer's head has come */
    bool sending;              /* the send step has the word */
    bool complete;             /* the answer's last byte has come */
    bool chunk_up, chunk_down; /* we frame the body as chunks */
    bool no_body;              /* the client gets none (HEAD, 204, 304) */
};

static inline void
gw_exchange_touch(struct gw_exchange *x)
{
    x->touched_ms = gw_world_now_ms(x->req->world);
}

/* How many other endpoints are tried when no connection can be made. */
static inline unsigned
gw_exchange_others(const struct gw_destination *to)
{
    return to->n_endpoints - 1 < GW_DIALS_MAX ? to->n_endpoints - 1 : GW_DIALS_MAX;
}

/* heads.c */
void gw_heads_request(struct gw_exchange *x, struct gw_out *out);
void gw_heads_response(struct gw_exchange *x, struct gw_out *out);
void gw_heads_interim(const struct gw_req *req, const struct gw_head *head, struct gw_out *out);

/* forward_body.c */
/* Head and body to x->backend, which is ready. */
void gw_exchange_send(struct gw_exchange *x);

/* forward.c */
/* The connection is not usable for another message, or is: leave it. */
void gw_exchange_release(struct gw_exchange *x, bool reusable);
/* The request fails with err; detail (copied) or NULL.  The backend is left. */
void gw_exchange_fail(struct gw_exchange *x, enum gw_err err, const char *detail);

/* forward_try.c */
/* The first endpoint: takes a connection to it, or a place in its queue.  False when there is
 * neither at any; req->err and detail then say why. */
bool gw_exchange_try(struct gw_exchange *x);
/* Nothing of an answer has come: another try, or the request fails with err. */
void gw_exchange_lost(struct gw_exchange *x, enum gw_err err, const char *detail);

/* answer_head.c: what is there of it; when it is whole, the request goes on. */
void gw_answer_read_head(struct gw_exchange *x);

/* answer.c */
void gw_answer_readable(struct gw_exchange *x);
void gw_answer_timeout(struct gw_exchange *x);

/* tries.c */
void gw_tries_begin(struct gw_exchange *x, struct gw_endpoint *e); /* the next one, there */
void gw_tries_end(struct gw_exchange *x);                          /* it is over, however */
/* For the endpoint's record: nothing that is an answer came (silent: nothing at all, in time), or
 * an answer did. */
void gw_tries_failed(struct gw_exchange *x, bool silent, const char *why);
void gw_tries_answer(struct gw_exchange *x, unsigned status);
/* It was sent, and may be sent again: does the destination's budget allow it? */
bool gw_tries_afford(struct gw_exchange *x);
/* All that could be tried is left alone: why; the client is told when to come again.  NULL: that
 * is not so. */
const char *gw_tries_refused(struct gw_exchange *x);

/* tunnel.c: both connections belong to the tunnel now.  Ends by gw_req_resume(). */
void gw_tunnel_begin(struct gw_exchange *x);

#endif
