#include "net/redis_link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/redis_name.h"
#include "net/redis_wire.h"

#define ELEMENT_BYTES (sizeof(redisReply) + sizeof(void *))
#define READ_BYTES    16384
#define READS         16 /* of one turn: others wait, too */

struct gw_redis_link {
    struct gw_redis_link_conf conf;
    char *host, *path;
    int port;
    SSL_CTX *tls; /* a reference, or NULL */
    char *tls_name;
    struct gw_redis_name *name; /* while it is being looked up */
    struct gw_redis_wire wire;
    struct event *start, *readable, *writable; /* the latter two NULL: not dialled yet */
    redisReader *reader;
    const redisReplyObjectFunctions *make; /* hiredis' own */
    size_t reply_bytes;                    /* of the reply that is being read */
    struct gw_buf out;
    size_t written; /* of out */
    unsigned depth; /* calls into our owner that have not come back */
    bool given_up;  /* gw_redis_link_free() was called from there */
    char why[200];
};

/* True when the reply may grow by so much.  Otherwise hiredis takes it for a lack of memory. */
static bool
may_grow(const redisReadTask *task, size_t bytes)
{
    struct gw_redis_link *link = task->privdata;

    link->reply_bytes += bytes + ELEMENT_BYTES;
    if (link->reply_bytes <= link->conf.reply_bytes) {
        return true;
    }
    (void)snprintf(link->why, sizeof(link->why), "a reply is larger than %zu bytes",
                   link->conf.reply_bytes);
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
destroy(struct gw_redis_link *link)
{
    gw_redis_name_free(link->name);
    event_free(link->start);
    if (link->readable != NULL) {
        event_free(link->readable);
        event_free(link->writable);
    }
    gw_redis_wire_close(&link->wire);
    redisReaderFree(link->reader);
    gw_buf_fini(&link->out);
    SSL_CTX_free(link->tls);
    free(link->tls_name);
    free(link->host);
    free(link->path);
    free(link);
}

/* Every callback of the loop begins with this, and ends with leave(). */
static void
enter(struct gw_redis_link *link)
{
    link->depth++;
}

static void
leave(struct gw_redis_link *link)
{
    if (--link->depth == 0 && link->given_up) {
        destroy(link);
    }
}

/* Our owner frees the link, from within or later: nothing more happens. */
static void
end(struct gw_redis_link *link, const char *text)
{
    if (link->given_up) {
        return;
    }
    if (link->readable != NULL) {
        (void)event_del(link->readable);
        (void)event_del(link->writable);
    }
    if (link->why[0] == '\0') {
        (void)snprintf(link->why, sizeof(link->why), "%s", text);
    }
    link->conf.down(link->conf.owner, link->why);
}

/* ---- bytes ---- */

/* Gives our owner all replies that are whole.  False: it has ended. */
static bool
give_replies(struct gw_redis_link *link)
{
    void *reply = NULL;

    while (!link->given_up) {
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            end(link, link->reader->errstr);
            return false;
        }
        if (reply == NULL) {
            break;
        }
        link->reply_bytes = 0;
        link->conf.reply(link->conf.owner, reply);
        freeReplyObject(reply);
    }
    if (!link->given_up && link->reader->len > link->conf.reply_bytes) {
        (void)snprintf(link->why, sizeof(link->why), "a reply is larger than %zu bytes",
                       link->conf.reply_bytes);
        end(link, link->why);
        return false;
    }
    return !link->given_up;
}

/* What a read or write that moved nothing waits for.  False: it has ended. */
static bool
wait_for(struct gw_redis_link *link, long got, const char *text)
{
    if (got == GW_REDIS_WIRE_WAIT_WRITE) {
        (void)event_add(link->writable, NULL);
        return true;
    }
    if (got == GW_REDIS_WIRE_WAIT_READ) {
        return true; /* readable is always waited for */
    }
    end(link, got == GW_REDIS_WIRE_END ? "the connection was closed" : text);
    return false;
}

static bool
read_some(struct gw_redis_link *link)
{
    char bytes[READ_BYTES];
    char text[160] = "";

    for (int i = 0; i < READS; i++) {
        long n = gw_redis_wire_read(&link->wire, bytes, sizeof(bytes), text, sizeof(text));

        if (n <= 0) {
            return wait_for(link, n, text);
        }
        if (redisReaderFeed(link->reader, bytes, (size_t)n) != REDIS_OK) {
            end(link, link->reader->errstr);
            return false;
        }
        if (!give_replies(link)) {
            return false;
        }
        if ((size_t)n < sizeof(bytes) && !gw_redis_wire_has_more(&link->wire)) {
            return true; /* that was all, very likely: the event tells if not */
        }
    }
    if (gw_redis_wire_has_more(&link->wire)) {
        event_active(link->readable, EV_READ, 0);
    }
    return true;
}

static bool
write_some(struct gw_redis_link *link)
{
    char text[160] = "";

    while (link->written < link->out.n) {
        long n = gw_redis_wire_write(&link->wire, link->out.p + link->written,
                                     link->out.n - link->written, text, sizeof(text));

        if (n == GW_REDIS_WIRE_FAILED && !read_some(link)) {
            return false; /* what the server has said before tells more */
        }
        if (n <= 0) {
            return wait_for(link, n, text);
        }
        link->written += (size_t)n;
    }
    gw_buf_reset(&link->out);
    link->written = 0;
    return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_link *link = arg;

    (void)fd;
    (void)what;
    enter(link);
    if (read_some(link) && link->out.n > 0) {
        (void)write_some(link); /* TLS' handshake may have been waited for */
    }
    leave(link);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_link *link = arg;
    char text[160] = "";
    int arrived = 1;

    (void)fd;
    (void)what;
    enter(link);
    if (!link->wire.connected) {
        arrived = gw_redis_wire_arrive(&link->wire, text, sizeof(text));
        if (arrived > 0) {
            (void)event_add(link->readable, NULL);
        }
    }
    if (arrived <= 0) {
        (void)wait_for(link, arrived, text);
    } else if (write_some(link) && link->wire.tls != NULL) {
        (void)read_some(link); /* which may have waited to write */
    }
    leave(link);
}

/* ---- the beginning ---- */

static void
watch(struct gw_redis_link *link)
{
    link->readable =
        event_new(link->conf.base, link->wire.fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(link->conf.base, link->wire.fd, EV_WRITE, on_writable, link);
    assert(link->readable != NULL && link->writable != NULL);
    (void)event_add(link->writable, NULL);
}

static void
connect_to(struct gw_redis_link *link, const char *address)
{
    char text[160] = "";
    bool ok = link->path != NULL
                  ? gw_redis_wire_unix(&link->wire, link->path, text, sizeof(text))
                  : gw_redis_wire_tcp(&link->wire, address, link->port, text, sizeof(text));

    if (ok && link->tls != NULL) {
        ok = gw_redis_wire_secure(&link->wire, link->tls, link->tls_name, text, sizeof(text));
    }
    if (ok) {
        watch(link);
    } else {
        end(link, text);
    }
}

static void
on_name(void *arg, const char *address, const char *error)
{
    struct gw_redis_link *link = arg;

    enter(link);
    if (address == NULL) {
        end(link, error);
    } else {
        connect_to(link, address);
    }
    leave(link);
}

static bool
is_numeric(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_link *link = arg;

    (void)fd;
    (void)what;
    enter(link);
    if (link->host == NULL || is_numeric(link->host)) {
        connect_to(link, link->host);
    } else {
        link->name = gw_redis_name_ask(link->conf.base, link->host, on_name, link);
    }
    leave(link);
}

struct gw_redis_link *
gw_redis_link_dial(const struct gw_redis_link_conf *conf, const struct gw_redis_place *to,
                   SSL_CTX *tls, const char *name)
{
    struct gw_redis_link *link = gw_mem_alloc(sizeof(*link));

    link->conf = *conf;
    link->host = gw_mem_strdup(to->host);
    link->path = gw_mem_strdup(to->path);
    link->port = to->port;
    if (tls != NULL) {
        (void)SSL_CTX_up_ref(tls);
        link->tls = tls;
        link->tls_name = gw_mem_strdup(name);
    }
    link->wire.fd = -1;
    link->reader = redisReaderCreate();
    link->start = event_new(conf->base, -1, 0, on_start, link);
    assert(link->reader != NULL && link->start != NULL);
    link->make = link->reader->fn;
    link->reader->fn = &bounded;
    link->reader->privdata = link;
    event_active(link->start, 0, 0);
    return link;
}

void
gw_redis_link_free(struct gw_redis_link *link)
{
    if (link == NULL) {
        return;
    }
    link->given_up = true;
    if (link->depth == 0) {
        destroy(link);
    }
}

const char *
gw_redis_link_doing(const struct gw_redis_link *link)
{
    if (link->readable == NULL) {
        return "looking its name up";
    }
    if (!link->wire.connected) {
        return "connecting";
    }
    return gw_redis_wire_is_greeting(&link->wire)
               ? "in TLS' handshake; does it speak TLS on this port?"
               : "logging in";
}

void
gw_redis_link_write(struct gw_redis_link *link, const char *bytes, size_t n)
{
    gw_buf_add(&link->out, bytes, n);
    if (link->wire.connected) {
        (void)event_add(link->writable, NULL);
    }
}

void
gw_redis_link_say(struct gw_redis_link *link, int argc, const char **argv)
{
    char *wire = NULL;
    int n = (int)redisFormatCommandArgv(&wire, argc, argv, NULL);

    assert(n > 0); /* fails only without memory */
    gw_redis_link_write(link, wire, (size_t)n);
    redisFreeCommand(wire);
}
