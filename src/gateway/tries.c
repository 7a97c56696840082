/*
 * tries.c - what the tries of a request tell of endpoints, and what endpoints that are left alone
 * mean for a request.
 */
#include "gateway/exchange.h"

void
gw_tries_begin(struct gw_exchange *x, struct gw_endpoint *e)
{
    x->endpoint = e;
    x->trial = e->outlier != NULL && gw_outlier_begin(e);
}

void
gw_tries_end(struct gw_exchange *x)
{
    if (x->trial) { /* the client has left, or no connection became free */
        x->trial = false;
        gw_outlier_cancel(x->endpoint);
    }
}

void
gw_tries_silent(struct gw_exchange *x, const char *why)
{
    bool trial = x->trial;

    x->trial = false;
    gw_outlier_failed(x->endpoint, &x->req->to, GW_OUTLIER_SILENT, trial, why);
}

/* What a gateway in front of the endpoint's own backend says when that is not there, or what an
 * endpoint says that can't serve now. */
static const char *
complaint(unsigned status)
{
    switch (status) {
    case 502:
        return "it answered 502";
    case 503:
        return "it answered 503";
    case 504:
        return "it answered 504";
    default:
        return NULL;
    }
}

void
gw_tries_answer(struct gw_exchange *x, unsigned status)
{
    const char *why = complaint(status);
    bool trial = x->trial;

    x->trial = false;
    if (why != NULL) {
        gw_outlier_failed(x->endpoint, &x->req->to, GW_OUTLIER_ANSWER, trial, why);
    } else if (x->endpoint->outlier != NULL) {
        gw_outlier_ok(x->endpoint);
    }
}

const char *
gw_tries_refused(struct gw_exchange *x)
{
    struct gw_req *req = x->req;
    const struct gw_endpoint *first = NULL;
    const char *why = NULL;

    for (unsigned i = 0; i < req->to.n_endpoints; i++) {
        const struct gw_endpoint *e = req->to.endpoints[i];

        if (gw_endpoint_refuses(e) &&
            (first == NULL || gw_outlier_wait_ms(e) < gw_outlier_wait_ms(first))) {
            first = e;
        }
    }
    if (first == NULL || (why = gw_outlier_why(first, req->arena, NULL)) == NULL) {
        return NULL;
    }
    req->retry_after_s = (unsigned)(gw_outlier_wait_ms(first) / 1000) + 1;
    req->decision.endpoint = gw_endpoint_url(first);
    return gw_arena_printf(req->arena, "%.*s: %s", GW_STR_ARG(gw_endpoint_url(first)), why);
}
