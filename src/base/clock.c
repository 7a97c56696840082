#include "base/clock.h"

#include <time.h>

static struct timespec
now(clockid_t id)
{
    struct timespec t = {0};

    (void)clock_gettime(id, &t); /* fails for unknown ids only */
    return t;
}

uint64_t
gw_clock_mono_us(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);

    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
gw_clock_mono_ms(void)
{
    return gw_clock_mono_us() / 1000;
}

uint64_t
gw_clock_wall_ms(void)
{
    struct timespec t = now(CLOCK_REALTIME);

    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
gw_clock_rfc3339(struct gw_buf *out, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm); /* fails beyond the year 2^31 only: then all is zero */
    gw_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
                  tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall_ms % 1000));
}
