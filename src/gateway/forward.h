/*
 * forward.h - the step in the middle: the request goes to a backend, its answer comes back.
 *
 *     forward: endpoint -> connection -> head -> body ...        (WAIT until the answer's head)
 *     send:    head and body of the answer, or our own answer    (WAIT until all is out)
 *
 * Both directions stream with back-pressure: a side is read only while the other side's
 * connection keeps nothing back.
 */
#ifndef GW_GATEWAY_FORWARD_H
#define GW_GATEWAY_FORWARD_H

#include "gateway/module.h"

gw_step_fn gw_forward_step, gw_send_step;

#endif
