/* Pipes between sockets: bytes keep their order, a pipe with somebody's bytes in it is never lent
 * to another, and who gets no pipe copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/conn.h"

#define MANY ((size_t)4 * 1024 * 1024)

static struct gw_loop *loop;
static int refuse_in, refuse_out; /* what the kernel is to say, or 0 */

/* The kernel's, unless the test wants it to refuse. */
ssize_t
splice(int in, loff_t *offin, int out, loff_t *offout, size_t n, unsigned flags)
{
    int error = fcntl(in, F_GETPIPE_SZ) < 0 ? refuse_in : refuse_out;

    if (error != 0) {
        errno = error;
        return -1;
    }
    return syscall(SYS_splice, in, offin, out, offout, n, flags);
}

struct end {
    struct gw_conn conn; /* first: callbacks get it */
    int other;
    unsigned drained;
};

static void
on_readable(struct gw_conn *c)
{
    (void)c;
}

static void
on_drained(struct gw_conn *c)
{
    ((struct end *)c)->drained++;
}

static const struct gw_conn_events events = {.readable = on_readable, .drained = on_drained};

static void
open_end(struct end *e)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *e = (struct end){.other = fds[1]};
    gw_conn_open(&e->conn, loop, fds[0], &events);
}

static void
close_end(struct end *e)
{
    gw_conn_close(&e->conn, false);
    if (e->other >= 0) {
        close(e->other);
    }
}

static void
turn(void)
{
    for (int i = 0; i < 3; i++) {
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
}

static unsigned char
byte_at(size_t at)
{
    return (unsigned char)(at * 31 + at / 4096);
}

/* Writes what goes on counting from `at`, as much as the socket takes. */
static size_t
pour(int fd, size_t at, size_t upto)
{
    static unsigned char bytes[65536];
    ssize_t n = 1;

    while (at < upto && n > 0) {
        size_t want = upto - at < sizeof(bytes) ? upto - at : sizeof(bytes);

        for (size_t i = 0; i < want; i++) {
            bytes[i] = byte_at(at + i);
        }
        n = send(fd, bytes, want, MSG_NOSIGNAL);
        at += n > 0 ? (size_t)n : 0;
    }
    return at;
}

static size_t
drink(int fd, size_t at, size_t upto)
{
    static unsigned char bytes[65536];
    ssize_t n;

    while (at < upto && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++) {
            assert_int_equal(bytes[i], byte_at(at));
        }
    }
    return at;
}

static int
open_loop(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    loop = gw_loop_new();
    return 0;
}

static int
close_loop(void **state)
{
    (void)state;
    gw_loop_free(loop); /* asserts that all pipes were given back */
    return 0;
}

/* ---- the pipes themselves -------------------------------------------------------------------- */

static void
an_empty_pipe_is_lent_again(void **state)
{
    struct gw_pipes all = {0};
    struct gw_pipe *p = gw_pipe_take(&all);

    (void)state;
    assert_non_null(p);
    assert_true(p->size >= GW_PIPE_LEAST);
    gw_pipe_give(&all, p);
    assert_ptr_equal(gw_pipe_take(&all), p);
    gw_pipe_give(&all, p);
    gw_pipes_close(&all);
}

static void
one_with_bytes_in_it_is_not(void **state)
{
    struct gw_pipes all = {0};
    struct gw_pipe *p = gw_pipe_take(&all);
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(send(fds[1], "secret", 6, 0), 6);
    assert_int_equal(gw_pipe_fill(p, fds[0], 100), 6);
    int in = p->in;
    gw_pipe_give(&all, p);
    assert_int_equal(all.n_spare, 0);
    assert_int_equal(fcntl(in, F_GETFD), -1);
    close(fds[0]);
    close(fds[1]);
    gw_pipes_close(&all);
}

static void
no_more_are_lent_or_kept_than_that(void **state)
{
    struct gw_pipes all = {0};
    struct gw_pipe *lent[GW_PIPES_LENT];

    (void)state;
    for (size_t i = 0; i < GW_PIPES_LENT; i++) {
        lent[i] = gw_pipe_take(&all);
        assert_non_null(lent[i]);
    }
    assert_null(gw_pipe_take(&all));
    for (size_t i = 0; i < GW_PIPES_LENT; i++) {
        gw_pipe_give(&all, lent[i]);
    }
    assert_int_equal(all.n_spare, GW_PIPES_SPARE);
    assert_int_equal(all.n_lent, 0);
    gw_pipes_close(&all);
}

static void
who_is_refused_does_not_ask_each_time(void **state)
{
    struct gw_pipes all = {0};
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(gw_pipe_take(&all));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < GW_PIPES_PAUSE; i++) {
        assert_null(gw_pipe_take(&all));
    }
    struct gw_pipe *p = gw_pipe_take(&all);
    assert_non_null(p);
    gw_pipe_give(&all, p);
    gw_pipes_close(&all);
}

/* ---- from one connection to another ---------------------------------------------------------- */

/* All of MANY bytes through; the reader takes them only when nothing else moves. */
static void
move_all(struct end *from, struct end *to)
{
    size_t poured = 0;
    size_t drunk = 0;
    size_t spliced = 0;

    while (drunk < MANY) {
        size_t before = poured + spliced;

        poured = pour(from->other, poured, MANY);
        turn();
        while (to->conn.out_bytes == 0 && spliced < MANY) {
            long got = gw_conn_splice(&from->conn, &to->conn, MANY - spliced);

            if (got == GW_CONN_WAIT) {
                break;
            }
            assert_true(got > 0);
            spliced += (size_t)got;
        }
        if (poured + spliced == before) {
            drunk = drink(to->other, drunk, MANY);
        }
    }
    assert_int_equal(spliced, MANY);
    assert_int_equal(to->conn.out_bytes, 0);
    assert_null(to->conn.pipe);
}

static void
bytes_keep_their_order(void **state)
{
    struct end from;
    struct end to;

    (void)state;
    open_end(&from);
    open_end(&to);
    move_all(&from, &to);
    assert_true(to.drained > 0);
    assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), GW_CONN_WAIT);
    assert_int_equal(send(from.other, "bye", 3, 0), 3);
    close(from.other);
    from.other = -1;
    assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), 3);
    assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), GW_CONN_END);
    assert_int_equal(loop->pipes.n_lent, 0);
    close_end(&from);
    close_end(&to);
}

/* Fills to's socket from the other connection until some stays in a pipe; how many went in. */
static size_t
fill_up(struct end *from, struct end *to)
{
    size_t poured = 0;
    size_t spliced = 0;

    while (to->conn.out_bytes == 0) {
        poured = pour(from->other, poured, MANY);
        long got = gw_conn_splice(&from->conn, &to->conn, MANY);
        assert_true(got > 0);
        spliced += (size_t)got;
    }
    assert_non_null(to->conn.pipe);
    return spliced;
}

static void
what_is_written_later_goes_behind(void **state)
{
    struct end from;
    struct end to;
    char tail[8];

    (void)state;
    open_end(&from);
    open_end(&to);
    size_t n = fill_up(&from, &to);
    gw_conn_write(&to.conn, &(struct iovec){(void *)(uintptr_t) "one ", 4}, 1);
    gw_conn_cork(&to.conn, "two", 3);
    gw_conn_shutdown(&to.conn);
    for (size_t drunk = 0; drunk < n; turn()) {
        drunk = drink(to.other, drunk, n);
    }
    turn();
    assert_int_equal(recv(to.other, tail, sizeof(tail), 0), 7);
    assert_memory_equal(tail, "one two", 7);
    assert_int_equal(recv(to.other, tail, 1, 0), 0);
    assert_int_equal(to.drained, 1);
    assert_int_equal(loop->pipes.n_lent, 0);
    close_end(&from);
    close_end(&to);
}

static void
a_pipe_of_one_who_leaves_is_closed(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct end from;
        struct end to;

        (void)state;
        open_end(&from);
        open_end(&to);
        fill_up(&from, &to);
        unsigned spare = loop->pipes.n_spare;
        if (how == 0) { /* the peer goes */
            close(to.other);
            to.other = -1;
            turn();
            assert_true(to.conn.failed);
            assert_int_equal(to.conn.out_bytes, 0);
        } else {
            gw_conn_close(&to.conn, true);
        }
        assert_int_equal(loop->pipes.n_lent, 0);
        assert_int_equal(loop->pipes.n_spare, spare);
        close_end(&from);
        close_end(&to);
    }
}

static void
a_kernel_that_does_not_splice_makes_us_copy(void **state)
{
    static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP, EPERM};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct end from;
        struct end to;
        char got[8];

        open_end(&from);
        open_end(&to);
        assert_int_equal(send(from.other, "hello", 5, 0), 5);
        refuse_in = errors[i];
        assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), GW_CONN_COPY);
        assert_true(from.conn.no_splice);
        refuse_in = 0;
        from.conn.no_splice = false;
        refuse_out = errors[i]; /* noticed when the bytes are in the pipe already */
        assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), 5);
        refuse_out = 0;
        assert_int_equal(recv(to.other, got, sizeof(got), 0), 5);
        assert_memory_equal(got, "hello", 5);
        assert_true(to.conn.no_splice);
        assert_int_equal(gw_conn_splice(&from.conn, &to.conn, 100), GW_CONN_COPY);
        assert_int_equal(loop->pipes.n_lent, 0);
        close_end(&from);
        close_end(&to);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_pipe_is_lent_again),
        cmocka_unit_test(one_with_bytes_in_it_is_not),
        cmocka_unit_test(no_more_are_lent_or_kept_than_that),
        cmocka_unit_test(who_is_refused_does_not_ask_each_time),
        cmocka_unit_test(bytes_keep_their_order),
        cmocka_unit_test(what_is_written_later_goes_behind),
        cmocka_unit_test(a_pipe_of_one_who_leaves_is_closed),
        cmocka_unit_test(a_kernel_that_does_not_splice_makes_us_copy),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
