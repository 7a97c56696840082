/*
 * redis_url.h - where a Redis is: redis://[user@]host[:port][/db], rediss:// (the same, by TLS) or
 * unix:/path[?user=name&db=n], or unix://[user@]/path.
 */
#ifndef GW_NET_REDIS_URL_H
#define GW_NET_REDIS_URL_H

#include "base/diag.h"

/* Texts are owned. */
struct gw_redis_url {
    char *user; /* NULL: none */
    char *host; /* NULL: a unix socket */
    char *path; /* of the unix socket, or NULL */
    int port;
    int db;
    bool tls;
    char *text; /* for people: no user, no password */
};

/* False: see diag; u is empty then. */
bool gw_redis_url_read(struct gw_redis_url *u, const char *text, struct gw_diag *diag);
/* "host", "host:port", "[v6]", "[v6]:port": only those members. */
bool gw_redis_url_read_host(struct gw_redis_url *u, const char *text, int port,
                            struct gw_diag *diag);
void gw_redis_url_fini(struct gw_redis_url *u);

#endif
