/* clock.h - the time, in milliseconds and microseconds. */
#ifndef GW_BASE_CLOCK_H
#define GW_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

#include "base/buf.h"

/* Never goes back; counts from an unknown start.  For deadlines and durations. */
uint64_t gw_clock_mono_ms(void);
uint64_t gw_clock_mono_us(void);

/* A duration, as libevent wants it. */
static inline struct timeval
gw_clock_timeval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* Since 1970, UTC; may jump.  For what people and tokens read. */
uint64_t gw_clock_wall_ms(void);

/* Appends "2026-11-23T08:43:08.123Z". */
void gw_clock_rfc3339(struct gw_buf *out, uint64_t wall_ms);

/* Reads such a text (RFC 3339: "Z" or an offset, with or without parts of a second), of a time
 * from 1970 to GW_CLOCK_LATEST_S.  False: it is none. */
#define GW_CLOCK_LATEST_S 4291747200LL /* 2106-01-01: seconds until then fit into 32 bits */
bool gw_clock_read_rfc3339(struct gw_str text, uint64_t *wall_ms);

#endif
