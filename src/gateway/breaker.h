/*
 * breaker.h - what failures in a row make of an endpoint (docs/adr/0005-endpoint-health.md).
 *
 *     closed --errors--> ejected --silence goes on--> open
 *        ^                  |                           |
 *        +--- a success, of a trial or otherwise -------+
 *
 * An ejected endpoint gets no requests while others can take them; an open one gets none at all.
 * Of both, when the time is over, one request at a time is a trial: until one succeeds.
 *
 * Pure: the clock and the dice are the caller's.
 */
#ifndef GW_GATEWAY_BREAKER_H
#define GW_GATEWAY_BREAKER_H

#include "gateway/outlier.h"

enum gw_breaker_state {
    GW_BREAKER_CLOSED,
    GW_BREAKER_EJECTED,
    GW_BREAKER_OPEN,
};

/* Zeroed: closed.  A success zeroes it again. */
struct gw_breaker {
    enum gw_breaker_state state;
    unsigned trial;          /* the number of the request that is there to find out; 0: none is */
    unsigned errors, silent; /* failures in a row; of them the last so many silent */
    unsigned times;          /* left alone, in a row */
    uint64_t until_ms;
};

struct gw_breaker_failure {
    bool silent;    /* a deadline passed without a sign */
    unsigned trial; /* the number it began with as a trial; 0: it was none */
    bool may_eject; /* others are there, and the share of the ejected allows it */
};

/* May requests be sent there, if others are there as well? */
bool gw_breaker_admits(const struct gw_breaker *b, uint64_t now_ms);
/* May none be sent there, whoever else is there? */
bool gw_breaker_refuses(const struct gw_breaker *b, uint64_t now_ms);

/* A request is sent there.  True: it is the trial, and has this number (not 0).  It may outlive the
 * state that it is to end, and must not be taken for a later one's: numbers come once. */
bool gw_breaker_begin(struct gw_breaker *b, uint64_t now_ms, unsigned number);
/* That trial has ended, and nobody knows how it would have. */
void gw_breaker_cancel(struct gw_breaker *b, unsigned number);

/* True: the endpoint is left alone from now on, or once more, or more strictly. */
bool gw_breaker_failed(struct gw_breaker *b, const struct gw_outlier_rules *r,
                       const struct gw_breaker_failure *f, uint64_t now_ms, uint64_t chance);

#endif
