/* doubt.c - a reset is found, whatever hides it: bytes before it, or a write that met it first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/conn_ends.h"

/* Both make one edge, which looks like that of the bytes alone. */
static void
say_and_reset(int other)
{
    const struct linger now = {.l_onoff = 1};

    assert_int_equal(send(other, "last words", 10, 0), 10);
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(other);
}

static void
a_reset_right_behind_bytes_is_found(void **state)
{
    for (int again = 0; again < 2; again++) {
        struct end e;
        char got[16];

        (void)state;
        say_and_reset(tcp_pair(&e));
        turn();
        assert_int_equal(e.readable, 1);
        assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), 10);
        assert_false(gw_conn_may_read(&e.conn));
        if (again == 1) {
            gw_conn_look_again(&e.conn);
        } else {
            gw_doubt_add(&e.conn);
            gw_doubt_add(&e.conn); /* the second time is nothing new */
            UNTIL(e.readable == 2);
        }
        assert_true(gw_conn_may_read(&e.conn));
        assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), GW_CONN_FAILED);
        gw_conn_close(&e.conn, false);
    }
}

/* The kernel tells of it once, and it was the write that was told: a read would find an end. */
static void
a_reset_that_a_write_has_met_is_no_end(void **state)
{
    for (int n = 1; n <= 2; n++) {
        struct end e;
        char got[16];

        (void)state;
        say_and_reset(tcp_pair(&e));
        for (int i = 0; i < n; i++) {
            write_text(&e, "unheard");
        }
        assert_true(e.conn.failed);
        assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), 10);
        assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), GW_CONN_FAILED);
        gw_conn_close(&e.conn, false);
    }
}

/* A whole answer to a request that nobody read to its end. */
static void
an_end_before_the_reset_is_one(void **state)
{
    const struct linger now = {.l_onoff = 1};
    struct end e;
    int other = tcp_pair(&e);
    char got[16];

    (void)state;
    assert_int_equal(send(other, "all", 3, 0), 3);
    assert_int_equal(shutdown(other, SHUT_WR), 0);
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(other);
    write_text(&e, "unheard");
    assert_true(e.conn.failed);
    assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), 3);
    assert_int_equal(gw_conn_read(&e.conn, got, sizeof(got)), GW_CONN_END);
    gw_conn_close(&e.conn, false);
}

static void
a_failed_write_calls_the_owner(void **state)
{
    struct end e;

    (void)state;
    say_and_reset(tcp_pair(&e));
    turn();
    assert_int_equal(e.readable, 1);
    turn();
    assert_int_equal(e.readable, 1); /* the kernel has told all that it knows */
    write_text(&e, "unheard");
    assert_int_equal(e.readable, 1); /* not from within */
    turn();
    assert_int_equal(e.readable, 2);
    gw_conn_close(&e.conn, false);
}

static void
a_reset_is_known_before_what_came_before_it_is_read(void **state)
{
    struct end e;
    int other = tcp_pair(&e);

    (void)state;
    assert_false(gw_conn_was_reset(&e.conn));
    assert_int_equal(send(other, "x", 1, 0), 1);
    assert_false(gw_conn_was_reset(&e.conn));
    assert_int_equal(shutdown(other, SHUT_WR), 0);
    assert_false(gw_conn_was_reset(&e.conn));
    gw_conn_close(&e.conn, false);
    close(other);
    say_and_reset(tcp_pair(&e));
    assert_true(gw_conn_was_reset(&e.conn));
    gw_conn_close(&e.conn, false);
}

/* The oldest first, and no more of them in a tick than is said. */
static void
many_in_doubt_take_their_turns(void **state)
{
    enum {
        MANY_ENDS = 2 * GW_DOUBTS_A_TICK + 3
    };
    static struct end ends[MANY_ENDS];
    int others[MANY_ENDS];

    (void)state;
    for (int i = 0; i < MANY_ENDS; i++) {
        others[i] = pair(&ends[i]);
        gw_doubt_add(&ends[i].conn);
    }
    gw_conn_close(&ends[MANY_ENDS - 1].conn, false); /* the newest, the oldest, one in between */
    gw_conn_close(&ends[0].conn, false);
    gw_conn_close(&ends[5].conn, false);
    gw_doubts_settle(loop);
    assert_ptr_equal(loop->doubts.first, &ends[GW_DOUBTS_A_TICK + 2].conn.doubt);
    gw_doubt_add(&ends[1].conn); /* behind the others now */
    gw_doubts_settle(loop);
    assert_ptr_equal(loop->doubts.first, &ends[1].conn.doubt);
    gw_doubts_settle(loop);
    assert_null(loop->doubts.first);
    gw_doubts_settle(loop);
    turn();
    for (int i = 0; i < MANY_ENDS; i++) {
        assert_int_equal(ends[i].readable, 0); /* all are well: nothing to tell */
        gw_conn_close(&ends[i].conn, false);
        close(others[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_right_behind_bytes_is_found),
        cmocka_unit_test(a_reset_that_a_write_has_met_is_no_end),
        cmocka_unit_test(an_end_before_the_reset_is_one),
        cmocka_unit_test(a_failed_write_calls_the_owner),
        cmocka_unit_test(a_reset_is_known_before_what_came_before_it_is_read),
        cmocka_unit_test(many_in_doubt_take_their_turns),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
