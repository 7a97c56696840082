/*
 * dial.h - connecting: to one address, or to the first of several that answers.
 *
 * An address that fails is followed by the next at once, one that keeps silent after a short
 * delay while it still has its chance (RFC 8305): a dead address, or a dead family, costs little.
 */
#ifndef GW_GATEWAY_DIAL_H
#define GW_GATEWAY_DIAL_H

#include "gateway/upstream.h"

/* Begins; e->addresses may have to be asked for first.  Ends with gw_backend_connected() or
 * gw_backend_failed(), never from within. */
void gw_dial_start(struct gw_backend *b);

/* The deadline has passed: what is under way is tried last for a while. */
void gw_dial_late(struct gw_backend *b);

/* b was being connected: no more.  Fine when it was not. */
void gw_dial_stop(struct gw_backend *b);

/* The addresses are known, or it is known why not: those who wait for them go on. */
void gw_dial_waiting(struct gw_endpoint *e);

#endif
