/*
 * redis_aim.h - which node is connected to next: the URL's; one of a Cluster, whose nodes say where
 * our keys are; or the master that the Sentinels name.
 */
#ifndef GW_NET_REDIS_AIM_H
#define GW_NET_REDIS_AIM_H

#include <stdbool.h>

#include "net/redis_link.h"
#include "net/redis_url.h"

struct gw_redis_node {
    char *host, *path; /* owned */
    int port;
};

struct gw_redis_aim {
    struct gw_redis_node *nodes; /* those that are known; at least one */
    size_t n, at;
    struct gw_redis_node moved; /* goes first; empty: none */
    bool tls;
};

/* Is there anything in the list of a setting? */
static inline bool
gw_redis_aim_is_list(const char *const *texts)
{
    return texts != NULL && texts[0] != NULL;
}

/* The list's "host:port" (the port may be left out).  False: see diag; nothing to free then. */
bool gw_redis_aim_read(struct gw_redis_aim *aim, const char *const *texts, int port,
                       struct gw_diag *diag);
/* The one node of the URL. */
void gw_redis_aim_url(struct gw_redis_aim *aim, const struct gw_redis_url *url);
void gw_redis_aim_fini(struct gw_redis_aim *aim);

/* The present one; borrowed. */
struct gw_redis_place gw_redis_aim_place(const struct gw_redis_aim *aim);
/* "rediss://host:port". */
void gw_redis_aim_show(const struct gw_redis_aim *aim, char *text, size_t size);

void gw_redis_aim_next(struct gw_redis_aim *aim); /* the present one was no good */
void gw_redis_aim_to(struct gw_redis_aim *aim, const char *host, int port);

/* "MOVED 1234 host:port": that one.  False: it is something else. */
bool gw_redis_aim_moved(struct gw_redis_aim *aim, const char *error);

#endif
