/*
 * probe.h - one check of one backend.
 *
 * On a connection of its own: what is asked for is whether new ones can be made, and a pool's
 * connections are the requests'.
 */
#ifndef GW_GATEWAY_PROBE_H
#define GW_GATEWAY_PROBE_H

#include "gateway/health.h"
#include "gateway/upstream.h"

struct gw_probe;

enum gw_probe_result {
    GW_PROBE_GOOD,
    GW_PROBE_BAD,
    GW_PROBE_LATE, /* bad: nothing came in time */
    GW_PROBE_VOID, /* it says nothing of the backend: we have no file left, or no memory */
};

/* Never from within gw_probe_start(); the probe is gone when it returns.  why: for people, as
 * "GET /healthz: 500"; of a good one, too. */
typedef void gw_probe_fn(void *owner, enum gw_probe_result result, const char *why);

/* check is borrowed until the end; its type is not GW_HEALTH_NONE. */
struct gw_probe *gw_probe_start(struct gw_endpoint *e, const struct gw_health_check *check,
                                gw_probe_fn *done, void *owner);
void gw_probe_cancel(struct gw_probe *p); /* done is not called */

#endif
