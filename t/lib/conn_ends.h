/*
 * conn_ends.h - a connection under test, what it was told, and the other end of it.
 *
 * For one program, which runs its tests between open_loop() and close_loop().
 */
#ifndef GW_T_CONN_ENDS_H
#define GW_T_CONN_ENDS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

static struct gw_loop *loop;

struct end {
    struct gw_conn conn;   /* first: callbacks get it */
    struct end *neighbour; /* whether it was quiet is looked up when this one is readable */
    unsigned readable, drained, connected;
    int error;
    bool close_in_connected;
    bool neighbour_is_quiet;
};

static inline void
on_readable(struct gw_conn *c)
{
    struct end *e = (struct end *)c;

    e->readable++;
    if (e->neighbour != NULL) {
        e->neighbour_is_quiet = gw_conn_is_quiet(&e->neighbour->conn, false);
    }
}

static inline void
on_drained(struct gw_conn *c)
{
    ((struct end *)c)->drained++;
}

static inline void
on_connected(struct gw_conn *c, int error)
{
    struct end *e = (struct end *)c;

    e->connected++;
    e->error = error;
    if (e->close_in_connected) {
        gw_conn_close(c, false);
    }
}

static const struct gw_conn_events events = {
    .readable = on_readable, .drained = on_drained, .connected = on_connected};

/* A few turns of the loop: all that is there already gets its callback. */
static inline void
turn(void)
{
    for (int i = 0; i < 5; i++) {
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
}

/* The tick wakes the loop: it never sleeps for ever. */
#define UNTIL(what)                               \
    for (int turns = 0; !(what); turns++) {       \
        assert_true(turns < 1000);                \
        event_base_loop(loop->base, EVLOOP_ONCE); \
    }

static inline int
pair(struct end *e)
{
    int fds[2];

    memset(e, 0, sizeof(*e));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    gw_conn_open(&e->conn, loop, fds[0], &events);
    return fds[1];
}

static inline int
listen_on_loopback(struct sockaddr_in *sa)
{
    socklen_t size = sizeof(*sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof(*sa)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &size), 0);
    return fd;
}

static inline void
write_text(struct end *e, const char *text)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};

    gw_conn_write(&e->conn, &iov, 1);
}

static inline int
open_loop(void **state)
{
    (void)state;
    loop = gw_loop_new();
    return 0;
}

static inline int
close_loop(void **state)
{
    (void)state;
    gw_loop_free(loop);
    return 0;
}

/* A connection, and the other end of it, over TCP. */
static inline int
tcp_pair(struct end *e)
{
    struct sockaddr_in sa;
    int listener = listen_on_loopback(&sa);

    memset(e, 0, sizeof(*e));
    assert_true(gw_conn_dial(&e->conn, loop, &sa, sizeof(sa), &events));
    int other = accept(listener, NULL, NULL);
    assert_true(other >= 0);
    UNTIL(e->connected == 1);
    turn();
    close(listener);
    return other;
}

#endif
