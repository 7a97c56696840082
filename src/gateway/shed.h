/*
 * shed.h - who has to go when there is no room for one more.
 *
 * The sessions of a worker are one list, in which the idle ones stand in the order in which they
 * became idle, the longest idle last.  Busy ones stand between them wherever they happen to.
 * Only what is idle is ever shed: a client between two requests has to expect that (RFC 9112,
 * 9.5), one within a request has not.
 */
#ifndef GW_GATEWAY_SHED_H
#define GW_GATEWAY_SHED_H

#include "gateway/session.h"

/* Who has been idle for less may have its next request on its way. */
#define GW_SHED_MIN_IDLE_MS 500

void gw_shed_add(struct gw_session *s);     /* to the list's front */
void gw_shed_remove(struct gw_session *s);  /* from the list */
void gw_shed_is_idle(struct gw_session *s); /* now: to the front */

/* Is there one that could be closed?  Never one of the admin socket's, and none that still has to
 * take its answer. */
bool gw_shed_can(struct gw_sessions *all);

/* Closes the one that has been idle for longest.  False when there is none. */
bool gw_shed_one(struct gw_sessions *all);

#endif
