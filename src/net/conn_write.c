/*
 * conn_write.c - what goes out: as much as the socket takes, and the rest is kept until it takes
 * more.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/conn_private.h"
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

void
gw_conn_drop_out(struct gw_conn *c)
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

/* Not writev(): a peer that has gone is an error, not a SIGPIPE.  By syscall() for the reason that
 * conn.c reads so. */
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
    gw_conn_drop_out(c);
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

void
gw_conn_finish_shutdown(struct gw_conn *c)
{
    if (c->shut && c->out_bytes == 0 && c->fd >= 0) {
        shutdown(c->fd, SHUT_WR);
    }
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

    if (sent < 0 && gw_conn_is_refusal(errno)) {
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
    gw_conn_finish_shutdown(c);
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
