/* tunnel_private.h - a tunnel's inside, shared by tunnel.c and tunnel_frames.c. */
#ifndef GW_GATEWAY_TUNNEL_PRIVATE_H
#define GW_GATEWAY_TUNNEL_PRIVATE_H

#include <stdalign.h>

#include "gateway/exchange.h"
#include "http/websocket.h"

/* Of thousands of tunnels none is in the cache when its next message comes: what each message needs
 * stands in two lines of it, the way's first and the tunnel's. */
#define GW_TUNNEL_LINE 64

/* The bytes of one side to the other, and what is known of who sends them. */
struct gw_way {
    struct gw_conn *from, *to;
    uint64_t bytes; /* that were passed on */
    bool ended;     /* `from` has ended, and `to` was told */
    bool bulk;      /* the last read filled the buffer */
    bool closed;    /* a Close of theirs was passed on, or seen */
    bool muted;     /* a Close of ours was: whatever else comes is dropped */
    bool to_close;  /* ... shall be, at the next border */
    bool framed;    /* it is a WebSocket's: see ws */
    /* Since the last look (websocket.ping): */
    bool heard; /* anything came */
    bool spoke; /* anything but the answer to our ping */
    struct gw_ws ws;
    bool asked;      /* the other side's ping was passed to `from`, and no pong since */
    bool pinged;     /* `from` has had something to answer all the time */
    unsigned missed; /* looks without a sign of life */
    unsigned open;   /* so many pings of ours are unanswered */
    uint64_t nonce;  /* of the newest of them; each is the one before and 1 */
};

struct gw_tunnel {
    alignas(GW_TUNNEL_LINE) struct gw_way up;
    alignas(GW_TUNNEL_LINE) struct gw_way down;
    alignas(GW_TUNNEL_LINE) uint64_t touched_ms; /* by bytes of theirs */
    struct gw_world_stats *stats;                /* the worker's */
    enum gw_tunnel_stage {
        GW_TUNNEL_OPEN,
        GW_TUNNEL_PLANNED,     /* to be closed at close_ms */
        GW_TUNNEL_TOLD_CLIENT, /* its answer closes the backend's side; until close_ms */
        GW_TUNNEL_TOLD_BOTH,   /* until close_ms */
        GW_TUNNEL_UNANSWERED,  /* enough: it ends as soon as both have been told */
    } stage;
    bool ping;      /* websocket.ping is on, and this is one */
    bool forbidden; /* whatever comes of it, it ends at close_ms */
    uint64_t ping_ms, close_ms;
    struct gw_timer timer;
    struct gw_exchange *x;
    struct gw_pending outer; /* how the exchange is cancelled */
};

/* tunnel_frames.c */

/* Passes on what has come, and what of ours has waited for the end of a frame.  How many of the
 * bytes were theirs to send on. */
size_t gw_tunnel_pass(struct gw_tunnel *t, struct gw_way *w, char *p, size_t n);
/* So many bytes of a frame were passed on unseen. */
void gw_tunnel_passed(struct gw_tunnel *t, struct gw_way *w, size_t n);

/* Looks for who is silent, and pings them.  False: one of them is dead. */
bool gw_tunnel_look(struct gw_tunnel *t);

/* The next stage of closing has come. */
void gw_tunnel_close(struct gw_tunnel *t);
/* Both sides are told as soon as they may be: nothing of theirs comes behind it. */
void gw_tunnel_forbid(struct gw_tunnel *t);
bool gw_tunnel_is_closed(const struct gw_tunnel *t); /* nothing is left to wait for */

#endif
