/*
 * upstream.h - endpoints and the connections to them (decision 7).
 *
 * An endpoint is one backend URL in one worker: its addresses, its pool of idle connections
 * (the newest is used first, so that a pool shrinks by itself), its counts.  A gw_backend is one
 * connection; whoever takes it owns it until it is given back or dropped.
 */
#ifndef GW_GATEWAY_UPSTREAM_H
#define GW_GATEWAY_UPSTREAM_H

#include <sys/socket.h>

#include "gateway/outlier.h"
#include "gateway/worlds.h"
#include "http/url.h"
#include "net/conn.h"

struct gw_backend;
struct gw_dial;
struct gw_health_member;
struct gw_name;
struct gw_spot;
struct gw_queue;

struct gw_endpoint {
    struct gw_world *world;
    char *text;        /* the URL; owned; its key in the world's table */
    struct gw_url url; /* slices of text */
    unsigned refs;
    unsigned busy, open; /* connections in use; all */
    unsigned n_idle;
    unsigned wanted;                 /* so many routes send new requests there */
    unsigned n_pending;              /* requests that wait for a connection, in queue */
    unsigned retries;                /* second tries of requests, now (tries.c) */
    bool down;                       /* health's: nothing new goes there while others are up */
    uint16_t trials;                 /* the number of its last (outlier.c) */
    struct gw_queue *queue;          /* pending.c's; NULL: nobody ever waited */
    struct gw_health_member *checks; /* health.c's; NULL: it is not checked */
    struct gw_outlier *outlier;      /* outlier.c's; NULL: its last request went well */
    uint64_t failing_again_ms;       /* outlier.c's: mono; not in the log before */
    uint64_t up_since_ms;            /* mono; made, or no longer down, at: its slow start begins */
    uint64_t hash;                   /* gw_balance_hash() of text */
    struct gw_backend *idle;         /* newest first */
    struct gw_backend *idle_last;    /* oldest */
    struct gw_spot *spots;           /* addresses.c's, as are: */
    unsigned n_spots, next_spot;
    struct gw_name *name;       /* NULL: its address is a number or a path */
    struct gw_backend *waiting; /* for its addresses */
};

/* May new requests go there?  All choosing asks this (balance.h).  A request whose list is older
 * than the route of today may find one in it that nobody wants any more. */
static inline bool
gw_endpoint_up(const struct gw_endpoint *e)
{
    return !e->down && e->wanted > 0 && (e->outlier == NULL || gw_outlier_admits(e));
}

/* May none go there, even if there is no other?  Then it is not chosen. */
static inline bool
gw_endpoint_refuses(const struct gw_endpoint *e)
{
    return e->outlier != NULL && gw_outlier_refuses(e);
}

struct gw_backend_events {
    void (*ready)(void *owner); /* connected; write the request */
    /* Not connected; the backend is gone.  ours: for want of something of our own. */
    void (*failed)(void *owner, const char *why, bool ours);
    void (*readable)(void *owner);
    void (*drained)(void *owner);
};

struct gw_backend {
    struct gw_conn conn; /* first: callbacks get it */
    struct gw_endpoint *endpoint;
    const struct gw_backend_events *events; /* NULL while idle */
    void *owner;
    struct gw_backend *next, *prev; /* idle list; next also for the waiting list */
    struct gw_timer timer;
    struct gw_dial *dial; /* dial.c's, while it is being made; or NULL */
    unsigned spot_id;     /* of the address it goes to */
    const char *why;      /* it has failed; static text; and: */
    bool ours;            /* for want of something of our own */
    bool ready;           /* connected */
    bool reused;          /* has served a request before this one */
    bool waits;           /* for its endpoint's addresses */
};

struct gw_endpoint *gw_endpoint_new(struct gw_world *w, struct gw_str text,
                                    const struct gw_url *url);
void gw_endpoint_free(struct gw_endpoint *e); /* closes what is idle; nothing may be in use */
void gw_endpoint_ref(struct gw_endpoint *e);

/* Closes the one that has been idle for longest; false when none is. */
bool gw_endpoint_shed(struct gw_endpoint *e);

/* Which of an endpoint's connections will do. */
enum gw_backend_which {
    GW_BACKEND_ANY,
    GW_BACKEND_SURE,  /* if pooled, then the kernel says that it is still open */
    GW_BACKEND_FRESH, /* never a pooled one; it takes the place of the oldest of these, so that no
                       * more are open than were */
};

/* A pooled connection, ->ready at once, or one that is being made: then events->ready or ->failed
 * comes later, within connect_ms.  Counts a reference of e. */
struct gw_backend *gw_backend_take(struct gw_endpoint *e, const struct gw_backend_events *events,
                                   void *owner, long long connect_ms, enum gw_backend_which which);

/* Back to the pool: the last message on it was whole both ways and it may be kept alive. */
void gw_backend_give(struct gw_backend *b);

/* Closed at once.  Fine in any state; no callback comes any more. */
void gw_backend_drop(struct gw_backend *b);

/* For dial.c: how it went, and what goes on. */
void gw_backend_connected(struct gw_backend *b);
void gw_backend_failed(struct gw_backend *b, const char *why, bool ours);
/* The same, from within taking it. */
void gw_backend_fail_soon(struct gw_backend *b, const char *why, bool ours);
void gw_backend_readable(struct gw_backend *b);
void gw_backend_drained(struct gw_backend *b);

/* For addresses.c: the name has other addresses than before. */
void gw_endpoint_moved(struct gw_endpoint *e);

#endif
