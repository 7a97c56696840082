/*
 * cpu_time.h - what something costs this thread: what other programs do meanwhile is not in it.
 */
#ifndef GW_T_CPU_TIME_H
#define GW_T_CPU_TIME_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The least of so many times that it was done. */
static inline uint64_t
least_cpu_ns(unsigned times, void (*what)(void *arg), void *arg)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < times; i++) {
        uint64_t from = cpu_ns();

        what(arg);
        uint64_t ns = cpu_ns() - from;
        least = ns < least ? ns : least;
    }
    return least;
}

#endif
