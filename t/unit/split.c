/* split.c - which version gets a request: shares, who stays when they change, who takes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/balance.h"
#include "gateway/split.h"
#include "gateway/upstream.h"

#define KEYS     20000
#define ROWS     3
#define REST     ROWS
#define NONE     (ROWS + 1)
#define ROW(i)   (1U << (i))
#define EACH_KEY for (unsigned i = 0; i < KEYS; i++)

/* Three rows, and the rest; two endpoints each. */
static struct gw_split *s;
static struct gw_endpoint all[ROWS + 1][2];
static struct gw_endpoint *list[ROWS + 1][2];
static unsigned before[KEYS], got[ROWS + 2];

static struct gw_split_side *
side(unsigned i)
{
    return &s->sides[i];
}

static void
set_shares(unsigned a, unsigned b, unsigned c)
{
    side(0)->share = a;
    side(1)->share = b;
    side(2)->share = c;
    side(REST)->share = 100 - a - b - c;
}

static int
setup(void **state)
{
    (void)state;
    size_t size = sizeof(*s) + (ROWS + 1) * sizeof(s->sides[0]);
    s = s == NULL ? gw_mem_alloc(size) : s;
    memset(s, 0, size);
    s->n_rows = ROWS;
    for (unsigned i = 0; i <= ROWS; i++) {
        char series[] = "devops\nv0";

        series[8] = (char)('0' + i);
        side(i)->salt = i == REST ? 0 : gw_balance_hash(gw_str_of(series));
        for (unsigned k = 0; k < 2; k++) {
            all[i][k] = (struct gw_endpoint){.wanted = 1};
            list[i][k] = &all[i][k];
        }
        side(i)->endpoints = list[i];
        side(i)->n_endpoints = 2;
    }
    s->endpoints = list[0];
    s->n_endpoints = 2 * (ROWS + 1);
    set_shares(10, 20, 30);
    return 0;
}

static uint64_t
key(unsigned i)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "user-%u", i);
    return gw_balance_hash(gw_str_of(name));
}

static unsigned
draw(unsigned i)
{
    return gw_split_draw(s, key(i), 0);
}

static void
set_down(unsigned i, bool down)
{
    all[i][0].down = down;
    all[i][1].down = down;
}

static void
count(uint32_t out)
{
    memset(got, 0, sizeof(got));
    EACH_KEY
    {
        got[gw_split_draw(s, key(i), out)]++;
    }
}

/* Within four standard deviations of what a fair draw has. */
static void
assert_percent_of(unsigned i, unsigned of, double percent)
{
    double p = percent / 100;
    double off = got[i] - of * p;

    if (off * off > 16 * of * p * (1 - p)) {
        fail_msg("side %u has %u of %u, not %.1f %%", i, got[i], of, percent);
    }
}

static void
assert_percent(unsigned i, double percent)
{
    assert_percent_of(i, KEYS, percent);
}

static void
test_shares_are_kept(void **state)
{
    static const unsigned shares[][3] = {{10, 20, 30}, {1, 0, 0},    {0, 0, 0},  {100, 0, 0},
                                         {0, 100, 0},  {33, 33, 34}, {50, 0, 1}, {0, 0, 99}};

    (void)state;
    for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
        set_shares(shares[k][0], shares[k][1], shares[k][2]);
        count(0);
        for (unsigned i = 0; i <= REST; i++) {
            assert_percent(i, side(i)->share); /* of nothing and of all: exactly */
        }
        assert_int_equal(got[NONE], 0);
    }
}

static void
test_the_same_key_draws_the_same(void **state)
{
    (void)state;
    EACH_KEY
    {
        assert_int_equal(draw(i), draw(i));
    }
}

static void
remember(void)
{
    EACH_KEY
    {
        before[i] = draw(i);
    }
}

/* Nobody leaves the side whose share grows, and nobody moves but to it. */
static void
assert_only_moved_to(unsigned to)
{
    unsigned moved = 0;

    EACH_KEY
    {
        unsigned now = draw(i);

        if (now != before[i] && now != to) {
            fail_msg("%u moved from %u to %u, although %u has grown", i, before[i], now, to);
        }
        moved += now != before[i];
    }
    assert_true(moved > 0);
}

static void
test_who_has_a_version_keeps_it_when_it_grows(void **state)
{
    (void)state;
    set_shares(0, 0, 0); /* a canary from nothing to all */
    for (unsigned percent = 1; percent <= 100; percent += 9) {
        remember();
        set_shares(percent, 0, 0);
        assert_only_moved_to(0);
    }
    for (unsigned row = 0; row < ROWS; row++) { /* whichever row it is */
        setup(NULL);
        remember();
        side(row)->share += 15;
        side(REST)->share -= 15;
        if (row == ROWS - 1) {
            assert_only_moved_to(row);
            continue;
        }
        EACH_KEY
        { /* those behind it may also get of the rest what the row took of them */
            unsigned now = draw(i);

            assert_true(before[i] != row || now == row);
            assert_true(before[i] >= row || now == before[i]);
        }
    }
}

static void
test_who_stands_behind_a_row_that_grows_mostly_stays(void **state)
{
    unsigned moved = 0;

    (void)state;
    set_shares(10, 10, 0);
    remember();
    set_shares(20, 10, 0);
    EACH_KEY
    {
        moved += before[i] == 1 && draw(i) != 1;
    }
    /* A ninth of them: as many as of all others go to the row that grows.  Cut in pieces, all of
     * them would. */
    assert_true(moved > 0 && moved < KEYS / 10 / 6);
}

/* The stable version has a row of its own: [v1: 90, v2: 10] and then [v1: 80, v2: 20]. */
static void
test_named_versions_alone(void **state)
{
    (void)state;
    set_shares(90, 10, 0);
    remember();
    set_shares(80, 20, 0);
    assert_only_moved_to(1);
    set_shares(0, 100, 0);
    count(0);
    assert_int_equal(got[1], KEYS);
}

static void
test_another_version_draws_others(void **state)
{
    unsigned both = 0;

    (void)state;
    set_shares(10, 0, 0);
    remember();
    side(0)->salt = gw_balance_hash(GW_STR("devops\nv9"));
    EACH_KEY
    {
        both += before[i] == 0 && draw(i) == 0;
    }
    assert_true(both > KEYS / 100 - 100 && both < KEYS / 100 + 100); /* by chance */
}

/* Gateways of different versions must agree, or a rolling update would move every user. */
static void
test_draws_are_the_same_for_ever(void **state)
{
    static const unsigned expected[] = {2, 2, 1, 3, 2, 2, 3, 0, 2, 1, 2, 2};

    (void)state;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(draw(i), expected[i]);
    }
}

static void
test_those_that_are_out_are_not_drawn(void **state)
{
    (void)state;
    count(ROW(1));
    assert_int_equal(got[1], 0);
    assert_percent(0, 10 * 100 / 80.0);
    assert_percent(2, 30 * 100 / 80.0);
    assert_percent(REST, 40 * 100 / 80.0);
    count(ROW(REST));
    assert_percent(2, 30 * 100 / 60.0);
    assert_int_equal(gw_split_draw(s, key(1), ROW(0) | ROW(1) | ROW(2) | ROW(REST)), NONE);
    EACH_KEY
    { /* who has another version keeps it when one leaves */
        before[i] = draw(i);
        unsigned now = gw_split_draw(s, key(i), ROW(1));
        assert_true(now == before[i] || before[i] == 1 || before[i] > 1);
        assert_true(before[i] != 0 || now == 0);
    }
}

static void
test_a_version_that_is_up_keeps_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= REST; i++) {
        all[i][0].down = true; /* one is enough */
        assert_int_equal(gw_split_settle(s, i, key(i)), i);
    }
}

static void
test_the_rest_takes_over(void **state)
{
    (void)state;
    set_down(1, true);
    assert_int_equal(gw_split_settle(s, 1, key(1)), REST);
    set_down(1, false);
    side(1)->n_endpoints = 0;
    assert_int_equal(gw_split_settle(s, 1, key(1)), REST);
    set_shares(0, 40, 60); /* if it has no share, those that have one */
    assert_int_equal(gw_split_settle(s, 1, key(1)), 2);
    set_down(2, true); /* and only then the rest all the same */
    assert_int_equal(gw_split_settle(s, 1, key(1)), REST);
    set_down(REST, true);
    assert_int_equal(gw_split_settle(s, 1, key(1)), 2); /* nobody is up */
}

/* Only of the keys that have drawn the side that is down: how many are there? */
static unsigned
settle_those_of(unsigned wanted)
{
    unsigned n = 0;

    memset(got, 0, sizeof(got));
    EACH_KEY
    {
        if (draw(i) == wanted) {
            got[gw_split_settle(s, wanted, key(i))]++;
            n++;
        }
    }
    return n;
}

static void
test_when_the_rest_is_down_those_with_a_share_take_over(void **state)
{
    (void)state;
    set_shares(30, 0, 10);
    set_down(REST, true);
    unsigned n = settle_those_of(REST);
    assert_percent_of(0, n, 75);
    assert_int_equal(got[1], 0);
    assert_percent_of(2, n, 25);
    set_down(0, true);
    assert_int_equal(gw_split_settle(s, REST, key(1)), 2);
    assert_int_equal(gw_split_settle(s, 0, key(1)), 2);
}

static void
test_whoever_is_down_others_take_over_by_their_shares(void **state)
{
    static const unsigned shares[ROWS] = {50, 30, 20};

    (void)state;
    set_shares(50, 30, 20); /* and nothing is left for the rest */
    for (unsigned gone = 0; gone < ROWS; gone++) {
        set_down(gone, true);
        unsigned n = settle_those_of(gone);

        assert_true(n > KEYS / 6);
        for (unsigned i = 0; i < ROWS; i++) {
            assert_percent_of(i, n, i == gone ? 0 : shares[i] * 100.0 / (100 - shares[gone]));
        }
        set_down(gone, false);
    }
}

static void
test_when_all_are_down_it_stays(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= REST; i++) {
        set_down(i, true);
    }
    for (unsigned i = 0; i <= REST; i++) {
        assert_int_equal(gw_split_settle(s, i, key(1)), i);
    }
    side(1)->n_endpoints = 0; /* then whoever has an endpoint at all */
    assert_int_equal(gw_split_settle(s, 1, key(1)), REST);
    side(REST)->n_endpoints = 0;
    set_shares(0, 50, 50);
    assert_int_equal(gw_split_settle(s, 1, key(1)), 2);
    side(2)->n_endpoints = 0; /* a share of nothing gets nothing */
    assert_int_equal(gw_split_settle(s, 1, key(1)), 1);
}

static void
test_who_is_alone_stays(void **state)
{
    (void)state;
    side(0)->alone = true;
    set_down(0, true);
    assert_int_equal(gw_split_settle(s, 0, key(1)), 0);
    side(0)->n_endpoints = 0;
    assert_int_equal(gw_split_settle(s, 0, key(1)), 0);
}

static void
test_a_request_leaves_once(void **state)
{
    struct gw_req req = {.to = {.split = s}};

    (void)state;
    side(0)->version = GW_STR("v1");
    side(REST)->version = GW_STR("v0");
    gw_split_go(&req, 0, key(1), "match");
    assert_ptr_equal(req.to.endpoints, list[0]);
    assert_int_equal(req.to.n_endpoints, 2);
    assert_true(gw_str_eq(req.decision.version, GW_STR("v1")));
    assert_true(gw_split_leave(&req, false));
    assert_ptr_equal(req.to.endpoints, list[REST]);
    assert_true(gw_str_eq(req.decision.version, GW_STR("v0")));
    assert_string_equal(req.decision.version_by, "fallback");
    assert_false(gw_split_leave(&req, false));
    assert_ptr_equal(req.to.endpoints, list[REST]);
    /* nowhere to go, or not to go anywhere */
    req.to.split = s;
    side(0)->alone = true;
    gw_split_go(&req, 0, key(1), "match");
    assert_false(gw_split_leave(&req, false));
    side(0)->alone = false;
    req.to.split = s;
    for (unsigned i = 1; i <= REST; i++) {
        set_down(i, true);
    }
    gw_split_go(&req, 0, key(1), "match");
    assert_false(gw_split_leave(&req, false));
    assert_string_equal(req.decision.version_by, "match");
}

/* From that side, which is full: to which? */
static unsigned
spilt(unsigned from, unsigned i)
{
    struct gw_req req = {.to = {.split = s}};

    gw_split_go(&req, from, key(i), "match");
    return gw_split_leave(&req, true) ? req.to.side : NONE;
}

static void
test_who_is_full_is_relieved_by_who_has_as_much(void **state)
{
    (void)state; /* 10, 20, 30; the rest 40 */
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(spilt(i, 1), REST);
    }
    assert_int_equal(spilt(REST, 1), NONE);
    set_shares(10, 20, 70); /* no rest */
    set_down(REST, true);
    memset(got, 0, sizeof(got));
    EACH_KEY
    {
        assert_int_equal(spilt(1, i), 2);
        assert_int_equal(spilt(2, i), NONE);
        got[spilt(0, i)]++;
    }
    assert_percent(1, 20 * 100 / 90.0);
    assert_percent(2, 70 * 100 / 90.0);
    set_shares(0, 50, 50);
    assert_int_equal(spilt(1, 1), 2);
    assert_int_equal(spilt(2, 1), 1);
    set_down(2, true); /* and never to one that has nothing */
    assert_int_equal(spilt(1, 1), NONE);
    assert_true(gw_split_relieves(s, REST, 1) && gw_split_relieves(s, 2, 1));
    assert_false(gw_split_relieves(s, 0, 0) || gw_split_relieves(s, 0, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shares_are_kept, setup),
        cmocka_unit_test_setup(test_the_same_key_draws_the_same, setup),
        cmocka_unit_test_setup(test_who_has_a_version_keeps_it_when_it_grows, setup),
        cmocka_unit_test_setup(test_who_stands_behind_a_row_that_grows_mostly_stays, setup),
        cmocka_unit_test_setup(test_named_versions_alone, setup),
        cmocka_unit_test_setup(test_another_version_draws_others, setup),
        cmocka_unit_test_setup(test_draws_are_the_same_for_ever, setup),
        cmocka_unit_test_setup(test_those_that_are_out_are_not_drawn, setup),
        cmocka_unit_test_setup(test_a_version_that_is_up_keeps_its_own, setup),
        cmocka_unit_test_setup(test_the_rest_takes_over, setup),
        cmocka_unit_test_setup(test_when_the_rest_is_down_those_with_a_share_take_over, setup),
        cmocka_unit_test_setup(test_whoever_is_down_others_take_over_by_their_shares, setup),
        cmocka_unit_test_setup(test_when_all_are_down_it_stays, setup),
        cmocka_unit_test_setup(test_who_is_alone_stays, setup),
        cmocka_unit_test_setup(test_a_request_leaves_once, setup),
        cmocka_unit_test_setup(test_who_is_full_is_relieved_by_who_has_as_much, setup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
