/*
 * redis.h - one connection to a Redis, kept up.
 *
 * Connects (names by evdns, never blocking; TLS), logs in, selects the database, pings; when the
 * connection breaks it comes back after a jittered pause of 100 ms to 2 s.  Commands are answered
 * in order, each exactly once, each with a deadline. An answer that does not come in time ends the
 * connection, because a server that is frozen or cut off looks just like that.  One that says that
 * it is not the right one any more (READONLY, MASTERDOWN, MOVED), or that we have to log in, is
 * left once the answers to what was sent are here: those commands were not carried out, and are
 * answered without a reply.  All of it may be called from all of its callbacks, gw_redis_close()
 * too.  One event base, one thread.
 */
#ifndef GW_NET_REDIS_H
#define GW_NET_REDIS_H

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "base/diag.h"
#include "config/schema.h"

struct gw_redis;

/* TLS, when the URL is rediss://.  Each text may be NULL or "". */
struct gw_redis_tls_conf {
    const char *ca_file;                     /* else the system's */
    const char *certificate_file, *key_file; /* ours, PEM; both or none */
    const char *server_name;                 /* that its certificate is for; else the URL's host */
    bool insecure_skip_verify;
};

extern const struct gw_setting gw_redis_tls_rows[]; /* a section `tls` of that */

/* How the Sentinels are spoken to.  Texts may be NULL or "". */
struct gw_redis_sentinel_conf {
    const char *user, *password_file;
    int tls; /* 0 if the URL says so, 1 always, 2 never; with the files of `tls` */
};

extern const struct gw_setting gw_redis_sentinel_rows[];

struct gw_redis_conf {
    const char *url;              /* see redis_url.h; copied */
    const char *password_file;    /* or NULL; copied; read at each connect */
    const char *password;         /* or NULL; copied: instead, for who may not read files */
    struct gw_redis_tls_conf tls; /* copied; its files are read at each connect */
    /* Lists of "host:port" end with NULL; both may be NULL or empty.  With sentinels, they are
     * asked for the address of `master`; with cluster, its nodes are, for that of `key`.  Of the
     * URL the scheme, user and database count then. */
    const char *const *sentinels;
    const char *master;
    struct gw_redis_sentinel_conf sentinel;
    const char *const *cluster;
    const char *key;
    long long timeout_ms; /* to connect, and of a command */
    size_t reply_bytes;   /* of one reply at most: more ends the connection */
    /* It has to be a master: one that says that it is a replica is not used, and one that becomes a
     * replica is left (READONLY). */
    bool writes;
};

struct gw_redis_events {
    void (*up)(void *owner);                     /* logged in, commands go out */
    void (*down)(void *owner, const char *text); /* lost, or one more try has failed */
};

/* reply is borrowed, and NULL when there is none: then error says why.  An error that Redis
 * answered ("NOSCRIPT ...") is a reply of type REDIS_REPLY_ERROR. */
typedef void gw_redis_done_fn(void *arg, const redisReply *reply, const char *error);

/* Would it be opened?  False: see diag. */
bool gw_redis_check(const struct gw_redis_conf *conf, struct gw_diag *diag);
/* The same for who may read no files, and so has no TLS. */
bool gw_redis_check_plain(const char *url, struct gw_diag *diag);

/* NULL: see diag.  events may be NULL; they come from the event loop only. */
struct gw_redis *gw_redis_open(const struct gw_redis_conf *conf, struct event_base *base,
                               const struct gw_redis_events *events, void *owner,
                               struct gw_diag *diag);

/* Commands that wait are answered first: without a reply. */
void gw_redis_close(struct gw_redis *r); /* NULL is fine */

struct gw_redis_command {
    int argc;
    const char **argv;     /* copied, as are the bytes */
    const size_t *argvlen; /* NULL: all are NUL-terminated */
    long long extra_ms;    /* beyond the timeout, for a command that blocks, and all behind it */
};

/* While the first connect is under way, and while one is coming back, commands wait for it
 * within their deadline; between two tries they are answered at once (from within the call). */
void gw_redis_send(struct gw_redis *r, const struct gw_redis_command *c, gw_redis_done_fn *done,
                   void *arg);

/* Within a done without a reply: was the command on its way?  Then Redis may have carried it
 * out, or may do so yet. */
bool gw_redis_was_sent(const struct gw_redis *r);

bool gw_redis_is_up(const struct gw_redis *r);
const char *gw_redis_name(const struct gw_redis *r); /* "redis://host:6379"; for people */
const char *gw_redis_why(const struct gw_redis *r);  /* why it is not up; for people */

#endif
