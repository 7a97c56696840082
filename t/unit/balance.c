/* balance.c - who gets the next request: shares, consistency, slow start, who is down or full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "gateway/balance.h"
#include "gateway/upstream.h"

#define MANY   10
#define KEYS   20000
#define ROUNDS 20000
#define LATE   1000000 /* when nothing is new any more */

static struct gw_endpoint all[MANY];
static struct gw_endpoint *list[MANY];
static unsigned weights[MANY];
static long long turns[MANY];
static struct gw_balancer balancer;
static struct gw_destination to;
static unsigned got[MANY + 1];

static int
setup(void **state)
{
    (void)state;
    balancer = (struct gw_balancer){0};
    to = (struct gw_destination){
        .endpoints = list, .n_endpoints = 3, .balancer = &balancer, .turns = turns};
    for (unsigned i = 0; i < MANY; i++) {
        char url[32];

        (void)snprintf(url, sizeof(url), "http://10.0.0.%u:80", i);
        all[i] = (struct gw_endpoint){.hash = gw_balance_hash(gw_str_of(url)), .wanted = 1};
        list[i] = &all[i];
        weights[i] = 1;
        turns[i] = 0;
    }
    return 0;
}

static unsigned
choose(uint64_t tried)
{
    return gw_balance_choose(&to, tried, 0, LATE);
}

static void
spread(uint64_t now_ms)
{
    memset(got, 0, sizeof(got));
    for (unsigned i = 0; i < ROUNDS; i++) {
        got[gw_balance_choose(&to, 0, 0, now_ms)]++;
    }
    assert_int_equal(got[to.n_endpoints], 0);
}

/* Within a tenth of what it should be, of all. */
static void
assert_share(unsigned i, double share)
{
    double is = (double)got[i] / ROUNDS;

    if (is < share - 0.03 || is > share + 0.03) {
        fail_msg("endpoint %u has %.3f of all, not %.3f", i, is, share);
    }
}

static const enum gw_policy spreading[] = {GW_POLICY_P2C, GW_POLICY_ROUND_ROBIN,
                                           GW_POLICY_LEAST_CONN};

static void
test_shares_are_even(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        balancer.policy = spreading[k];
        spread(LATE);
        for (unsigned i = 0; i < 3; i++) {
            assert_share(i, 1.0 / 3);
        }
    }
}

static void
test_weights_are_respected(void **state)
{
    (void)state;
    to.weights = weights;
    weights[0] = 6;
    weights[1] = 3;
    for (unsigned k = 0; k < 3; k++) {
        balancer.policy = spreading[k];
        spread(LATE);
        assert_share(0, 0.6);
        assert_share(1, 0.3);
        assert_share(2, 0.1);
    }
}

static void
test_no_balancer_is_p2c(void **state)
{
    (void)state;
    to.balancer = NULL;
    all[1].busy = 1; /* of two that are drawn, never this one */
    spread(LATE);
    assert_share(0, 0.5);
    assert_int_equal(got[1], 0);
}

static void
test_p2c_takes_the_less_loaded(void **state)
{
    (void)state;
    to.n_endpoints = MANY;
    for (unsigned i = 0; i < MANY; i++) {
        all[i].busy = i;
    }
    spread(LATE);
    assert_int_equal(got[MANY - 1], 0); /* whoever else is drawn has less to do */
    for (unsigned i = 1; i < MANY; i++) {
        assert_true(got[i - 1] > got[i]);
    }
    all[0].n_pending = 100; /* those who wait are load, too */
    spread(LATE);
    assert_int_equal(got[0], 0);
}

static void
test_round_robin_is_smooth(void **state)
{
    static const unsigned plain[] = {0, 1, 2, 0, 1, 2};
    static const unsigned smooth[] = {0, 0, 1, 0, 2, 0, 0};

    (void)state;
    balancer.policy = GW_POLICY_ROUND_ROBIN;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(choose(0), plain[i]);
    }
    to.weights = weights;
    weights[0] = 5;
    memset(turns, 0, sizeof(turns));
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(choose(0), smooth[i]);
    }
}

static void
test_least_conn_is_the_least(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_LEAST_CONN;
    to.n_endpoints = MANY;
    for (unsigned i = 0; i < MANY; i++) {
        all[i].busy = 10 + i % 7;
    }
    all[4].busy = 3;
    assert_int_equal(choose(0), 4);
    to.weights = weights;
    weights[9] = 10; /* 12 for a weight of 10 is less than 3 for one of 1 */
    assert_int_equal(choose(0), 9);
}

static void
test_one_is_tried_once(void **state)
{
    (void)state;
    to.n_endpoints = 1;
    assert_int_equal(choose(0), 0);
    assert_int_equal(choose(1), 1);
    to.n_endpoints = 3;
    for (enum gw_policy p = GW_POLICY_P2C; p <= GW_POLICY_HASH; p++) {
        balancer.policy = p;
        for (unsigned i = 0; i < 100; i++) {
            assert_int_equal(gw_balance_choose(&to, 5, i, LATE), 1);
        }
        assert_int_equal(gw_balance_choose(&to, 7, 1, LATE), 3);
    }
    to.n_endpoints = 0;
    assert_int_equal(choose(0), 0);
}

static void
test_who_is_down_gets_nothing(void **state)
{
    (void)state;
    all[1].down = true;
    for (unsigned k = 0; k < 3; k++) {
        balancer.policy = spreading[k];
        spread(LATE);
        assert_int_equal(got[1], 0);
        assert_share(0, 0.5);
        assert_share(2, 0.5);
    }
    balancer.policy = GW_POLICY_HASH;
    for (uint64_t key = 1; key < 100; key++) {
        assert_int_not_equal(gw_balance_choose(&to, 0, key, LATE), 1);
    }
}

static void
test_down_is_better_than_nothing(void **state)
{
    (void)state;
    all[0].down = all[1].down = all[2].down = true;
    spread(LATE);
    assert_share(0, 1.0 / 3);
    all[2].down = false;
    spread(LATE);
    assert_int_equal(got[2], ROUNDS);
    assert_true(choose(4) < 2); /* the one that is up was tried already */
}

static void
test_too_few_are_not_left_alone(void **state)
{
    (void)state;
    to.n_endpoints = MANY;
    balancer.panic_percent = 30;
    balancer.policy = GW_POLICY_ROUND_ROBIN;
    for (unsigned i = 3; i < MANY; i++) {
        all[i].down = true;
    }
    spread(LATE);
    assert_share(0, 1.0 / 3);
    all[2].down = true; /* now 2 of 10 are up */
    spread(LATE);
    for (unsigned i = 0; i < MANY; i++) {
        assert_share(i, 0.1);
    }
}

static void
test_who_is_full_is_passed_over(void **state)
{
    (void)state;
    to.max_connections = 4;
    all[0].busy = all[1].busy = 4;
    all[2].busy = 3;
    for (unsigned k = 0; k < 3; k++) {
        balancer.policy = spreading[k];
        spread(LATE);
        assert_int_equal(got[2], ROUNDS);
    }
    all[2].down = true; /* better wait for one that is up */
    for (unsigned i = 0; i < 100; i++) {
        assert_true(choose(0) < 2);
    }
    all[2].down = false;
    all[2].busy = 4;
    all[0].n_pending = all[1].n_pending = 2; /* the shortest queue */
    all[2].n_pending = 1;
    balancer.policy = GW_POLICY_LEAST_CONN;
    assert_int_equal(choose(0), 2);
}

static void
test_a_new_one_grows(void **state)
{
    (void)state;
    balancer.slow_start_ms = 10000;
    to.n_endpoints = 2;
    all[1].up_since_ms = LATE;
    for (unsigned k = 0; k < 3; k++) {
        balancer.policy = spreading[k];
        spread(LATE); /* a tenth of a share from the first moment */
        assert_share(1, 0.1 / 1.1);
        spread(LATE + 5000);
        assert_share(1, 0.5 / 1.5);
        spread(LATE + 10000);
        assert_share(1, 0.5);
    }
    all[0].up_since_ms = LATE; /* all are new: nobody is slow */
    spread(LATE + 1);
    assert_share(1, 0.5);
}

/* -- the policy hash ----------------------------------------------------------------------------
 */

static uint64_t
key_of(unsigned i)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "user-%u", i);
    return gw_balance_hash(gw_str_of(text));
}

static void
place_all(unsigned char *where)
{
    memset(got, 0, sizeof(got));
    for (unsigned i = 0; i < KEYS; i++) {
        where[i] = (unsigned char)gw_balance_choose(&to, 0, key_of(i), LATE);
        got[where[i]]++;
    }
}

static unsigned char before[KEYS], after[KEYS];

static void
test_keys_are_even_and_stay(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_HASH;
    to.n_endpoints = MANY;
    place_all(before);
    for (unsigned i = 0; i < MANY; i++) {
        assert_in_range(got[i], KEYS / MANY * 9 / 10, KEYS / MANY * 11 / 10);
    }
    all[3].busy = 1000; /* load does not move a key */
    to.max_connections = 10;
    place_all(after);
    assert_memory_equal(before, after, KEYS);
}

static void
test_who_leaves_takes_its_own_keys(void **state)
{
    unsigned moved = 0;

    (void)state;
    balancer.policy = GW_POLICY_HASH;
    to.n_endpoints = MANY;
    place_all(before);
    to.n_endpoints = MANY - 1;
    place_all(after);
    for (unsigned i = 0; i < KEYS; i++) {
        moved += before[i] != after[i];
        assert_true(before[i] == after[i] || before[i] == MANY - 1);
    }
    assert_in_range(moved, KEYS / MANY * 9 / 10, KEYS / MANY * 11 / 10);
    for (unsigned i = 0; i < MANY - 1; i++) { /* and they go to all others alike */
        assert_in_range(got[i], KEYS / (MANY - 1) * 9 / 10, KEYS / (MANY - 1) * 11 / 10);
    }
    to.n_endpoints = MANY;
    all[MANY - 1].down = true; /* the same when it is only down */
    place_all(before);
    assert_memory_equal(before, after, KEYS);
}

static void
test_the_order_of_the_list_is_nothing(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_HASH;
    to.n_endpoints = MANY;
    place_all(before);
    for (unsigned i = 0; i < MANY; i++) {
        list[i] = &all[MANY - 1 - i];
    }
    place_all(after);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_int_equal(before[i], MANY - 1 - after[i]);
    }
}

static void
test_keys_go_by_weight(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_HASH;
    to.n_endpoints = 4;
    to.weights = weights;
    weights[0] = 5;
    weights[1] = 3;
    place_all(before);
    assert_in_range(got[0], KEYS * 47 / 100, KEYS * 53 / 100);
    assert_in_range(got[1], KEYS * 28 / 100, KEYS * 32 / 100);
    assert_in_range(got[2], KEYS * 9 / 100, KEYS * 11 / 100);
    weights[1] = 6; /* a weight that grows takes keys, and moves none between others */
    place_all(after);
    for (unsigned i = 0; i < KEYS; i++) {
        assert_true(before[i] == after[i] || after[i] == 1);
    }
}

static void
test_without_a_key_it_is_p2c(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_HASH;
    spread(LATE);
    for (unsigned i = 0; i < 3; i++) {
        assert_share(i, 1.0 / 3);
    }
}

static void
test_where_the_key_comes_from(void **state)
{
    struct gw_header fields[] = {
        {GW_STR("X-User"), GW_STR("alice"), GW_H_OTHER, true},
        {GW_STR("Cookie"), GW_STR("a=1; sessions=no"), GW_H_COOKIE, true},
        {GW_STR("Cookie"), GW_STR("session=42; session=43"), GW_H_COOKIE, true},
    };
    struct gw_headers h = {.list = fields, .n = 3};
    struct gw_str ip = GW_STR("10.1.2.3");

    (void)state;
    assert_int_equal(gw_balance_key(NULL, &h, ip), 0);
    assert_int_equal(gw_balance_key(&balancer, &h, ip), 0);
    balancer.policy = GW_POLICY_HASH;
    balancer.hash_name = GW_STR("x-user");
    assert_int_equal(gw_balance_key(&balancer, &h, ip), gw_balance_hash(GW_STR("alice")) | 1);
    balancer.hash_name = GW_STR("x-other");
    assert_int_equal(gw_balance_key(&balancer, &h, ip), 0);
    balancer.hash_by = GW_HASH_COOKIE;
    assert_int_equal(gw_balance_key(&balancer, &h, ip), 0);
    balancer.hash_name = GW_STR("session");
    assert_int_equal(gw_balance_key(&balancer, &h, ip), gw_balance_hash(GW_STR("42")) | 1);
    balancer.hash_by = GW_HASH_IP;
    assert_int_equal(gw_balance_key(&balancer, &h, ip), gw_balance_hash(ip) | 1);
}

/* Gateways of different versions must agree, or a rolling update would move every key. */
static void
test_places_are_for_ever(void **state)
{
    (void)state;
    balancer.policy = GW_POLICY_HASH;
    to.n_endpoints = MANY;
    assert_true(gw_balance_hash(GW_STR("http://10.0.0.7:80")) == UINT64_C(0x9faa8e1b18e80486));
    assert_int_equal(gw_balance_choose(&to, 0, key_of(1), LATE), 9);
    assert_int_equal(gw_balance_choose(&to, 0, key_of(2), LATE), 1);
    assert_int_equal(gw_balance_choose(&to, 0, key_of(3), LATE), 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shares_are_even, setup),
        cmocka_unit_test_setup(test_weights_are_respected, setup),
        cmocka_unit_test_setup(test_no_balancer_is_p2c, setup),
        cmocka_unit_test_setup(test_p2c_takes_the_less_loaded, setup),
        cmocka_unit_test_setup(test_round_robin_is_smooth, setup),
        cmocka_unit_test_setup(test_least_conn_is_the_least, setup),
        cmocka_unit_test_setup(test_one_is_tried_once, setup),
        cmocka_unit_test_setup(test_who_is_down_gets_nothing, setup),
        cmocka_unit_test_setup(test_down_is_better_than_nothing, setup),
        cmocka_unit_test_setup(test_too_few_are_not_left_alone, setup),
        cmocka_unit_test_setup(test_who_is_full_is_passed_over, setup),
        cmocka_unit_test_setup(test_a_new_one_grows, setup),
        cmocka_unit_test_setup(test_keys_are_even_and_stay, setup),
        cmocka_unit_test_setup(test_who_leaves_takes_its_own_keys, setup),
        cmocka_unit_test_setup(test_the_order_of_the_list_is_nothing, setup),
        cmocka_unit_test_setup(test_keys_go_by_weight, setup),
        cmocka_unit_test_setup(test_without_a_key_it_is_p2c, setup),
        cmocka_unit_test_setup(test_where_the_key_comes_from, setup),
        cmocka_unit_test_setup(test_places_are_for_ever, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
