#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/conn_private.h"
#include "net/pipe.h"

/* glibc's recv() is a cancellation point: in a process with threads it first allows to be
 * cancelled, and then forbids it again, by two atomic writes.  Nobody cancels here. */
static ssize_t
receive(int fd, void *into, size_t n)
{
    return syscall(SYS_recvfrom, fd, into, n, 0, NULL, NULL);
}

/* What it means that no bytes were got. */
static long
not_read(struct gw_conn *c, ssize_t got)
{
    c->may_read = false;
    if (got == 0 && !c->reset) {
        c->peer_closed = false; /* seen: nothing more to find */
        return GW_CONN_END;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return GW_CONN_WAIT;
    }
    c->peer_closed = false;
    c->failed = true;
    gw_conn_drop_out(c);
    return GW_CONN_FAILED;
}

long
gw_conn_read(struct gw_conn *c, char *into, size_t n)
{
    ssize_t got;

    do {
        got = receive(c->fd, into, n);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        /* A short read has emptied the socket; what comes later makes a new edge.  The peer's
         * FIN is remembered by the event, so no second read is needed to see it; a reset is not:
         * who goes on waiting looks again, or is put in doubt. */
        c->may_read = (size_t)got == n;
        return (long)got;
    }
    return not_read(c, got);
}

bool
gw_conn_was_reset(const struct gw_conn *c)
{
    struct pollfd fd = {.fd = c->fd};

    return c->reset || (poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP)) != 0);
}

bool
gw_conn_is_quiet(const struct gw_conn *c, bool ask)
{
    char byte;

    /* An event may be there that is still to be called: others of the same turn come first. */
    if (gw_conn_may_read(c) || ((c->event.ev_evcallback.evcb_flags & EVLIST_ACTIVE) != 0 &&
                                (c->event.ev_res & (EV_READ | EV_CLOSED)) != 0)) {
        return false;
    }
    return !ask || (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
                    (errno == EAGAIN || errno == EWOULDBLOCK));
}

long
gw_conn_splice(struct gw_conn *from, struct gw_conn *to, size_t n)
{
    struct gw_pipe *p;

    assert(to->out_bytes == 0 && !to->shut);
    if (from->no_splice || to->no_splice || to->no_write || to->dialing || to->failed ||
        (p = gw_pipe_take(&to->loop->pipes)) == NULL) {
        return GW_CONN_COPY;
    }
    long got = gw_pipe_fill(p, from->fd, n < p->size ? n : p->size);
    if (got > 0) {
        to->pipe = p;
        to->out_bytes = (size_t)got;
        gw_conn_flush(to);
        return got;
    }
    int error = errno;
    gw_pipe_give(&to->loop->pipes, p);
    if (got < 0 && gw_conn_is_refusal(error)) {
        from->no_splice = true;
        return GW_CONN_COPY;
    }
    errno = error;
    return not_read(from, got);
}

static int
socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static void
on_dialed(struct gw_conn *c)
{
    int error = socket_error(c->fd);

    c->dialing = false;
    c->no_write = false;
    gw_conn_poke(c); /* this edge may have told of bytes, too; a close cancels the call */
    c->events->connected(c, error);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct gw_conn *c = arg;

    (void)fd;
    gw_loop_turn(c->loop);
    if ((what & (EV_READ | EV_CLOSED)) != 0) {
        c->may_read = true;
        c->peer_closed |= (what & EV_CLOSED) != 0;
    }
    if (c->dialing) {
        if ((what & (EV_WRITE | EV_CLOSED)) != 0) {
            on_dialed(c);
        }
        return;
    }
    if ((what & EV_WRITE) != 0 && c->no_write) {
        c->no_write = false;
        gw_conn_flush(c);
        if (c->out_bytes == 0) {
            if ((what & (EV_READ | EV_CLOSED)) != 0) {
                gw_conn_call_later(c); /* its owner may close it now, which also cancels this */
            }
            c->events->drained(c);
            return;
        }
    }
    if ((what & (EV_READ | EV_CLOSED)) != 0) {
        c->events->readable(c);
    }
}

static void
watch(struct gw_conn *c)
{
    event_assign(&c->event, c->loop->base, c->fd,
                 EV_READ | EV_WRITE | EV_ET | EV_PERSIST | EV_CLOSED, on_event, c);
    if (event_add(&c->event, NULL) != 0) {
        abort(); /* out of memory, or of epoll watches: decision 8 */
    }
}

void
gw_conn_open(struct gw_conn *c, struct gw_loop *l, int fd, const struct gw_conn_events *e)
{
    *c = (struct gw_conn){.loop = l, .fd = fd, .events = e};
    watch(c);
}

bool
gw_conn_is_own_want(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
           error == EADDRNOTAVAIL;
}

bool
gw_conn_dial(struct gw_conn *c, struct gw_loop *l, const void *address, unsigned length,
             const struct gw_conn_events *e)
{
    const struct sockaddr *sa = address;
    const int on = 1;
    int fd;

    if (l->room.dialing != NULL) {
        l->room.dialing(l->room.owner);
    }
    do {
        fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    } while (fd < 0 && gw_loop_made_room(l, errno));
    *c = (struct gw_conn){.loop = l, .fd = -1, .events = e};
    if (fd < 0) {
        return false;
    }
    if (sa->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (connect(fd, sa, length) != 0 && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        errno = error;
        return false;
    }
    c->fd = fd;
    c->dialing = true;
    watch(c);
    return true;
}

void
gw_conn_call_later(struct gw_conn *c)
{
    event_active(&c->event, EV_READ, 1);
}

void
gw_conn_poke(struct gw_conn *c)
{
    if (gw_conn_may_read(c)) {
        gw_conn_call_later(c);
    }
}

void
gw_conn_shutdown(struct gw_conn *c)
{
    if (!c->shut) {
        c->shut = true;
        gw_conn_finish_shutdown(c);
    }
}

int
gw_conn_take_fd(struct gw_conn *c)
{
    int fd = c->fd;

    assert(c->out_bytes == 0);
    event_del(&c->event);
    gw_doubt_drop(c);
    c->fd = -1;
    return fd;
}

void
gw_conn_close(struct gw_conn *c, bool reset)
{
    if (c->fd < 0) {
        return;
    }
    if (reset) {
        const struct linger now = {.l_onoff = 1};

        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    close(c->fd); /* takes it out of epoll, too, which then has less to do for event_del() */
    event_del(&c->event);
    gw_doubt_drop(c);
    c->fd = -1;
    gw_conn_drop_out(c);
}
