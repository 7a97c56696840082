#include "net/redis_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ELEMENT_BYTES (sizeof(redisReply) + sizeof(void *))

struct gw_redis_link {
    redisAsyncContext *ac; /* NULL: hiredis has freed it */
    struct event *readable, *writable;
    void (*down)(void *owner, const char *text);
    void *owner;    /* NULL: given up */
    unsigned depth; /* hiredis is on the stack */
    size_t reply_bytes, reply_limit;
    const redisReplyObjectFunctions *make; /* hiredis' own */
    char why[160];
};

/* hiredis aborts the process over a reply that nobody asked for, unless it is an error. */
static bool
is_unasked(const struct gw_redis_link *link, const redisReadTask *task)
{
    return task->parent == NULL && task->type != REDIS_REPLY_ERROR &&
           link->ac->replies.head == NULL;
}

/* True when the reply may grow by so much.  Otherwise hiredis takes it for a lack of memory and
 * ends the connection. */
static bool
may_grow(const redisReadTask *task, size_t bytes)
{
    struct gw_redis_link *link = task->privdata;

    if (is_unasked(link, task)) {
        (void)snprintf(link->why, sizeof(link->why), "a reply to nothing that was asked");
        return false;
    }
    link->reply_bytes += bytes + ELEMENT_BYTES;
    if (link->reply_bytes <= link->reply_limit) {
        return true;
    }
    (void)snprintf(link->why, sizeof(link->why), "a reply is larger than %zu bytes",
                   link->reply_limit);
    return false;
}

static void *
make_string(const redisReadTask *task, char *str, size_t n)
{
    struct gw_redis_link *link = task->privdata;

    return may_grow(task, n) ? link->make->createString(task, str, n) : NULL;
}

static void *
make_array(const redisReadTask *task, int n)
{
    struct gw_redis_link *link = task->privdata;
    size_t bytes = n > 0 ? (size_t)n * sizeof(void *) : 0;

    return may_grow(task, bytes) ? link->make->createArray(task, n) : NULL;
}

static void *
make_integer(const redisReadTask *task, long long n)
{
    struct gw_redis_link *link = task->privdata;

    return may_grow(task, 0) ? link->make->createInteger(task, n) : NULL;
}

static void *
make_nil(const redisReadTask *task)
{
    struct gw_redis_link *link = task->privdata;

    return may_grow(task, 0) ? link->make->createNil(task) : NULL;
}

static void
free_object(void *reply)
{
    freeReplyObject(reply);
}

static redisReplyObjectFunctions bounded = {
    make_string, make_array, make_integer, make_nil, free_object,
};

static void
note_why(struct gw_redis_link *link, const char *text)
{
    if (link->why[0] == '\0') {
        (void)snprintf(link->why, sizeof(link->why), "%s",
                       text != NULL && text[0] != '\0' ? text : "the connection was closed");
    }
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
    if (status != REDIS_OK) {
        note_why(ac->data, ac->c.errstr[0] != '\0' ? ac->c.errstr : "it can't be reached");
    }
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
    note_why(ac->data, status == REDIS_OK ? NULL : ac->c.errstr);
}

/* The hooks by which hiredis says what it waits for. */
static void
add_read(void *arg)
{
    struct gw_redis_link *link = arg;

    (void)event_add(link->readable, NULL);
}

static void
del_read(void *arg)
{
    struct gw_redis_link *link = arg;

    (void)event_del(link->readable);
}

static void
add_write(void *arg)
{
    struct gw_redis_link *link = arg;

    (void)event_add(link->writable, NULL);
}

static void
del_write(void *arg)
{
    struct gw_redis_link *link = arg;

    (void)event_del(link->writable);
}

/* The context is being freed. */
static void
cleanup(void *arg)
{
    struct gw_redis_link *link = arg;

    event_free(link->readable);
    event_free(link->writable);
    link->ac = NULL;
}

/* hiredis has just returned to us. */
static void
after(struct gw_redis_link *link)
{
    if (link->depth > 0) {
        return;
    }
    if (link->ac == NULL) {
        if (link->owner != NULL) {
            note_why(link, NULL);
            /* the owner gives up the link from within */
            link->down(link->owner, link->why);
        } else {
            free(link);
        }
        return;
    }
    if (link->owner == NULL) {
        redisAsyncFree(link->ac);
        free(link);
    } else if (link->ac->c.reader->len > link->reply_limit) {
        (void)snprintf(link->why, sizeof(link->why), "a reply is larger than %zu bytes",
                       link->reply_limit);
        link->down(link->owner, link->why);
    }
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_link *link = arg;

    (void)fd;
    (void)what;
    link->depth++;
    redisAsyncHandleRead(link->ac);
    link->depth--;
    after(link);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_link *link = arg;

    (void)fd;
    (void)what;
    link->depth++;
    redisAsyncHandleWrite(link->ac);
    link->depth--;
    after(link);
}

struct gw_redis_link *
gw_redis_link_new(redisAsyncContext *ac, struct event_base *base, size_t reply_bytes,
                  void (*down)(void *owner, const char *text), void *owner)
{
    struct gw_redis_link *link = gw_mem_alloc(sizeof(*link));

    link->ac = ac;
    link->down = down;
    link->owner = owner;
    link->reply_limit = reply_bytes;
    link->make = ac->c.reader->fn;
    ac->c.reader->fn = &bounded;
    ac->c.reader->privdata = link;
    link->readable = event_new(base, ac->c.fd, EV_READ, on_readable, link);
    link->writable = event_new(base, ac->c.fd, EV_WRITE, on_writable, link);
    assert(link->readable != NULL && link->writable != NULL);
    ac->data = link;
    ac->ev.data = link;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    (void)redisAsyncSetConnectCallback(ac, on_connect); /* waits for it to be writable */
    (void)redisAsyncSetDisconnectCallback(ac, on_disconnect);
    return link;
}

void
gw_redis_link_free(struct gw_redis_link *link)
{
    if (link == NULL) {
        return;
    }
    link->owner = NULL;
    if (link->depth > 0) {
        return; /* after() does it */
    }
    if (link->ac != NULL) {
        link->depth++; /* callbacks come from within */
        redisAsyncFree(link->ac);
    }
    free(link);
}

redisAsyncContext *
gw_redis_link_context(struct gw_redis_link *link)
{
    return link->ac;
}

void *
gw_redis_link_owner(const struct gw_redis_link *link)
{
    return link->owner;
}

void
gw_redis_link_begin_reply(struct gw_redis_link *link)
{
    link->reply_bytes = 0;
}
