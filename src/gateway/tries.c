/*
 * tries.c - what the tries of a request tell of endpoints, and what endpoints that are left alone
 * mean for a request.
 */
#include "gateway/exchange.h"

/* Second tries that are under way at once whatever the budget, unless that is nothing: a request
 * that is alone may be tried again. */
#define RETRIES_FREE 3

void
gw_tries_begin(struct gw_exchange *x, struct gw_endpoint *e)
{
    x->endpoint = e;
    x->trial = e->outlier != NULL ? gw_outlier_begin(e) : 0;
    x->counted = x->again;
    e->retries += x->again;
}

void
gw_tries_end(struct gw_exchange *x)
{
    if (x->trial != 0) { /* the client has left, or no connection became free */
        gw_outlier_cancel(x->endpoint, x->trial);
        x->trial = 0;
    }
    if (x->counted) {
        x->counted = false;
        x->endpoint->retries--;
    }
}

bool
gw_tries_afford(struct gw_exchange *x)
{
    const struct gw_destination *to = &x->req->to;
    uint64_t active = 1; /* this one, which has just left its connection */
    uint64_t retries = 0;

    for (unsigned i = 0; i < to->n_endpoints; i++) {
        active += (uint64_t)to->endpoints[i]->busy + to->endpoints[i]->n_pending;
        retries += to->endpoints[i]->retries;
    }
    uint64_t free = to->retry_percent > 0 ? RETRIES_FREE : 0;
    uint64_t share = active * to->retry_percent / 100;
    x->again = retries < (share > free ? share : free);
    if (!x->again) {
        atomic_fetch_add_explicit(&gw_world_stats(x->req->world)->retries_refused, 1,
                                  memory_order_relaxed);
    }
    return x->again;
}

void
gw_tries_failed(struct gw_exchange *x, bool silent, const char *why)
{
    unsigned trial = x->trial;

    x->trial = 0;
    gw_outlier_failed(x->endpoint, &x->req->to, silent, trial, why);
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
    unsigned trial = x->trial;

    x->trial = 0;
    if (why != NULL) {
        gw_outlier_failed(x->endpoint, &x->req->to, false, trial, why);
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
