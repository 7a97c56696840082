#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "t/lib/conn_ends.h"

#define MANY ((size_t)8 * 1024 * 1024)

static void
assert_other_reads(int fd, const char *want)
{
    char got[256];
    ssize_t n = recv(fd, got, sizeof(got), 0);

    assert_int_equal(n, (ssize_t)strlen(want));
    assert_memory_equal(got, want, (size_t)n);
}

static void
a_write_goes_out_at_once(void **state)
{
    struct end e;
    int other = pair(&e);
    const struct iovec iov[] = {
        {(void *)(uintptr_t) "a", 1}, {(void *)(uintptr_t) "", 0}, {(void *)(uintptr_t) "bc", 2}};

    (void)state;
    gw_conn_write(&e.conn, iov, 3);
    assert_int_equal(e.conn.out_bytes, 0);
    assert_other_reads(other, "abc");
    gw_conn_close(&e.conn, false);
    close(other);
}

static void
corked_bytes_go_with_the_next(void **state)
{
    struct end e;
    int other = pair(&e);

    (void)state;
    gw_conn_cork(&e.conn, "one ", 4);
    gw_conn_cork(&e.conn, "two ", 4);
    assert_int_equal(recv(other, &(char){0}, 1, 0), -1);
    assert_int_equal(e.conn.out_bytes, 8);
    write_text(&e, "three");
    assert_other_reads(other, "one two three");
    gw_conn_cork(&e.conn, "four", 4);
    gw_conn_flush(&e.conn);
    assert_other_reads(other, "four");
    assert_int_equal(e.conn.out_bytes, 0);
    gw_conn_close(&e.conn, false);
    close(other);
}

static void
reads_say_when_to_stop(void **state)
{
    struct end e;
    int other = pair(&e);
    char bytes[8];

    (void)state;
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), GW_CONN_WAIT);
    assert_int_equal(send(other, "0123456789", 10, 0), 10);
    UNTIL(e.readable > 0);
    assert_true(gw_conn_may_read(&e.conn));
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), 8);
    assert_true(gw_conn_may_read(&e.conn)); /* it was full: there may be more */
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), 2);
    assert_false(gw_conn_may_read(&e.conn)); /* it was short: the socket is empty */
    close(other);
    e.readable = 0;
    UNTIL(e.readable > 0);
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), GW_CONN_END);
    gw_conn_close(&e.conn, false);
}

static void
the_end_is_not_lost_behind_the_last_bytes(void **state)
{
    struct end e;
    int other = pair(&e);
    char bytes[8];

    (void)state;
    assert_int_equal(send(other, "bye", 3, 0), 3);
    close(other);
    UNTIL(e.readable > 0);
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), 3);
    assert_true(gw_conn_may_read(&e.conn)); /* short, but the end was seen by the event */
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), GW_CONN_END);
    assert_false(gw_conn_may_read(&e.conn));
    gw_conn_close(&e.conn, false);
}

static void
a_poke_calls_only_when_there_may_be_something(void **state)
{
    struct end e;
    int other = pair(&e);

    (void)state;
    turn();
    gw_conn_poke(&e.conn);
    turn();
    assert_int_equal(e.readable, 0);
    gw_conn_call_later(&e.conn);
    assert_int_equal(e.readable, 0); /* never from within */
    turn();
    assert_int_equal(e.readable, 1);
    assert_int_equal(send(other, "x", 1, 0), 1);
    turn();
    assert_int_equal(e.readable, 2);
    turn();
    assert_int_equal(e.readable, 2); /* one edge, one call */
    gw_conn_poke(&e.conn);
    turn();
    assert_int_equal(e.readable, 3);
    gw_conn_call_later(&e.conn);
    gw_conn_close(&e.conn, false);
    turn();
    assert_int_equal(e.readable, 3); /* no call after the close */
    close(other);
}

/* Reads all that comes, checks that it goes on counting, until the end or `upto`. */
static size_t
drink(int fd, size_t at, size_t upto)
{
    static unsigned char bytes[65536];
    ssize_t n;

    while (at < upto && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++) {
            assert_int_equal(bytes[i], (unsigned char)(at * 31 + at / 4096));
        }
    }
    return at;
}

static unsigned char *
countable(size_t n)
{
    unsigned char *p = malloc(n);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        p[i] = (unsigned char)(i * 31 + i / 4096);
    }
    return p;
}

static void
what_the_socket_does_not_take_is_kept_in_order(void **state)
{
    struct end e;
    int other = pair(&e);
    unsigned char *p = countable(MANY);
    size_t at = 0;

    (void)state;
    gw_conn_write(&e.conn, &(struct iovec){p, MANY / 2}, 1);
    assert_true(e.conn.out_bytes > 0);
    /* More pieces behind it, small and large ones. */
    gw_conn_cork(&e.conn, p + MANY / 2, 100);
    gw_conn_write(&e.conn, &(struct iovec){p + MANY / 2 + 100, MANY / 4}, 1);
    gw_conn_write(&e.conn, &(struct iovec){p + MANY / 2 + 100 + MANY / 4, MANY / 4 - 100}, 1);
    gw_conn_shutdown(&e.conn);
    free(p);
    while (at < MANY) {
        at = drink(other, at, MANY);
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(e.conn.out_bytes, 0);
    assert_int_equal(e.drained, 1);
    assert_int_equal(recv(other, &(char){0}, 1, 0), 0); /* the end, after the last byte */
    gw_conn_close(&e.conn, false);
    close(other);
}

static void
a_peer_that_is_gone_fails_in_silence(void **state)
{
    struct end e;
    int other = pair(&e);

    (void)state;
    close(other);
    write_text(&e, "x");
    assert_true(e.conn.failed);
    assert_int_equal(e.conn.out_bytes, 0);
    write_text(&e, "y");
    gw_conn_cork(&e.conn, "z", 1);
    assert_int_equal(e.conn.out_bytes, 0);
    UNTIL(e.readable > 0); /* the read side tells */
    gw_conn_close(&e.conn, false);
    gw_conn_close(&e.conn, false); /* again: fine */
}

static void
kept_bytes_of_a_peer_that_goes_are_dropped(void **state)
{
    struct end e;
    int other = pair(&e);
    unsigned char *p = countable(MANY);

    (void)state;
    gw_conn_write(&e.conn, &(struct iovec){p, MANY}, 1);
    free(p);
    assert_true(e.conn.out_bytes > 0);
    close(other);
    UNTIL(e.conn.failed);
    assert_int_equal(e.conn.out_bytes, 0);
    gw_conn_close(&e.conn, false);
}

static void
dialing_ends_in_a_connection(void **state)
{
    struct sockaddr_in sa;
    struct end e = {0};
    int listener = listen_on_loopback(&sa);

    (void)state;
    assert_true(gw_conn_dial(&e.conn, loop, &sa, sizeof(sa), &events));
    write_text(&e, "early"); /* kept until there is somebody */
    assert_int_equal(e.connected, 0);
    UNTIL(e.connected > 0);
    assert_int_equal(e.error, 0);
    gw_conn_flush(&e.conn);
    int other = accept(listener, NULL, NULL);
    assert_other_reads(other, "early");
    gw_conn_close(&e.conn, false);
    close(other);
    close(listener);
}

/* Both come with the same edge; the loop must not be asked to tell them apart again. */
static void
who_speaks_at_once_is_heard(void **state)
{
    struct sockaddr_in sa;
    struct end e = {0};
    int listener = listen_on_loopback(&sa);

    (void)state;
    assert_true(gw_conn_dial(&e.conn, loop, &sa, sizeof(sa), &events));
    int other = accept(listener, NULL, NULL);
    assert_int_equal(send(other, "hello", 5, 0), 5);
    UNTIL(e.connected > 0);
    UNTIL(e.readable > 0);
    char bytes[8];
    assert_int_equal(gw_conn_read(&e.conn, bytes, 8), 5);
    gw_conn_close(&e.conn, false);
    close(other);
    close(listener);
}

static void
nobody_there_is_an_error(void **state)
{
    struct sockaddr_in sa;
    struct end e = {.close_in_connected = true};
    int listener = listen_on_loopback(&sa);

    (void)state;
    close(listener); /* the port is nobody's now */
    if (!gw_conn_dial(&e.conn, loop, &sa, sizeof(sa), &events)) {
        assert_int_equal(errno, ECONNREFUSED);
        return;
    }
    e.close_in_connected = true;
    UNTIL(e.connected > 0);
    assert_int_equal(e.error, ECONNREFUSED);
    turn();
    assert_int_equal(e.connected, 1);
}

/* The other side of a TCP connection must be able to tell a cut from an end. */
static void
a_reset_is_not_an_end(void **state)
{
    for (int reset = 0; reset < 2; reset++) {
        struct sockaddr_in sa;
        struct end e = {0};
        int listener = listen_on_loopback(&sa);
        char byte;

        (void)state;
        assert_true(gw_conn_dial(&e.conn, loop, &sa, sizeof(sa), &events));
        UNTIL(e.connected > 0);
        int other = accept(listener, NULL, NULL);
        gw_conn_close(&e.conn, reset == 1);
        assert_int_equal(recv(other, &byte, 1, 0), reset == 1 ? -1 : 0);
        if (reset == 1) {
            assert_int_equal(errno, ECONNRESET);
        }
        close(other);
        close(listener);
    }
}

static void
the_kernel_knows_what_the_loop_has_not_told(void **state)
{
    for (int ends = 0; ends < 2; ends++) {
        struct end e;
        int other = pair(&e);
        char byte = 'x';

        (void)state;
        turn(); /* the first edge says that it can be written to */
        assert_true(gw_conn_is_quiet(&e.conn, true));
        if (ends == 1) {
            assert_int_equal(shutdown(other, SHUT_WR), 0);
        } else {
            assert_int_equal(send(other, &byte, 1, 0), 1);
        }
        assert_true(gw_conn_is_quiet(&e.conn, false));
        assert_false(gw_conn_is_quiet(&e.conn, true));
        turn();
        assert_int_equal(e.readable, 1); /* nothing was taken away */
        assert_false(gw_conn_is_quiet(&e.conn, false));
        gw_conn_close(&e.conn, false);
        close(other);
    }
}

static void
what_comes_in_the_same_turn_is_no_quiet(void **state)
{
    struct end first;
    struct end second;
    int to_first = pair(&first);
    int to_second = pair(&second);
    char byte = 'x';

    (void)state;
    turn();
    first.neighbour = &second;
    assert_int_equal(send(to_first, &byte, 1, 0), 1);
    turn();
    assert_true(first.neighbour_is_quiet);
    assert_int_equal(send(to_first, &byte, 1, 0), 1);
    assert_int_equal(send(to_second, &byte, 1, 0), 1); /* its turn is the same, but later */
    turn();
    assert_int_equal(first.readable, 2);
    assert_false(first.neighbour_is_quiet);
    gw_conn_close(&first.conn, false);
    gw_conn_close(&second.conn, false);
    close(to_first);
    close(to_second);
}

struct worker {
    struct gw_later later; /* first */
    unsigned turns, most;
};

static struct end *beside;

static void
work(struct gw_later *later)
{
    struct worker *w = (struct worker *)later;

    /* until the others have had their turn */
    if (++w->turns < w->most && beside->readable == 0) {
        gw_loop_later(later->loop, later);
    }
}

static void
what_is_done_later_does_not_come_first(void **state)
{
    struct end e;
    int other = pair(&e);
    struct worker busy = {.later = {.run = work}, .most = 100000000};
    struct worker gone = {.later = {.run = work}, .most = 1};
    struct worker last = {.later = {.run = work}, .most = 1};

    (void)state;
    beside = &e;
    gw_loop_later(loop, &busy.later);
    gw_loop_later(loop, &gone.later);
    gw_loop_later(loop, &last.later);
    gw_loop_later(loop, &last.later); /* once is enough */
    gw_loop_later_cancel(&gone.later);
    gw_loop_later_cancel(&gone.later);
    assert_int_equal(send(other, "x", 1, 0), 1);
    while (busy.turns == 0 || busy.later.prev != NULL) {
        event_base_loop(loop->base, EVLOOP_ONCE);
    }
    assert_int_equal(e.readable, 1);
    assert_true(busy.turns < busy.most);
    assert_int_equal(gone.turns, 0);
    assert_int_equal(last.turns, 1);
    gw_loop_later(loop, &last.later); /* the last of the list leaves it */
    gw_loop_later(loop, &gone.later);
    gw_loop_later_cancel(&gone.later);
    gw_loop_later(loop, &busy.later);
    event_base_loop(loop->base, EVLOOP_ONCE);
    assert_int_equal(last.turns, 2);
    assert_int_equal(gone.turns, 0);
    gw_conn_close(&e.conn, false);
    close(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_done_later_does_not_come_first),
        cmocka_unit_test(a_write_goes_out_at_once),
        cmocka_unit_test(corked_bytes_go_with_the_next),
        cmocka_unit_test(reads_say_when_to_stop),
        cmocka_unit_test(the_end_is_not_lost_behind_the_last_bytes),
        cmocka_unit_test(a_poke_calls_only_when_there_may_be_something),
        cmocka_unit_test(what_the_socket_does_not_take_is_kept_in_order),
        cmocka_unit_test(a_peer_that_is_gone_fails_in_silence),
        cmocka_unit_test(kept_bytes_of_a_peer_that_goes_are_dropped),
        cmocka_unit_test(dialing_ends_in_a_connection),
        cmocka_unit_test(who_speaks_at_once_is_heard),
        cmocka_unit_test(nobody_there_is_an_error),
        cmocka_unit_test(a_reset_is_not_an_end),
        cmocka_unit_test(the_kernel_knows_what_the_loop_has_not_told),
        cmocka_unit_test(what_comes_in_the_same_turn_is_no_quiet),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
