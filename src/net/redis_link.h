/*
 * redis_link.h - one connection to a server that speaks Redis' protocol: bytes out, replies in.
 *
 * hiredis reads the replies; the socket is ours.  (hiredis' own asynchronous context has no TLS
 * in Debian 12, frees itself from within its callbacks and aborts over a reply that nobody asked
 * for.)  A link lives once: it is dialled, it is up, it ends.
 */
#ifndef GW_NET_REDIS_LINK_H
#define GW_NET_REDIS_LINK_H

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <openssl/types.h>

struct gw_redis_link;

/* Where to: a host (a name or an address) and its port, or the path of a unix socket. */
struct gw_redis_place {
    const char *host; /* NULL: a unix socket */
    const char *path;
    int port;
};

struct gw_redis_link_conf {
    struct event_base *base;
    size_t reply_bytes; /* of one reply at most: more ends the connection */
    /* Each from the event loop only, and never after gw_redis_link_free(), which may be called
     * from within.  The reply is borrowed. */
    void (*reply)(void *owner, const redisReply *reply);
    /* It has ended by itself; the last call. */
    void (*down)(void *owner, const char *text);
    void *owner;
};

/* Begins to connect; the place is copied.  With tls (a reference of the link's own), the server has
 * to prove to be `name`. */
struct gw_redis_link *gw_redis_link_dial(const struct gw_redis_link_conf *conf,
                                         const struct gw_redis_place *to, SSL_CTX *tls,
                                         const char *name);
void gw_redis_link_free(struct gw_redis_link *link); /* NULL is fine */

/* What it does while it is not up yet, for people: "connecting". */
const char *gw_redis_link_doing(const struct gw_redis_link *link);

/* Goes out with the next turn of the event loop, and once it is connected. */
void gw_redis_link_write(struct gw_redis_link *link, const char *bytes, size_t n);

/* The same, of a command.  argvlen may be NULL: all are NUL-terminated. */
void gw_redis_link_say(struct gw_redis_link *link, int argc, const char **argv);

#endif
