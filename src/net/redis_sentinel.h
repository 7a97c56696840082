/*
 * redis_sentinel.h - who the master is, by the Sentinels.
 *
 * One after the other is asked until one knows.  With that one the line stays open: when it says
 * that there was a fail-over (+switch-master), or when it ends and another one then names another
 * master, the owner is told.
 */
#ifndef GW_NET_REDIS_SENTINEL_H
#define GW_NET_REDIS_SENTINEL_H

#include "net/redis.h"

struct gw_redis_sentinel;

struct gw_redis_sentinel_events {
    /* What gw_redis_sentinel_ask() was for.  host NULL: none of them knows, and text says why. */
    void (*master)(void *owner, const char *host, int port, const char *text);
    /* There is another master than the one that was told. */
    void (*moved)(void *owner);
};

/* Of conf: sentinel, tls (without the server's name), timeout_ms (of each); copied.  tls: it is
 * spoken.  The callbacks come from the event loop only. */
struct gw_redis_sentinel *gw_redis_sentinel_new(const struct gw_redis_conf *conf, bool tls,
                                                struct event_base *base,
                                                const struct gw_redis_sentinel_events *events,
                                                void *owner, struct gw_diag *diag);
void gw_redis_sentinel_free(struct gw_redis_sentinel *s); /* NULL is fine */

/* Who is it now?  One question at a time; the next one begins anew. */
void gw_redis_sentinel_ask(struct gw_redis_sentinel *s);
/* yes: the master that was told can't be used.  The next question is another one's then, for a
 * Sentinel that is cut off from the others goes on naming the one of before. */
void gw_redis_sentinel_doubt(struct gw_redis_sentinel *s, bool yes);
/* Nobody waits for the answer any more.  Once there was one, listening goes on. */
void gw_redis_sentinel_cancel(struct gw_redis_sentinel *s);

#endif
