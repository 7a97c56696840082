/*
 * doubt.h - resets that came together with bytes.
 *
 * libevent tells of an error on a socket (EPOLLERR) as EV_READ | EV_WRITE, which is what it says
 * of every edge with bytes, too.  When bytes and the RST behind them make one edge, a short read
 * finds the bytes, and no other edge will ever tell of the reset: the peer would seem to be silent
 * until a deadline.  A second read after each short one would find it, at the price of a system
 * call per message.  Instead whoever has read short is in doubt until the loop's next tick, which
 * asks the kernel about all of them in a few calls of poll().
 */
#ifndef GW_NET_DOUBT_H
#define GW_NET_DOUBT_H

struct gw_conn;
struct gw_loop;

/* A link of the loop's list; in a struct gw_conn. */
struct gw_doubt {
    struct gw_doubt *next, **prev; /* prev: NULL when in no list */
};

void gw_doubt_add(struct gw_conn *c);  /* fine when it is there already */
void gw_doubt_drop(struct gw_conn *c); /* fine when it is not there */

/* Calls events->readable, from the loop, of each connection that has failed meanwhile; then
 * nobody is in doubt. */
void gw_doubts_settle(struct gw_loop *l);

#endif
