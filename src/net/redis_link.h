/*
 * redis_link.h - hiredis' asynchronous context on libevent, without its traps; for redis.c.
 *
 * hiredis frees its context by itself when a connection breaks, calls back into us while it
 * does so, and must not be freed from its own callbacks.  So a link of ours stands between:
 * it is told to go at any time, and frees the context once hiredis is on no stack.
 */
#ifndef GW_NET_REDIS_LINK_H
#define GW_NET_REDIS_LINK_H

#include <event2/event.h>
#include <hiredis/async.h>

struct gw_redis_link;

/* down is called once, from the event loop, when the connection has ended by itself (the
 * context is gone then, and the link with it); never after gw_redis_link_free(). */
struct gw_redis_link *gw_redis_link_new(redisAsyncContext *ac, struct event_base *base,
                                        size_t reply_bytes,
                                        void (*down)(void *owner, const char *text), void *owner);

/* Callbacks of commands that wait are called without a reply, now or from the event loop.
 * NULL is fine. */
void gw_redis_link_free(struct gw_redis_link *link);

redisAsyncContext *gw_redis_link_context(struct gw_redis_link *link);

/* The owner; NULL after gw_redis_link_free(). */
void *gw_redis_link_owner(const struct gw_redis_link *link);

/* A whole reply is here: the bytes of the next one are counted anew. */
void gw_redis_link_begin_reply(struct gw_redis_link *link);

#endif
