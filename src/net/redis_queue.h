/*
 * redis_queue.h - the commands of a connection to Redis that have no answer yet.
 *
 * In order, each answered exactly once, each with a deadline.  It is `waiting` until there is a
 * connection, and then `sent` until its reply comes.
 */
#ifndef GW_NET_REDIS_QUEUE_H
#define GW_NET_REDIS_QUEUE_H

#include "net/redis.h"
#include "net/redis_link.h"

struct gw_redis_pending;

struct gw_redis_list {
    struct gw_redis_pending *first, **last;
};

struct gw_redis_queue {
    struct gw_redis_list sent, waiting;
    struct event *deadline;
    uint64_t extra_ms;         /* of all commands here */
    void (*late)(void *owner); /* a command has waited too long */
    void *owner;
    bool was_sent; /* the command that is being answered without a reply */
};

void gw_redis_queue_init(struct gw_redis_queue *q, struct event_base *base,
                         void (*late)(void *owner), void *owner);
void gw_redis_queue_fini(struct gw_redis_queue *q); /* must be empty */

/* Copies the command. */
void gw_redis_queue_add(struct gw_redis_queue *q, const struct gw_redis_command *c,
                        uint64_t timeout_ms, gw_redis_done_fn *done, void *arg);

/* Sends all that wait. */
void gw_redis_queue_send(struct gw_redis_queue *q, struct gw_redis_link *link);

/* Is there a command that was sent and has no reply? */
bool gw_redis_queue_is_asked(const struct gw_redis_queue *q);

/* The reply of the first of those. */
void gw_redis_queue_reply(struct gw_redis_queue *q, const redisReply *reply);

/* ... which says that it was not carried out: without a reply, as if it had not been sent. */
void gw_redis_queue_refuse(struct gw_redis_queue *q, const char *text);

/* All, without a reply. */
void gw_redis_queue_fail(struct gw_redis_queue *q, const char *text);

#endif
