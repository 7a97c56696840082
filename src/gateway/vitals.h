/*
 * vitals.h - what the answers to checks make of an endpoint, and when the next is due.
 *
 * Pure: the clock and the dice are the caller's.
 */
#ifndef GW_GATEWAY_VITALS_H
#define GW_GATEWAY_VITALS_H

#include "gateway/health.h"

/* Zeroed: never asked, which counts as up.  Until an endpoint has been well for the first time,
 * one answer decides: what has just been registered and does not listen yet gets no requests for
 * as long as that lasts, and not for one check longer. */
struct gw_vitals {
    bool down;
    bool asked;      /* at least one answer has come */
    bool proven;     /* has been well */
    unsigned streak; /* answers in a row that speak against what is believed */
};

/* Takes an answer in.  True: it is up or down now, other than before. */
bool gw_vitals_note(struct gw_vitals *v, const struct gw_health_check *c, bool good);

/* When the next check is due, after one that began at began_ms and has ended by now.  Due times
 * are phase_ms after a multiple of the interval, so that checks whose phases are spread over it
 * stay spread, whatever delays them; chance moves each by a tenth of it at most, so that several
 * gateways don't march in step. */
uint64_t gw_vitals_due(long long interval_ms, uint64_t phase_ms, uint64_t began_ms, uint64_t now_ms,
                       uint64_t chance);

#endif
