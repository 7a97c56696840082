/*
 * loop.h - one thread's event loop and what all of its connections share.
 *
 * The scratch buffer holds what the running callback has just read; it is nobody's after the
 * callback has returned.  So an idle connection owns no buffer at all.
 */
#ifndef GW_NET_LOOP_H
#define GW_NET_LOOP_H

#include <event2/event.h>

#include "base/wheel.h"
#include "net/doubt.h"
#include "net/pipe.h"

#define GW_SCRATCH_SIZE ((size_t)64 * 1024)
/* In front of what is read, so that a message can go on with another head than it came with. */
#define GW_SCRATCH_FRONT ((size_t)4 * 1024)
/* Moved for one connection at a time; then it is the others' turn. */
#define GW_TURN_BYTES ((size_t)1024 * 1024)

struct gw_dns;

/* What a loop's owner does about file descriptors.  Unset: nothing. */
struct gw_loop_room {
    void (*dialing)(void *owner); /* before each new connection to somewhere */
    bool (*make)(void *owner);    /* none is left: closes what can be spared; false: nothing can */
    void *owner;
};

/* Work that is done bit by bit.  Start with {0} and run. */
struct gw_later {
    struct gw_later *next, **prev; /* prev: NULL when not waiting */
    struct gw_loop *loop;
    void (*run)(struct gw_later *l);
};

struct gw_loop {
    struct event_base *base;
    struct gw_dns *dns; /* dns.c's; NULL until the first name is asked for */
    struct event *tick;
    struct event *turn;                   /* for later */
    struct gw_later *later, **later_last; /* the next one first; NULL: none */
    struct gw_wheel wheel;
    struct gw_loop_room room;
    struct gw_doubts doubts; /* doubt.c's */
    uint64_t now_us;         /* mono; as of the running callback */
    uint64_t wall_offset_ms; /* wall clock less mono, as of the last tick */
    char *scratch;           /* GW_SCRATCH_SIZE bytes, and GW_SCRATCH_FRONT before them */
    struct gw_pipes pipes;
};

/* One thread only: the base has no locks. */
struct gw_loop *gw_loop_new(void);
void gw_loop_free(struct gw_loop *l);

/* Reads the clock; the first thing that a callback of the loop does. */
void gw_loop_turn(struct gw_loop *l);

/* Calls later->run() once, after the sockets were looked at again and whoever had something to do
 * was served: an event that is made active anew from within its own callback would come first. */
void gw_loop_later(struct gw_loop *l, struct gw_later *later);
void gw_loop_later_cancel(struct gw_later *later); /* fine when it does not wait */

/* After a call that failed with this errno: is it worth another try?  Leaves errno alone. */
bool gw_loop_made_room(const struct gw_loop *l, int error);

static inline uint64_t
gw_loop_now_ms(const struct gw_loop *l)
{
    return l->now_us / 1000;
}

/* As gw_clock_wall_ms(), but without another look at a clock; a jump of the wall clock is noticed
 * at the next tick of the wheel. */
static inline uint64_t
gw_loop_wall_ms(const struct gw_loop *l)
{
    return gw_loop_now_ms(l) + l->wall_offset_ms;
}

#endif
