/* shed.c - who has to go when there is no room for one more, and who never has to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/conf.h"
#include "gateway/session_private.h"
#include "gateway/shed.h"
#include "gateway/worlds.h"
#include "t/lib/own_clock.h"

#define MANY 300 /* many times more than are looked at in one go */

/* One of the worker's connections, and its other end. */
struct client {
    struct gw_session *session;
    int fd;
};

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_conf *conf;
static struct gw_sessions all;
static struct client clients[MANY];
static unsigned n_clients;

/* No line of the log for those who are answered. */
static int
load(void **state)
{
    struct gw_diag diag = {0};
    char path[] = "/tmp/ksgate-shed-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "listeners: [{address: '127.0.0.1:1'}]\n"
                            "core: {url: 'unix:/nowhere'}\n"
                            "authorization: {mode: allow_all}\n"
                            "log: {access: 'off'}\n") > 0);
    close(fd);
    conf = gw_conf_load(path, &diag);
    unlink(path);
    gw_diag_fini(&diag);
    assert_non_null(conf);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    gw_conf_unref(conf);
    return 0;
}

static int
setup(void **state)
{
    (void)state;
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    gw_world_use(world, conf);
    all = (struct gw_sessions){.world = world};
    n_clients = 0;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_sessions_close(&all);
    assert_null(all.all);
    assert_int_equal(all.count, 0);
    for (unsigned i = 0; i < n_clients; i++) {
        close(clients[i].fd);
    }
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

static void
pass_time(uint64_t ms)
{
    own_clock_pass(loop, ms);
}

/* -- what clients do -----------------------------------------------------------------------------
 */

static struct client *
come(bool trusted)
{
    const struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    struct client *c = &clients[n_clients++];
    int fds[2];

    assert_true(n_clients <= MANY);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    gw_session_open(&all, fds[0], &peer, trusted);
    *c = (struct client){.session = all.all, .fd = fds[1]};
    return c;
}

static void
begin_head(struct client *c)
{
    assert_int_equal(send(c->fd, "GET / HT", 8, 0), 8);
    for (int i = 0; i < 3; i++) {
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(c->session->state, GW_SESSION_HEAD);
}

/* A request runs, of which no more is to be known here. */
static void
be_busy(const struct client *c)
{
    GW_SESSION_COUNT(c->session, idle, -1);
    c->session->state = GW_SESSION_BUSY;
}

static void
be_idle(const struct client *c)
{
    gw_session_next(c->session);
}

static void
be_told_all(const struct client *c)
{
    gw_session_linger(c->session);
}

static bool
is_gone(const struct client *c)
{
    return c->session->state == GW_SESSION_ENDED;
}

/* One has to go.  False: nobody can; and whoever asks is told so. */
static bool
shed(void)
{
    unsigned long long before = gw_world_stats(world)->shed;
    bool can = gw_shed_can(&all);

    assert_int_equal(gw_shed_one(&all), can);
    assert_int_equal(gw_world_stats(world)->shed, before + can);
    return can;
}

static void
assert_goes(const struct client *c)
{
    assert_false(is_gone(c));
    assert_true(shed());
    assert_true(is_gone(c));
}

/* -- the list ------------------------------------------------------------------------------------
 */

static struct gw_session letters[26];

static struct gw_session *
letter(char c)
{
    return &letters[c - 'a'];
}

static void
assert_list(const char *want)
{
    struct gw_session **prev = &all.all;
    struct gw_session *last = NULL;

    for (; *want != '\0'; want++) {
        assert_ptr_equal(*prev, letter(*want));
        assert_ptr_equal((*prev)->prev, prev);
        last = *prev;
        prev = &last->next;
    }
    assert_null(*prev);
    assert_ptr_equal(all.last, last);
}

static void
the_list_has_two_ends(void **state)
{
    (void)state;
    for (const char *c = "abcde"; *c != '\0'; c++) {
        letter(*c)->all = &all;
        gw_shed_add(letter(*c));
    }
    assert_list("edcba");
    gw_shed_to_front(letter('e'));
    assert_list("edcba");
    gw_shed_to_front(letter('a'));
    assert_list("aedcb");
    gw_shed_to_front(letter('d'));
    assert_list("daecb");
    gw_shed_remove(letter('e'));
    assert_list("dacb");
    gw_shed_remove(letter('b'));
    assert_list("dac");
    gw_shed_remove(letter('d'));
    assert_list("ac");
    gw_shed_to_front(letter('c'));
    assert_list("ca");
    gw_shed_remove(letter('c'));
    gw_shed_to_front(letter('a'));
    assert_list("a");
    gw_shed_remove(letter('a'));
    assert_list("");
    gw_shed_add(letter('b'));
    assert_list("b");
    gw_shed_remove(letter('b'));
}

/* -- idle ones -----------------------------------------------------------------------------------
 */

static void
who_is_idle_for_longest_goes_first(void **state)
{
    const struct client *c[3];

    (void)state;
    assert_false(shed()); /* there is nobody */
    for (int i = 0; i < 3; i++) {
        c[i] = come(false);
        pass_time(200);
    }
    pass_time(GW_SHED_MIN_IDLE_MS);
    be_busy(c[0]);
    be_idle(c[0]); /* it has had another request */
    assert_goes(c[1]);
    assert_goes(c[2]);
    assert_false(shed());
    pass_time(GW_SHED_MIN_IDLE_MS);
    assert_goes(c[0]);
    assert_false(shed()); /* though they are in the list still */
    assert_int_equal(all.count, 3);
}

static void
half_a_second_belongs_to_the_client(void **state)
{
    const struct client *c = come(false);

    (void)state;
    assert_false(shed());
    pass_time(GW_SHED_MIN_IDLE_MS - 1);
    assert_false(shed());
    assert_false(gw_shed_idle(&all));
    assert_false(is_gone(c));
    pass_time(1);
    assert_true(gw_shed_can(&all));
    assert_true(gw_shed_idle(&all));
    assert_true(is_gone(c));
    assert_false(gw_shed_idle(&all));
}

static void
a_request_is_never_given_up_for_another(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        be_busy(come(false));
    }
    pass_time(3600000);
    for (int i = 0; i < 10; i++) {
        assert_false(shed());
    }
}

static void
an_idle_one_is_found_behind_busy_ones(void **state)
{
    const struct client *c[6];

    (void)state;
    for (int i = 0; i < 6; i++) {
        c[i] = come(false);
        pass_time(10);
    }
    be_busy(c[0]);
    be_busy(c[1]);
    be_busy(c[3]);
    pass_time(GW_SHED_MIN_IDLE_MS);
    assert_goes(c[2]);
    assert_goes(c[4]);
    be_idle(c[1]);
    assert_goes(c[5]);
    pass_time(GW_SHED_MIN_IDLE_MS);
    assert_goes(c[1]);
    assert_false(shed());
}

static void
who_still_takes_its_answer_stays(void **state)
{
    const struct client *slow = come(false);
    const struct client *lingers = come(false);
    const struct client *other = come(false);

    (void)state;
    be_busy(lingers);
    be_told_all(lingers);
    slow->session->conn.out_bytes = 1;
    lingers->session->conn.out_bytes = 1;
    pass_time(3600000);
    assert_goes(other);
    assert_false(shed());
    slow->session->conn.out_bytes = 0;
    assert_goes(slow);
    lingers->session->conn.out_bytes = 0;
    assert_goes(lingers);
}

static void
the_administrator_stays(void **state)
{
    const struct client *idle = come(true);
    struct client *slow = come(true);
    const struct client *lingers = come(true);
    const struct client *other = come(false);

    (void)state;
    begin_head(slow);
    be_busy(lingers);
    be_told_all(lingers);
    pass_time(3600000);
    assert_goes(other);
    assert_false(shed());
    assert_false(gw_shed_idle(&all));
    assert_false(is_gone(idle));
}

/* -- late ones -----------------------------------------------------------------------------------
 */

static void
assert_told(const struct client *c, const char *begin)
{
    char answer[2048];
    ssize_t n = recv(c->fd, answer, sizeof(answer), 0);

    assert_true(n > (ssize_t)strlen(begin));
    assert_memory_equal(answer, begin, strlen(begin));
    assert_int_equal(recv(c->fd, answer, sizeof(answer), 0), 0); /* and that is the end */
}

static void
who_is_late_with_its_head_is_told_so(void **state)
{
    struct client *c = come(false);

    (void)state;
    pass_time(GW_SHED_MIN_IDLE_MS - 1);
    begin_head(c); /* and only that counts */
    pass_time(GW_SHED_MIN_HEAD_MS - 1);
    assert_false(shed());
    pass_time(1);
    assert_false(gw_shed_idle(&all)); /* which may be called from anywhere */
    assert_goes(c);
    assert_told(c, "HTTP/1.1 503 ");
    assert_false(shed());
}

static void
who_was_told_all_goes_without_a_word(void **state)
{
    const struct client *c = come(false);
    char byte;

    (void)state;
    be_busy(c);
    pass_time(3600000);
    be_told_all(c);
    pass_time(GW_SHED_MIN_IDLE_MS - 1);
    assert_false(shed());
    pass_time(1);
    assert_false(gw_shed_idle(&all));
    assert_goes(c);
    assert_int_equal(recv(c->fd, &byte, 1, 0), 0);
    assert_false(shed());
}

static void
idle_ones_go_before_late_ones(void **state)
{
    struct client *late = come(false);
    const struct client *lingers = come(false);

    (void)state;
    begin_head(late);
    be_busy(lingers);
    be_told_all(lingers);
    pass_time(60000);
    const struct client *idle = come(false);
    assert_true(shed()); /* it is too new: one of the late ones goes */
    assert_int_equal(is_gone(late) + is_gone(lingers), 1);
    pass_time(GW_SHED_MIN_IDLE_MS);
    assert_goes(idle);
    assert_true(shed());
    assert_int_equal(is_gone(late) + is_gone(lingers), 2);
    assert_false(shed());
}

/* Whoever is many does not hide the one that is late, only for so many looks. */
static void
assert_found(const struct client *late, unsigned looks)
{
    for (unsigned i = 0; i < looks && !is_gone(late); i++) {
        (void)shed();
    }
    assert_true(is_gone(late));
    assert_false(shed());
}

static void
a_late_one_is_found_behind_busy_ones(void **state)
{
    static const int places[] = {0, 1, MANY / 2, MANY - 1};

    for (int k = 0; k < 4; k++) {
        struct client *late = NULL;

        setup(state);
        for (int i = 0; i < MANY; i++) {
            if (i == places[k]) {
                late = come(false);
                begin_head(late);
            } else {
                be_busy(come(false));
            }
        }
        pass_time(GW_SHED_MIN_HEAD_MS);
        assert_found(late, MANY / 64 + 1);
        teardown(state);
    }
}

/* All but the first come have another request. */
static void
have_requests(void)
{
    for (unsigned i = 1; i < MANY; i++) {
        be_busy(&clients[i]);
        be_idle(&clients[i]);
    }
}

/* Who has a request each 300 ms is never idle for long enough. */
static void
a_late_one_is_found_behind_lively_ones(void **state)
{
    for (int looks = 0; looks < 2; looks++) {
        struct client *late;

        setup(state);
        late = come(false);
        while (n_clients < MANY) {
            (void)come(false);
        }
        begin_head(late);
        for (int i = 0; i < 3; i++) {
            pass_time(300);
            have_requests();
        }
        pass_time(99);
        if (looks > 0) {
            assert_false(shed()); /* which moves it behind them all */
        }
        pass_time(1);
        assert_found(late, MANY / 64 + 1);
        teardown(state);
    }
}

static void
whom_all_overtake_between_two_looks_is_found(void **state)
{
    struct client *late = come(false);

    (void)state;
    while (n_clients < MANY) {
        (void)come(false);
    }
    begin_head(late);
    for (int i = 0; i < 4; i++) {
        pass_time(300);
        have_requests();
        assert_int_equal(shed(), i == 3);
    }
    assert_true(is_gone(late));
}

/* The search goes on with one that is there no longer. */
static void
who_leaves_meanwhile_stops_no_search(void **state)
{
    struct client *late = come(false);

    (void)state;
    begin_head(late);
    while (n_clients < MANY) {
        be_busy(come(false));
    }
    pass_time(GW_SHED_MIN_HEAD_MS - 1);
    assert_false(shed());
    assert_non_null(all.look);
    uintptr_t with = (uintptr_t)all.look;
    for (unsigned i = 1; i < MANY; i += 2) {
        gw_session_end(clients[i].session, false);
    }
    gw_session_end(all.look, false);
    gw_wheel_run(&loop->wheel, gw_loop_now_ms(loop) + (uint64_t)2 * GW_WHEEL_TICK_MS);
    assert_int_not_equal((uintptr_t)all.look, with);
    pass_time(1);
    assert_found(late, MANY / 64 + 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_list_has_two_ends),
        TEST(who_is_idle_for_longest_goes_first),
        TEST(half_a_second_belongs_to_the_client),
        TEST(a_request_is_never_given_up_for_another),
        TEST(an_idle_one_is_found_behind_busy_ones),
        TEST(who_still_takes_its_answer_stays),
        TEST(the_administrator_stays),
        TEST(who_is_late_with_its_head_is_told_so),
        TEST(who_was_told_all_goes_without_a_word),
        TEST(idle_ones_go_before_late_ones),
        cmocka_unit_test(a_late_one_is_found_behind_busy_ones),
        cmocka_unit_test(a_late_one_is_found_behind_lively_ones),
        TEST(whom_all_overtake_between_two_looks_is_found),
        TEST(who_leaves_meanwhile_stops_no_search),
    };
#undef TEST

    return cmocka_run_group_tests(tests, load, unload);
}
