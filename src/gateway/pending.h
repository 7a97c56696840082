/*
 * pending.h - requests that wait for a connection to an endpoint which has all it may have.
 *
 *     gw_pending_wait() -> turn(): a connection may be taken, now
 *                       -> late(): the deadline has passed
 *                       -> gw_pending_leave(): the client has gone
 *
 * First come, first served.  When two extensions with different limits share an endpoint, who
 * waits for the lower one does not hold up those behind.
 */
#ifndef GW_GATEWAY_PENDING_H
#define GW_GATEWAY_PENDING_H

#include "gateway/upstream.h"

struct gw_waiter {
    struct gw_waiter *next, **prev;
    struct gw_endpoint *endpoint; /* borrowed; NULL: it does not wait */
    unsigned max;                 /* connections in use, below which it may go on */
    struct gw_timer timer;
    void (*turn)(struct gw_waiter *w); /* from the loop; it no longer waits in either */
    void (*late)(struct gw_waiter *w);
};

/* Is there no room below max, or somebody who came earlier for what there is? */
bool gw_pending_must_wait(const struct gw_endpoint *e, unsigned max);

/* turn and late were filled in before. */
void gw_pending_wait(struct gw_waiter *w, struct gw_endpoint *e, unsigned max, long long ms);
void gw_pending_leave(struct gw_waiter *w); /* fine when it does not wait */

/* A connection of e is no longer in use: whose turn it is hears of it from the loop. */
void gw_pending_call(struct gw_endpoint *e);

void gw_pending_fini(struct gw_endpoint *e); /* nobody waits any more */

#endif
