/* redis_login.h - what is said first on a connection to Redis, and whether the answers are well. */
#ifndef GW_NET_REDIS_LOGIN_H
#define GW_NET_REDIS_LOGIN_H

#include <stdbool.h>

#include "net/redis_link.h"

#define GW_REDIS_STEPS 5

/* Who we are.  Texts are borrowed. */
struct gw_redis_login {
    const char *user;          /* NULL: the default user */
    const char *password_file; /* or NULL; read each time, its first line */
    const char *password;      /* or NULL: instead */
    int db;
    const char *key; /* of a Cluster: does the node have it?  NULL: none */
    bool writes;     /* it has to be a master: see redis.h */
};

/* The questions that have no answer yet. */
struct gw_redis_steps {
    int kinds[GW_REDIS_STEPS];
    int n, at;
};

/* Logs in, chooses the database, and sees that somebody is there at all: the kernel accepts
 * connections for a frozen server, too.  False: nothing was sent, and text says why. */
bool gw_redis_login_say(const struct gw_redis_login *l, struct gw_redis_link *link,
                        struct gw_redis_steps *steps, char *text, size_t size);

enum gw_redis_step {
    GW_REDIS_STEP_MORE,  /* well; more answers are to come */
    GW_REDIS_STEP_DONE,  /* well, and the last one */
    GW_REDIS_STEP_BAD,   /* refused; text says why */
    GW_REDIS_STEP_MOVED, /* another node of the Cluster has the key; text is Redis' own */
};
enum gw_redis_step gw_redis_login_reply(struct gw_redis_steps *steps, const redisReply *reply,
                                        char *text, size_t size);

#endif
