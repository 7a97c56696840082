/*
 * conn.h - one byte stream: a connected socket on its loop (decision 6).
 *
 * Edge-triggered, read and written before waiting: the owner is told "there may be bytes" and
 * pulls them; what it writes goes out at once, and only what the socket did not take is kept.
 * One event_add at the start, none later.  Knows no HTTP.
 *
 * The owner embeds the struct and must stop using it in the moment gw_conn_close() returns; the
 * callbacks are never called after that.
 */
#ifndef GW_NET_CONN_H
#define GW_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include <event2/event_struct.h>

#include "net/loop.h"

struct gw_conn;
struct gw_pipe;

struct gw_conn_events {
    /* Bytes, or the end, may be there.  Read until gw_conn_read() says so, or leave it: then
     * the next gw_conn_poke() (or event) calls again. */
    void (*readable)(struct gw_conn *c);
    /* All that was kept has been written. */
    void (*drained)(struct gw_conn *c);
    /* A gw_conn_dial()ed connection is there (0), or not (errno). */
    void (*connected)(struct gw_conn *c, int error);
};

struct gw_conn {
    struct event event;
    struct gw_loop *loop;
    const struct gw_conn_events *events;
    struct gw_pipe *pipe;               /* the oldest of the kept bytes, spliced; NULL: none */
    struct gw_conn_out *out, *out_last; /* the others, oldest first */
    size_t out_bytes;                   /* of both */
    int fd;                             /* -1: closed */
    bool dialing;
    bool may_read;    /* an event said so, and no read has found the end of it */
    bool peer_closed; /* the peer's FIN was seen by the event */
    bool no_write;    /* the socket took no more; the next edge says when */
    bool failed;      /* a write failed: nothing is written any more */
    bool reset;       /* and it was told of the peer's reset, which a read no longer is */
    bool shut;        /* shutdown(SHUT_WR) once drained, or done */
    bool no_splice;   /* the kernel has refused it */
    bool doubted; /* is in the loop's list; asked for each message, where the link is not near */
    struct gw_doubt doubt;
};

enum gw_conn_got {
    GW_CONN_END = 0,     /* the peer has sent all */
    GW_CONN_WAIT = -1,   /* nothing now */
    GW_CONN_FAILED = -2, /* reset, or worse */
    GW_CONN_COPY = -3,   /* gw_conn_splice(): not possible now, so read and write */
};

/* Takes the (connected) descriptor. */
void gw_conn_open(struct gw_conn *c, struct gw_loop *l, int fd, const struct gw_conn_events *e);

/* Starts connecting; events->connected says how it went, never from within.  address: a struct
 * sockaddr.  False with errno when it can't even start. */
bool gw_conn_dial(struct gw_conn *c, struct gw_loop *l, const void *address, unsigned length,
                  const struct gw_conn_events *e);

/* Dialling failed with this errno: for want of something of our own (descriptors, ports, memory),
 * and by no fault of the peer's? */
bool gw_conn_is_own_want(int error);

/* Bytes read (> 0), or enum gw_conn_got. */
long gw_conn_read(struct gw_conn *c, char *into, size_t n);

/* May a read find something (bytes or the end)? */
static inline bool
gw_conn_may_read(const struct gw_conn *c)
{
    return c->may_read || c->peer_closed;
}

/* The message goes on behind a short read: only another read tells whether it was cut there by a
 * reset (doubt.h).  For what is rare, as a head in pieces. */
static inline void
gw_conn_look_again(struct gw_conn *c)
{
    c->may_read = true;
}

/* The same for what is often: not now, and not each time. */
static inline void
gw_conn_doubt(struct gw_conn *c)
{
    if (!c->doubted) {
        gw_doubt_add(c);
    }
}

/* Has the peer reset it, whatever is still to be read?  Asks the kernel. */
bool gw_conn_was_reset(const struct gw_conn *c);

/* Nothing has come that nobody has read yet, the end included, as far as the loop was told.  ask:
 * the kernel, too, which knows what has happened since. */
bool gw_conn_is_quiet(const struct gw_conn *c, bool ask);

/* Calls events->readable from the loop if there may be something to read. */
void gw_conn_poke(struct gw_conn *c);
/* The same, whether or not: for bytes that the owner itself has put aside, or a failure. */
void gw_conn_call_later(struct gw_conn *c);

/* Writes what it can and keeps a copy of the rest.  The owner stops producing while
 * c->out_bytes > 0.  After a failure bytes are dropped in silence: events->readable is called, and
 * the read side tells. */
void gw_conn_write(struct gw_conn *c, const struct iovec *iov, int n);

/* Keeps a copy without writing: goes out together with the next gw_conn_write() or _flush(). */
void gw_conn_cork(struct gw_conn *c, const void *bytes, size_t n);
void gw_conn_flush(struct gw_conn *c);

/* Moves up to n bytes from one connection to the other within the kernel.  What `to` does not take
 * is kept for it (in a pipe), as gw_conn_write() does; nothing may be kept for it before.  Bytes
 * taken from `from` (> 0), or enum gw_conn_got.  A short count does not mean that there are no
 * more: gw_conn_may_read(from) stays true until the next call finds nothing. */
long gw_conn_splice(struct gw_conn *from, struct gw_conn *to, size_t n);

/* No more will be written: FIN once all kept bytes are out. */
void gw_conn_shutdown(struct gw_conn *c);

/* Hands the descriptor over, connected as it is; c is closed then.  Nothing may be kept in it. */
int gw_conn_take_fd(struct gw_conn *c);

/* Closes at once; kept bytes are lost.  reset: RST instead of FIN, so that the peer can't take
 * a cut answer for a whole one. */
void gw_conn_close(struct gw_conn *c, bool reset);

#endif
