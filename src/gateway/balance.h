/*
 * balance.h - which of several endpoints gets the next request.
 *
 * Pure: it asks no clock and opens nothing; what it looks at stands in its arguments and in the
 * endpoints (busy, up, since when), and all it changes are a destination's turns.
 *
 * Whatever the policy, an endpoint is taken that is up and has room; else one that is up, where
 * the request will wait for room.  When too few are up (struct gw_balancer, panic_percent), being
 * down is overlooked: a few that drown help nobody, and the checks may be what is wrong.  One
 * whose circuit is open (breaker.h) is never taken.
 */
#ifndef GW_GATEWAY_BALANCE_H
#define GW_GATEWAY_BALANCE_H

#include "gateway/req.h"

/* An index into to->endpoints; to->n_endpoints: there is none left that may be taken.  tried: a bit
 * for each that this request has been at.  key: for the policy hash, 0: the request has none and is
 * spread as by p2c.  now_ms: for slow start. */
unsigned gw_balance_choose(const struct gw_destination *to, uint64_t tried, uint64_t key,
                           uint64_t now_ms);

/* What the policy hash looks at in a request; 0: nothing there, or another policy. */
uint64_t gw_balance_key(const struct gw_balancer *b, const struct gw_headers *h,
                        struct gw_str client_ip);

/* The same in every worker, gateway and version: by it all agree where a key belongs. */
uint64_t gw_balance_hash(struct gw_str s);

/* Each bit of it depends on all of x, and no two of x give the same. */
uint64_t gw_balance_mix(uint64_t x);

#endif
