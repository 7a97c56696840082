/*
 * doubt.h - resets that came together with bytes.
 *
 * libevent tells of an error on a socket (EPOLLERR) as EV_READ | EV_WRITE, which is what it says
 * of every edge with bytes, too.  When bytes and the RST behind them make one edge, a short read
 * finds the bytes, and no other edge will ever tell of the reset: the peer would seem to be silent
 * until a deadline.  A second read after each short one would find it, at the price of a system
 * call per message.
 *
 * So whoever has read short within a long message or a tunnel, and goes on waiting, is put in
 * doubt.  Each tick of the loop asks the kernel about a few, the oldest first: that costs about the
 * same however many there are, and it takes the longer.
 */
#ifndef GW_NET_DOUBT_H
#define GW_NET_DOUBT_H

/* Asked about in a tick: with up to so many in doubt, a reset is found within GW_WHEEL_TICK_MS. */
#define GW_DOUBTS_A_TICK 64

struct gw_conn;
struct gw_loop;

/* A link of the loop's list; in a struct gw_conn. */
struct gw_doubt {
    struct gw_doubt *next, **prev;
};

struct gw_doubts {
    struct gw_doubt *first, **end; /* the oldest; where the next one goes */
};

void gw_doubts_init(struct gw_doubts *l);

void gw_doubt_add(struct gw_conn *c);  /* fine when it is there already */
void gw_doubt_drop(struct gw_conn *c); /* fine when it is not there */

/* Calls events->readable, from the loop, of those that have failed meanwhile.  Who was asked about
 * is in doubt no more. */
void gw_doubts_settle(struct gw_loop *l);

#endif
