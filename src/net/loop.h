/*
 * loop.h - one thread's event loop and what all of its connections share.
 *
 * The scratch buffer holds what the running callback has just read; it is nobody's after the
 * callback has returned.  So an idle connection owns no buffer at all.
 */
#ifndef GW_NET_LOOP_H
#define GW_NET_LOOP_H

#include <event2/dns.h>
#include <event2/event.h>

#include "base/wheel.h"

#define GW_SCRATCH_SIZE ((size_t)64 * 1024)

struct gw_loop {
    struct event_base *base;
    struct evdns_base *dns; /* NULL until the first name is asked for */
    struct event *tick;
    struct gw_wheel wheel;
    uint64_t now_us; /* mono; as of the running callback */
    char *scratch;   /* GW_SCRATCH_SIZE bytes */
};

/* One thread only: the base has no locks. */
struct gw_loop *gw_loop_new(void);
void gw_loop_free(struct gw_loop *l);

/* Reads the clock; the first thing that a callback of the loop does. */
void gw_loop_turn(struct gw_loop *l);

static inline uint64_t
gw_loop_now_ms(const struct gw_loop *l)
{
    return l->now_us / 1000;
}

/* The resolver, made from /etc/resolv.conf and /etc/hosts at first use; NULL when it can't be. */
struct evdns_base *gw_loop_dns(struct gw_loop *l);

#endif
