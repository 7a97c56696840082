/*
 * left_alone.h - endpoints that workers leave alone since their requests fail (outlier.h), or would
 * if there were others, for those who ask about an endpoint: each worker finds out by itself, and
 * whoever looks is on another one.
 *
 * Told by workers when something turns, which is as seldom as its line in the log; no request asks.
 * Any thread.
 */
#ifndef GW_GATEWAY_LEFT_ALONE_H
#define GW_GATEWAY_LEFT_ALONE_H

#include <stdint.h>

#include "base/str.h"

struct gw_left_alone {
    uint64_t since_ms; /* wall */
    char reason[160];
};

/* A worker leaves it alone, or would: for the first time (anew), or still.  Copied. */
void gw_left_alone_note(const char *url, bool anew, const char *reason);
/* It does no longer. */
void gw_left_alone_end(const char *url);

/* False: no worker does. */
bool gw_left_alone_status(struct gw_str url, struct gw_left_alone *out);

#endif
