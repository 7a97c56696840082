#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/pipe.h"

#define KEEP_MIN  ((size_t)4096)
#define WRITE_IOV 32

/* A piece of what the socket did not take. */
struct gw_conn_out {
    struct gw_conn_out *next;
    size_t from, to, size;
    char bytes[];
};

static void
keep(struct gw_conn *c, const char *p, size_t n)
{
    struct gw_conn_out *o = c->out_last;

    if (o != NULL && o->size - o->to >= n) {
        memcpy(o->bytes + o->to, p, n);
        o->to += n;
        c->out_bytes += n;
        return;
    }
    size_t size = n > KEEP_MIN ? n : KEEP_MIN;
    o = malloc(sizeof(*o) + size);
    if (o == NULL) {
        abort(); /* decision 8 */
    }
    *o = (struct gw_conn_out){.to = n, .size = size};
    memcpy(o->bytes, p, n);
    if (c->out == NULL) {
        c->out = o;
    } else {
        assert(c->out_last != NULL);
        c->out_last->next = o;
    }
    c->out_last = o;
    c->out_bytes += n;
}

static void
drop_out(struct gw_conn *c)
{
    if (c->pipe != NULL) {
        gw_pipe_give(&c->loop->pipes, c->pipe);
        c->pipe = NULL;
    }
    while (c->out != NULL) {
        struct gw_conn_out *o = c->out;

        c->out = o->next;
        free(o);
    }
    c->out_last = NULL;
    c->out_bytes = 0;
}

/* Takes the first n bytes, which are written, off the kept ones. */
static void
forget(struct gw_conn *c, size_t n)
{
    c->out_bytes -= n;
    while (n > 0) {
        struct gw_conn_out *o = c->out;
        assert(o != NULL); /* no more is written than was kept */
        size_t here = o->to - o->from;

        if (n < here) {
            o->from += n;
            return;
        }
        n -= here;
        c->out = o->next;
        if (c->out == NULL) {
            c->out_last = NULL;
        }
        free(o);
    }
}

/* glibc's recv() and send() are cancellation points: in a process with threads each of them first
 * allows to be cancelled, and then forbids it again, by two atomic writes.  Nobody cancels here. */
static ssize_t
receive(int fd, void *into, size_t n)
{
    return syscall(SYS_recvfrom, fd, into, n, 0, NULL, NULL);
}

/* Not writev(): a peer that has gone is an error, not a SIGPIPE. */
static ssize_t
send_all(int fd, const struct iovec *iov, size_t n)
{
    if (n == 1) { /* the kernel has less to do for one piece */
        return syscall(SYS_sendto, fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL, NULL, 0);
    }
    const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};

    return syscall(SYS_sendmsg, fd, &m, MSG_NOSIGNAL);
}

/* The error is told of once, to whoever comes first; a read would find only the end. */
static void
write_failed(struct gw_conn *c, int error)
{
    c->failed = true;
    c->reset = c->reset || error == ECONNRESET;
    drop_out(c);
    gw_conn_call_later(c);
}

static ssize_t
send_iov(struct gw_conn *c, const struct iovec *iov, size_t n)
{
    ssize_t sent;

    do {
        sent = send_all(c->fd, iov, n);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return sent;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        c->no_write = true;
        return 0;
    }
    write_failed(c, errno);
    return -1;
}

static void
finish_shutdown(struct gw_conn *c)
{
    if (c->shut && c->out_bytes == 0 && c->fd >= 0) {
        shutdown(c->fd, SHUT_WR);
    }
}

/* No error of the connection: this kernel (a sandbox, a filter) does not splice here. */
static bool
is_refusal(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

/* The socket can't be spliced to after all: what is in the pipe goes on as a copy. */
static void
unsplice(struct gw_conn *c)
{
    struct gw_pipe *p = c->pipe;
    struct gw_conn_out *o = gw_mem_resize(NULL, sizeof(*o) + p->n);

    *o = (struct gw_conn_out){.next = c->out, .size = p->n};
    while (p->n > 0) {
        long got = gw_pipe_read(p, o->bytes + o->to, o->size - o->to);

        assert(got > 0); /* the bytes are in there */
        o->to += (size_t)got;
    }
    c->out = o;
    c->out_last = c->out_last == NULL ? o : c->out_last;
    c->no_splice = true;
    c->pipe = NULL;
    gw_pipe_give(&c->loop->pipes, p);
}

/* False when there is more in the pipe than the socket takes. */
static bool
flush_pipe(struct gw_conn *c)
{
    long sent = gw_pipe_empty(c->pipe, c->fd);

    if (sent < 0 && is_refusal(errno)) {
        unsplice(c);
        return true;
    }
    if (sent < 0) {
        write_failed(c, errno);
        return false;
    }
    c->out_bytes -= (size_t)sent;
    if (c->pipe->n > 0) {
        c->no_write = true;
        return false;
    }
    gw_pipe_give(&c->loop->pipes, c->pipe);
    c->pipe = NULL;
    return true;
}

void
gw_conn_flush(struct gw_conn *c)
{
    if (c->pipe != NULL && (c->no_write || c->failed || !flush_pipe(c))) {
        return;
    }
    while (c->out_bytes > 0 && !c->no_write && !c->failed && !c->dialing) {
        struct iovec iov[WRITE_IOV];
        size_t n = 0;
        size_t all = 0;

        for (struct gw_conn_out *o = c->out; o != NULL && n < WRITE_IOV; o = o->next) {
            iov[n++] = (struct iovec){o->bytes + o->from, o->to - o->from};
            all += o->to - o->from;
        }
        ssize_t sent = send_iov(c, iov, n);
        if (sent < 0) {
            return;
        }
        forget(c, (size_t)sent);
        if ((size_t)sent < all) {
            c->no_write = true; /* the buffer is full: the next edge tells */
        }
    }
    finish_shutdown(c);
}

void
gw_conn_cork(struct gw_conn *c, const void *bytes, size_t n)
{
    if (!c->failed && n > 0) {
        keep(c, bytes, n);
    }
}

/* What was kept and what is new in one call. */
static size_t
write_both(struct gw_conn *c, const struct iovec *iov, int n, size_t all)
{
    struct iovec both[WRITE_IOV + 1];
    size_t n_both = 0;
    size_t kept = c->out_bytes;
    ssize_t sent;

    if (kept > 0) {
        if (c->pipe != NULL || c->out->next != NULL) { /* they go first, by themselves */
            gw_conn_flush(c);
            if (c->out_bytes > 0 || c->failed) {
                return 0;
            }
            kept = 0;
        } else {
            both[n_both++] = (struct iovec){c->out->bytes + c->out->from, kept};
        }
    }
    if (n_both == 0) {
        sent = send_iov(c, iov, (size_t)n);
    } else {
        memcpy(both + n_both, iov, (size_t)n * sizeof(*iov));
        sent = send_iov(c, both, n_both + (size_t)n);
    }
    if (sent < 0) {
        return all;
    }
    if ((size_t)sent < kept + all) {
        c->no_write = true;
    }
    if ((size_t)sent < kept) {
        forget(c, (size_t)sent);
        return 0;
    }
    forget(c, kept);
    return (size_t)sent - kept;
}

void
gw_conn_write(struct gw_conn *c, const struct iovec *iov, int n)
{
    size_t all = 0;
    size_t sent = 0;

    assert(n <= WRITE_IOV && !c->shut);
    for (int i = 0; i < n; i++) {
        all += iov[i].iov_len;
    }
    if (c->failed) {
        return;
    }
    if (!c->no_write && !c->dialing) {
        sent = write_both(c, iov, n, all);
        if (c->failed) {
            return;
        }
    }
    for (int i = 0; i < n; i++) {
        if (sent >= iov[i].iov_len) {
            sent -= iov[i].iov_len;
            continue;
        }
        keep(c, (const char *)iov[i].iov_base + sent, iov[i].iov_len - sent);
        sent = 0;
    }
    if (c->out_bytes > 0 && !c->no_write) {
        gw_conn_flush(c); /* kept pieces stood in the way of the new bytes */
    }
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
    drop_out(c);
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
    if (got < 0 && is_refusal(error)) {
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
        finish_shutdown(c);
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
    drop_out(c);
}
