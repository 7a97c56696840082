/*
 * shed.h - who has to go when there is no room for one more.
 *
 * The sessions of a worker are one list, in which the idle ones stand in the order in which they
 * became idle, the longest idle last.  Busy ones stand between them wherever they happen to.
 *
 * Idle ones go first: a client between two requests has to expect that (RFC 9112, 9.5).  Then those
 * whose request is late in coming, who are told so, and those who were told all there is to say.  A
 * request that is there is never given up for another.
 */
#ifndef GW_GATEWAY_SHED_H
#define GW_GATEWAY_SHED_H

#include "gateway/session.h"

/* Who has been idle for less may have its next request on its way. */
#define GW_SHED_MIN_IDLE_MS 500
/* A head comes in one piece, or nearly; who needs as long as this for it is late. */
#define GW_SHED_MIN_HEAD_MS 1000

void gw_shed_add(struct gw_session *s);      /* to the list's front */
void gw_shed_remove(struct gw_session *s);   /* from the list */
void gw_shed_to_front(struct gw_session *s); /* it is idle from now on */

/* Is there one that could be closed?  Never one of the admin socket's, and none that still has to
 * take its answer. */
bool gw_shed_can(struct gw_sessions *all);

/* Closes the one that has been idle for longest, or else one that is late.  False when there is
 * none. */
bool gw_shed_one(struct gw_sessions *all);

/* The same, of idle ones only: may be called from anywhere. */
bool gw_shed_idle(struct gw_sessions *all);

#endif
