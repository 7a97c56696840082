/*
 * redis_private.h - a gw_redis, for its two halves: redis.c keeps it up, redis_way.c finds the node
 * and gets in there.
 */
#ifndef GW_NET_REDIS_PRIVATE_H
#define GW_NET_REDIS_PRIVATE_H

#include "net/redis.h"
#include "net/redis_aim.h"
#include "net/redis_login.h"
#include "net/redis_queue.h"
#include "net/redis_sentinel.h"

#define GW_REDIS_STEADY_MS 5000 /* up for so long: the next pause is the first one again */
#define GW_REDIS_MOST_HOPS 5    /* from node to node at once; then with a pause */

enum gw_redis_state {
    GW_REDIS_CONNECTING,
    GW_REDIS_UP,
    GW_REDIS_LEAVING, /* the server is not the right one any more; answers are still to come */
    GW_REDIS_PAUSING
};

struct gw_redis {
    struct gw_redis_url url;
    struct gw_redis_aim aim;
    struct gw_redis_sentinel *sentinel; /* NULL: none */
    char shown[220];                    /* the node, for people */
    char *key;                          /* of a Cluster; NULL: it is none */
    unsigned hops;
    bool begun;
    char *password_file, *password;
    struct gw_redis_tls_conf tls;
    uint64_t timeout_ms;
    size_t reply_bytes;
    struct event_base *base;
    struct gw_redis_events events;
    void *owner;
    enum gw_redis_state state;
    struct gw_redis_link *link;  /* NULL: none */
    struct gw_redis_steps steps; /* of the login */
    struct gw_redis_queue queue;
    struct event *timer; /* of the state: connect deadline, or end of the pause */
    unsigned tries;
    uint64_t up_ms;
    char why[256];
    char leave_for[200]; /* why it is GW_REDIS_LEAVING */
    bool writes;
    unsigned busy; /* calls into our owner that have not come back */
    bool closed;
};

/* redis.c.  Between enter and leave the owner may close it: the last one out frees it. */
void gw_redis_enter(struct gw_redis *r);
void gw_redis_leave(struct gw_redis *r);
void gw_redis_wake(struct gw_redis *r, uint64_t ms);         /* of the state's timer */
void gw_redis_say_why(struct gw_redis *r, const char *text); /* of the present node */
void gw_redis_fail(struct gw_redis *r, const char *text);    /* ends it; again after a pause */
void gw_redis_on_link_down(void *owner, const char *text);
void gw_redis_come_up(struct gw_redis *r); /* it is logged in */

/* redis_way.c */
/* To the node that is next; from one that is left, once all that was sent is answered, to the right
 * one. */
void gw_redis_connect(struct gw_redis *r);
void gw_redis_hop(struct gw_redis *r);
void gw_redis_on_master(void *owner, const char *host, int port, const char *text);
void gw_redis_on_master_moved(void *owner);

#endif
