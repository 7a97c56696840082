/* pace.c - the account of a client that keeps us waiting: what it owes, and when it is too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/conf.h"
#include "gateway/pace.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"
#include "t/lib/own_clock.h"

#define RATE    1000U  /* bytes a second: a byte pays a millisecond */
#define IDLE    10000L /* timeouts.body_idle */
#define N(list) (sizeof(list) / sizeof((list)[0]))

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_conf *conf;
static struct gw_sessions sessions;
static struct gw_session session;
static int client; /* the other end of its connection */

static void
pass_time(uint64_t ms)
{
    own_clock_pass(loop, ms);
}

/* A session by hand: pace.c looks at its connection's counts, its clock and its account. */
static int
setup(void **state)
{
    struct gw_diag diag = {0};
    int fds[2];

    (void)state;
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    conf = gw_conf_load(NULL, &diag);
    assert_non_null(conf);
    conf->settings.limits.min_rate = RATE;
    conf->settings.timeouts.body_idle = IDLE;
    gw_world_use(world, conf);
    sessions = (struct gw_sessions){.world = world};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client = fds[1];
    session = (struct gw_session){.all = &sessions,
                                  .conn = {.loop = loop, .fd = fds[0]},
                                  .state = GW_SESSION_BUSY,
                                  .touched_ms = gw_loop_now_ms(loop)};
    gw_diag_fini(&diag);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(session.conn.fd);
    close(client);
    gw_world_free(world);
    gw_conf_unref(conf);
    gw_loop_free(loop);
    return 0;
}

/* -- a body --------------------------------------------------------------------------------------
 */

/* A body that comes in pieces of so many bytes, a pause before each: for how long we bear it. */
static uint64_t
borne_ms(size_t bytes, uint64_t pause_ms)
{
    uint64_t waited = 0;

    session.debt_ms = 0;
    session.touched_ms = gw_loop_now_ms(loop);
    for (int i = 0; i < 100000; i++) {
        pass_time(pause_ms);
        waited += pause_ms;
        if (!gw_pace_body(&session, bytes)) {
            return waited;
        }
    }
    return UINT64_MAX; /* for ever */
}

/* clang-format off */
static const struct {
    size_t bytes;
    uint64_t pause_ms, borne_ms;
} bodies[] = {
    {0,        IDLE - 1, 2 * (IDLE - 1)}, /* a pause below the deadline is fine, two are one */
    {0,        IDLE,     IDLE},
    {1,        IDLE,     2 * IDLE},       /* a byte, and it owes less than that */
    {1,        IDLE + 1, IDLE + 1},
    {100,      100,      UINT64_MAX},     /* just fast enough */
    {99,       100,      100 * IDLE},     /* a millisecond is missing each time */
    {50,       100,      2 * IDLE},
    {1,        1000,     11000},          /* drop by drop: 999 are missing */
    {1000,     1000,     UINT64_MAX},     /* fast enough, in larger pieces */
    {IDLE,     2 * IDLE, 2 * IDLE},
    {IDLE + 1, 2 * IDLE, 4 * IDLE},       /* a pause is as long as what came is short of */
};
/* clang-format on */

static void
a_body_may_be_slow_but_not_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(bodies); i++) {
        uint64_t borne = borne_ms(bodies[i].bytes, bodies[i].pause_ms);

        if (borne != bodies[i].borne_ms) {
            fail_msg("%zu bytes each %llu ms are borne for %llu ms", bodies[i].bytes,
                     (unsigned long long)bodies[i].pause_ms, (unsigned long long)borne);
        }
    }
}

static uint64_t dice = 1;

static uint64_t
roll(uint64_t sides)
{
    dice = dice * UINT64_C(6364136223846793005) + 1;
    return (dice >> 33) % sides;
}

/* Who waits for a body of n bytes waits for n / min_rate + body_idle at most. */
static void
however_it_is_spread_its_time_is_bounded(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (int k = 0; k < 200; k++) {
        uint64_t longest = 1 + roll(IDLE);
        uint64_t largest = 1 + roll(2 * longest);
        uint64_t waited = 0;
        uint64_t came = 0;
        bool goes_on = true;

        session.debt_ms = 0;
        for (int i = 0; i < 100 && goes_on; i++) {
            uint64_t pause = roll(longest);
            uint64_t bytes = roll(largest);

            pass_time(pause);
            waited += pause;
            came += bytes;
            goes_on = gw_pace_body(&session, bytes);
            assert_true(!goes_on || waited < came * 1000 / RATE + IDLE);
        }
        refused += !goes_on;
    }
    assert_in_range(refused, 20, 180); /* there were of both kinds */
}

static void
nothing_is_paid_in_advance(void **state)
{
    (void)state;
    assert_true(gw_pace_body(&session, 1000000));
    pass_time(100);
    assert_true(gw_pace_body(&session, 1000000));
    assert_int_equal(session.debt_ms, 0);
    pass_time(IDLE);
    assert_false(gw_pace_body(&session, 0));
}

/* What a byte pays: at the lowest rates much, at the highest a millisecond all the same. */
static void
a_byte_pays_by_the_rate(void **state)
{
    static const struct {
        long long rate;
        uint32_t owes;
    } cases[] = {
        {1, 4000}, {3, 4666}, {256, 4996}, {1000, 4999}, {1048576, 4999}, {0, 0},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        conf->settings.limits.min_rate = cases[i].rate;
        session.debt_ms = 0;
        pass_time(5000);
        assert_true(gw_pace_body(&session, 1));
        assert_int_equal(session.debt_ms, cases[i].owes);
    }
    pass_time(IDLE); /* at any rate: nothing at all is too slow */
    assert_false(gw_pace_body(&session, 0));
}

static void
large_numbers_are_no_small_ones(void **state)
{
    (void)state;
    pass_time(5000);
    assert_true(gw_pace_body(&session, (UINT64_C(1) << 32) + 1));
    assert_int_equal(session.debt_ms, 0);
    pass_time((UINT64_C(1) << 32) + 1);
    assert_int_equal(gw_pace_body_left(&session), 0);
    assert_false(gw_pace_body(&session, 0));
    pass_time(1);
    assert_false(gw_pace_body(&session, 0));
    assert_int_equal(gw_pace_body_left(&session), 0);
}

static void
what_is_left_is_what_is_not_owed(void **state)
{
    (void)state;
    assert_int_equal(gw_pace_body_left(&session), IDLE);
    pass_time(4000);
    assert_int_equal(gw_pace_body_left(&session), IDLE - 4000);
    assert_true(gw_pace_body(&session, 1000));
    assert_int_equal(gw_pace_body_left(&session), IDLE - 3000);
    pass_time(IDLE - 3001);
    assert_int_equal(gw_pace_body_left(&session), 1);
    pass_time(1);
    assert_int_equal(gw_pace_body_left(&session), 0);
    pass_time(3600000);
    assert_int_equal(gw_pace_body_left(&session), 0);
    assert_false(gw_pace_body(&session, 0));
}

static void
the_words_have_the_numbers(void **state)
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_req req = {.arena = arena, .decision = {.bytes_in = 4321}};
    struct gw_message message = {.req = &req};

    (void)state;
    session.message = &message;
    pass_time(IDLE + 7);
    assert_false(gw_pace_body(&session, 0));
    assert_string_equal(gw_pace_words(&session),
                        "4321 bytes came, and it owes 10007 ms to limits.min_rate, which is 1000 "
                        "bytes a second");
    gw_arena_free(arena);
}

/* -- an answer -----------------------------------------------------------------------------------
 */

static uint32_t
kernel_keeps(void)
{
    int n = -1;

    assert_int_equal(ioctl(session.conn.fd, SIOCOUTQ, &n), 0);
    assert_true(n >= 0);
    return (uint32_t)n;
}

static void
kernel_takes(unsigned pieces)
{
    static const char piece[1000];

    while (pieces-- > 0) {
        assert_int_equal(send(session.conn.fd, piece, sizeof(piece), 0), sizeof(piece));
    }
}

/* How many bytes that are for the kernel, its own included, which are some more. */
static uint32_t
client_takes(unsigned pieces)
{
    uint32_t before = kernel_keeps();
    char piece[1000];

    while (pieces-- > 0) {
        assert_int_equal(recv(client, piece, sizeof(piece), 0), sizeof(piece));
    }
    return before - kernel_keeps();
}

/* Looks when it is told to.  How long until the client is too slow, if it takes nothing. */
static uint64_t
until_too_slow(long long limit_ms, unsigned *looks)
{
    uint64_t begun = gw_loop_now_ms(loop);
    long long next = limit_ms / 4 > 100 ? limit_ms / 4 : 100;

    *looks = 0;
    while (next > 0) {
        pass_time((uint64_t)next);
        (*looks)++;
        next = gw_pace_taking(&session, limit_ms);
        assert_true(next <= limit_ms / 4 || next == 100);
        assert_true(next == 0 || next >= 100);
    }
    return gw_loop_now_ms(loop) - begun;
}

static void
who_takes_nothing_is_too_slow_at_the_deadline(void **state)
{
    static const struct {
        long long limit_ms;
        uint64_t ms;
        unsigned looks;
    } cases[] = {
        {IDLE, IDLE, 4}, {4000, 4000, 4},
        {4003, 4100, 5}, /* not more often than each tenth of a second */
        {300, 300, 3},   {250, 300, 3},
        {1, 100, 1},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        unsigned looks;

        session.debt_ms = 0;
        session.conn.out_bytes = 5000;
        pass_time(3600000); /* while the client waited for us */
        gw_pace_stalled(&session);
        assert_int_equal(until_too_slow(cases[i].limit_ms, &looks), cases[i].ms);
        assert_int_equal(looks, cases[i].looks);
    }
}

static void
what_goes_of_the_kept_bytes_is_paid(void **state)
{
    (void)state;
    session.conn.out_bytes = 5000;
    gw_pace_stalled(&session);
    pass_time(4000);
    session.conn.out_bytes = 2000;
    assert_int_equal(gw_pace_taking(&session, IDLE), IDLE / 4);
    assert_int_equal(session.debt_ms, 1000);
    pass_time(3000);
    assert_int_equal(gw_pace_taking(&session, IDLE), IDLE / 4);
    assert_int_equal(session.debt_ms, 4000); /* nothing has gone since */
    pass_time(5500);
    session.conn.out_bytes = 1;
    assert_int_equal(gw_pace_taking(&session, IDLE), 2499); /* not later than it matters */
    assert_int_equal(session.debt_ms, IDLE - 2499);
}

static void
what_the_kernel_gets_rid_of_is_paid(void **state)
{
    uint32_t went;

    (void)state;
    conf->settings.limits.min_rate = 100000;
    kernel_takes(10);
    session.conn.out_bytes = 500;
    gw_pace_stalled(&session);
    pass_time(2000);
    (void)gw_pace_taking(&session, IDLE); /* from here on it is known what the kernel has */
    assert_int_equal(session.debt_ms, 2000);
    pass_time(1000);
    went = client_takes(5);
    assert_true(went >= 5000);
    (void)gw_pace_taking(&session, IDLE);
    assert_int_equal(session.debt_ms, 3000 - (went + 99) / 100);
}

static void
what_the_kernel_still_has_is_not_paid(void **state)
{
    uint32_t went;

    (void)state;
    conf->settings.limits.min_rate = 100000;
    session.debt_ms = 5000;
    kernel_takes(4);
    session.conn.out_bytes = 50000;
    gw_pace_stalled(&session);
    pass_time(1000);
    went = client_takes(3);
    assert_true(kernel_keeps() > 0);
    session.conn.out_bytes = 0; /* the kernel has taken it, and the client that */
    gw_pace_drained(&session);
    assert_int_equal(session.debt_ms, 6000 - (50000 + went + 99) / 100);
    assert_int_equal(session.pending, 0);
}

static void
what_is_written_meanwhile_pays_nothing(void **state)
{
    (void)state;
    session.conn.out_bytes = 1000;
    gw_pace_stalled(&session);
    pass_time(3000);
    session.conn.out_bytes = 5000;
    assert_int_equal(gw_pace_taking(&session, IDLE), IDLE / 4);
    assert_int_equal(session.debt_ms, 3000);
    pass_time(1000);
    session.conn.out_bytes = 3500; /* it counts when it goes */
    assert_int_equal(gw_pace_taking(&session, IDLE), IDLE / 4);
    assert_int_equal(session.debt_ms, 2500);
    session.conn.out_bytes = 100;
    gw_pace_stalled(&session);
    kernel_takes(5);
    pass_time(1000);
    gw_pace_drained(&session);
    assert_int_equal(session.debt_ms, 3500);
}

/* It would be a call of the system for each answer that is larger than a socket. */
static void
the_kernel_is_not_asked_about_who_owes_nothing(void **state)
{
    (void)state;
    kernel_takes(5);
    session.conn.out_bytes = 1000;
    gw_pace_stalled(&session);
    assert_int_equal(session.pending, 1000);
    session.conn.out_bytes = 0;
    gw_pace_drained(&session);
    assert_int_equal(session.debt_ms, 0);
}

static void
body_and_answer_are_one_account(void **state)
{
    (void)state;
    pass_time(6000);
    assert_true(gw_pace_body(&session, 0));
    pass_time(3600000); /* it waits for us */
    session.conn.out_bytes = 1000;
    gw_pace_stalled(&session);
    pass_time(3999);
    assert_int_equal(gw_pace_taking(&session, IDLE), 100);
    pass_time(1);
    assert_int_equal(gw_pace_taking(&session, IDLE), 0);
    session.conn.out_bytes = 0;
    gw_pace_drained(&session);
    assert_int_equal(session.debt_ms, IDLE - 1000);
    pass_time(1000);
    assert_int_equal(gw_pace_body_left(&session), 0);
    assert_true(gw_pace_body(&session, 1));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_body_may_be_slow_but_not_for_ever),
        TEST(however_it_is_spread_its_time_is_bounded),
        TEST(nothing_is_paid_in_advance),
        TEST(a_byte_pays_by_the_rate),
        TEST(large_numbers_are_no_small_ones),
        TEST(what_is_left_is_what_is_not_owed),
        TEST(the_words_have_the_numbers),
        TEST(who_takes_nothing_is_too_slow_at_the_deadline),
        TEST(what_goes_of_the_kept_bytes_is_paid),
        TEST(what_the_kernel_gets_rid_of_is_paid),
        TEST(what_the_kernel_still_has_is_not_paid),
        TEST(what_is_written_meanwhile_pays_nothing),
        TEST(the_kernel_is_not_asked_about_who_owes_nothing),
        TEST(body_and_answer_are_one_account),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
