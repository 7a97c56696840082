/* pending.c - who waits for a connection to a full endpoint, and whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "gateway/pending.h"
#include "t/lib/own_clock.h"

#define URL       GW_STR("http://10.0.0.7:8080")
#define MAX       2U
#define LONG_MS   60000L
#define N(list)   (sizeof(list) / sizeof((list)[0]))
#define TWO_TICKS ((uint64_t)2 * GW_WHEEL_TICK_MS)

/* A request that waits. */
struct guest {
    struct gw_waiter place; /* first: callbacks get it */
    bool passes;            /* does not take the connection when it is its turn */
    bool again;             /* waits anew, from within its turn */
    char takes_along;       /* another, that leaves from within its turn, or when it is late */
    bool is_last;           /* of the endpoint's users */
};

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_endpoint *endpoint;
static struct guest guests[26];
static char heard[64]; /* a letter for a turn, its capital for who is late */

static struct guest *
guest(char letter)
{
    return &guests[letter - 'a'];
}

static void
note(char what)
{
    size_t n = strlen(heard);

    assert_true(n + 1 < sizeof(heard));
    heard[n] = what;
    heard[n + 1] = '\0';
}

static void
assert_heard(const char *what)
{
    assert_string_equal(heard, what);
    heard[0] = '\0';
}

/* Another's request ends, and its memory with it. */
static void
take_along(const struct guest *g)
{
    if (g->takes_along != 0) {
        struct gw_waiter *w = &guest(g->takes_along)->place;

        gw_pending_leave(w);
        memset(w, 0xa5, sizeof(*w));
    }
}

static void
on_turn(struct gw_waiter *w)
{
    struct guest *g = (struct guest *)w;

    assert_null(w->endpoint);
    note((char)('a' + (g - guests)));
    take_along(g);
    if (g->again) {
        gw_pending_wait(w, endpoint, MAX, LONG_MS);
    }
    if (!g->passes) {
        endpoint->busy++;
    }
    if (g->is_last) {
        gw_world_endpoint_release(world, endpoint);
        endpoint = NULL;
    }
}

static void
on_late(struct gw_waiter *w)
{
    struct guest *g = (struct guest *)w;

    assert_null(w->endpoint);
    note((char)('A' + (g - guests)));
    take_along(g);
}

static void
wait_for(char letter, unsigned max, long long ms)
{
    guest(letter)->place.turn = on_turn;
    guest(letter)->place.late = on_late;
    gw_pending_wait(&guest(letter)->place, endpoint, max, ms);
}

static void
wait_all(const char *letters)
{
    for (; *letters != '\0'; letters++) {
        wait_for(*letters, MAX, LONG_MS);
    }
}

static void
turn(void)
{
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
}

/* So many connections are no longer in use. */
static void
set_free(unsigned n)
{
    while (n-- > 0) {
        endpoint->busy--;
        gw_pending_call(endpoint);
    }
}

static void
pass_time(uint64_t ms)
{
    own_clock_pass(loop, ms);
    gw_wheel_run(&loop->wheel, gw_loop_now_ms(loop));
}

/* A full endpoint. */
static int
setup(void **state)
{
    const char *why;

    (void)state;
    memset(guests, 0, sizeof(guests));
    heard[0] = '\0';
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    endpoint = gw_world_endpoint(world, URL, &why);
    endpoint->busy = MAX;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (endpoint != NULL) {
        assert_int_equal(endpoint->n_pending, 0);
        endpoint->busy = 0;
        gw_world_endpoint_release(world, endpoint);
    }
    assert_int_equal(gw_world_stats(world)->pending, 0);
    assert_string_equal(heard, ""); /* all was looked at */
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

/* -- who has to wait -----------------------------------------------------------------------------
 */

static void
who_finds_room_need_not_wait(void **state)
{
    static const struct {
        unsigned busy, max;
        bool must_wait;
    } cases[] = {
        {0, 1, false},
        {1, 1, true},
        {MAX - 1, MAX, false},
        {MAX, MAX, true},
        {MAX + 1, MAX, true}, /* who shares it may have more */
        {UINT_MAX - 1, UINT_MAX, false},
        {UINT_MAX, UINT_MAX, true},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        endpoint->busy = cases[i].busy;
        assert_int_equal(gw_pending_must_wait(endpoint, cases[i].max), cases[i].must_wait);
    }
}

static void
who_comes_later_does_not_overtake(void **state)
{
    (void)state;
    wait_all("a");
    set_free(1);
    assert_true(gw_pending_must_wait(endpoint, MAX)); /* what there is is a's */
    assert_true(gw_pending_must_wait(endpoint, MAX + 5));
    turn();
    assert_heard("a");
    assert_true(gw_pending_must_wait(endpoint, MAX));
    assert_false(gw_pending_must_wait(endpoint, MAX + 5));
}

static void
who_waits_for_a_lower_limit_holds_up_nobody(void **state)
{
    (void)state;
    wait_for('a', 1, LONG_MS);
    assert_false(gw_pending_must_wait(endpoint, MAX + 1));
    endpoint->busy++; /* it goes on at once */
    wait_for('b', MAX + 1, LONG_MS);
    wait_for('c', MAX + 1, LONG_MS);
    set_free(1);
    turn();
    assert_heard("b");
    set_free(1);
    turn();
    assert_heard("c");
    set_free(MAX);
    turn();
    assert_heard(""); /* one in use is as many as it may be for a */
    set_free(1);
    turn();
    assert_heard("a");
}

static void
it_keeps_its_place_meanwhile(void **state)
{
    (void)state;
    wait_for('a', 1, LONG_MS);
    wait_all("b");
    set_free(MAX);
    turn();
    assert_heard("ab");
}

/* -- whose turn it is ----------------------------------------------------------------------------
 */

static void
who_waits_longest_goes_first(void **state)
{
    (void)state;
    wait_all("bac");
    set_free(1);
    turn();
    assert_heard("b");
    wait_all("d");
    set_free(1);
    turn();
    assert_heard("a");
    set_free(2); /* both before the loop turns */
    turn();
    assert_heard("cd");
}

static void
nobody_is_called_from_within(void **state)
{
    (void)state;
    wait_all("ab");
    set_free(1);
    gw_pending_call(endpoint);
    assert_heard("");
    turn();
    assert_heard("a");
    turn();
    assert_heard("");
    gw_pending_call(endpoint); /* for nothing: there is no room */
    turn();
    assert_heard("");
    set_free(1);
    turn();
    assert_heard("b");
}

static void
who_does_not_use_its_turn_leaves_it_to_the_next(void **state)
{
    (void)state;
    wait_all("abc");
    guest('a')->passes = true;
    set_free(1);
    turn();
    assert_heard("ab");
    set_free(1);
    turn();
    assert_heard("c");
}

static void
who_waits_anew_comes_last(void **state)
{
    (void)state;
    wait_all("abc");
    guest('a')->passes = guest('a')->again = true;
    set_free(1);
    turn();
    assert_heard("ab");
    guest('a')->passes = guest('a')->again = false;
    set_free(2);
    turn();
    assert_heard("ca");
}

/* -- who waits no more ---------------------------------------------------------------------------
 */

static void
who_leaves_is_never_called(void **state)
{
    /* clang-format off */
    static const struct { const char *leave, *heard; } cases[] = {
        {"", "abcde"}, {"a", "bcde"}, {"b", "acde"}, {"d", "abce"}, {"ad", "bce"}, {"da", "bce"},
        {"bc", "ade"}, {"cb", "ade"}, {"abcd", "e"}, {"dcba", "e"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        endpoint->busy = MAX;
        wait_all("abcd");
        for (const char *c = cases[i].leave; *c != '\0'; c++) {
            gw_pending_leave(&guest(*c)->place);
            gw_pending_leave(&guest(*c)->place); /* twice is fine */
        }
        wait_all("e"); /* the list goes on behind */
        for (int k = 0; k < 5; k++) {
            if (endpoint->busy > MAX - 1) {
                set_free(1);
            }
            turn();
        }
        assert_heard(cases[i].heard);
        pass_time(2 * LONG_MS);
        assert_heard(""); /* nobody is late, either */
    }
}

static void
its_turn_goes_to_the_next(void **state)
{
    (void)state;
    wait_all("ab");
    set_free(1);
    gw_pending_leave(&guest('a')->place);
    turn();
    assert_heard("b");
    wait_all("c");
    set_free(1);
    gw_pending_leave(&guest('c')->place);
    turn(); /* for nobody */
    wait_all("d");
    gw_pending_call(endpoint); /* which is not lost for that */
    turn();
    assert_heard("d");
}

static void
a_deadline_ends_the_wait(void **state)
{
    (void)state;
    wait_for('a', MAX, 3000);
    wait_for('b', MAX, 1000);
    wait_for('c', MAX, 0);
    wait_for('d', MAX, 3000);
    pass_time(TWO_TICKS);
    assert_heard("C");
    pass_time(999 - TWO_TICKS);
    assert_heard("");
    pass_time(1 + TWO_TICKS);
    assert_heard("B");
    assert_int_equal(endpoint->n_pending, 2);
    set_free(1);
    turn();
    assert_heard("a");
    pass_time(LONG_MS);
    assert_heard("D"); /* a has gone on, and has other deadlines */
    set_free(1);
    turn();
    assert_heard("");
}

/* It has been called, but the loop came to its deadline first. */
static void
who_is_late_has_no_turn(void **state)
{
    (void)state;
    wait_for('a', MAX, 100);
    wait_all("b");
    set_free(1);
    pass_time(100 + TWO_TICKS);
    turn();
    assert_heard("Ab");
}

static void
one_may_take_others_along(void **state)
{
    (void)state;
    wait_all("abc");
    guest('a')->takes_along = 'b';
    set_free(2);
    turn();
    assert_heard("ac");
    wait_for('d', MAX, 100);
    wait_for('e', MAX, 100);
    guest('d')->takes_along = 'e';
    guest('e')->takes_along = 'd';
    pass_time(100 + TWO_TICKS);
    assert_int_equal(strlen(heard), 1); /* whichever the wheel came to first */
    heard[0] = '\0';
}

/* -- the endpoint --------------------------------------------------------------------------------
 */

static void
it_may_go_with_the_last_turn(void **state)
{
    const char *why;

    (void)state;
    wait_all("a");
    guest('a')->passes = guest('a')->is_last = true;
    set_free(MAX);
    turn();
    assert_heard("a");
    assert_null(endpoint);
    endpoint = gw_world_endpoint(world, URL, &why);
    assert_null(endpoint->queue); /* another one */
}

static void
it_may_go_when_somebody_was_called(void **state)
{
    (void)state;
    wait_all("a");
    set_free(MAX);
    gw_pending_leave(&guest('a')->place);
    gw_world_endpoint_release(world, endpoint);
    endpoint = NULL;
    assert_int_equal(event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE), 0);
    turn();
}

static void
all_who_wait_are_counted(void **state)
{
    const struct gw_world_stats *stats = gw_world_stats(world);

    (void)state;
    gw_pending_call(endpoint); /* nobody ever waited */
    wait_all("abc");
    assert_int_equal(endpoint->n_pending, 3);
    assert_int_equal(stats->pending, 3);
    gw_pending_leave(&guest('b')->place);
    set_free(1);
    turn();
    assert_heard("a");
    assert_int_equal(endpoint->n_pending, 1);
    assert_int_equal(stats->pending, 1);
    pass_time(LONG_MS + TWO_TICKS);
    assert_heard("C");
    assert_int_equal(stats->pending, 0);
    assert_int_equal(stats->pending_total, 3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_finds_room_need_not_wait),
        TEST(who_comes_later_does_not_overtake),
        TEST(who_waits_for_a_lower_limit_holds_up_nobody),
        TEST(it_keeps_its_place_meanwhile),
        TEST(who_waits_longest_goes_first),
        TEST(nobody_is_called_from_within),
        TEST(who_does_not_use_its_turn_leaves_it_to_the_next),
        TEST(who_waits_anew_comes_last),
        TEST(who_leaves_is_never_called),
        TEST(its_turn_goes_to_the_next),
        TEST(a_deadline_ends_the_wait),
        TEST(who_is_late_has_no_turn),
        TEST(one_may_take_others_along),
        TEST(it_may_go_with_the_last_turn),
        TEST(it_may_go_when_somebody_was_called),
        TEST(all_who_wait_are_counted),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
