/*
 * pace.h - how fast a client has to be (limits.min_rate, timeouts.body_idle).
 *
 * Each session has one account of the time for which its client keeps us waiting: for a request
 * body that we want, or for room for an answer that we have.  Time that passes then is debt; each
 * byte that moves pays 1/min_rate of a second back, never more than is owed.  Who owes
 * timeouts.body_idle is too slow.  So a body or an answer of N bytes makes us wait for at most
 * N / min_rate + body_idle, however its bytes are spread, and a pause below body_idle is fine.
 * While a client waits for us, nothing is owed: idle event streams and watches don't pay.
 *
 * No clock is read, and no system call made, for a client that keeps up.
 */
#ifndef GW_GATEWAY_PACE_H
#define GW_GATEWAY_PACE_H

#include "gateway/session.h"

/* Bytes of the body have come.  False when they come too slowly. */
bool gw_pace_body(struct gw_session *s, size_t bytes);

/* How long the next ones may take, in ms; 0: they are late. */
long long gw_pace_body_left(const struct gw_session *s);

/* What is to be said of a body that is too slow.  In the request's arena. */
const char *gw_pace_words(const struct gw_session *s);

/* The socket has not taken all of the answer: from now on the client keeps us waiting. */
void gw_pace_stalled(struct gw_session *s);

/* It has now. */
void gw_pace_drained(struct gw_session *s);

/* It still has not: when to look again, in ms; 0: the client is too slow. */
long long gw_pace_taking(struct gw_session *s, long long limit_ms);

#endif
