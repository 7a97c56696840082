/* basic_memory.c - what was right a moment ago, and from where; it can't be guessed at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "modules/basic_memory.h"

#define WINDOW UINT64_C(600000)

static struct gw_basic_memory *m;
static const struct gw_basic_guesses three = {.limit = 3, .window_ms = WINDOW};
static const struct gw_basic_guesses any = {.limit = 0, .window_ms = WINDOW};

static int
begin(void **state)
{
    (void)state;
    m = gw_basic_memory_new(6);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    gw_basic_memory_free(m);
    gw_basic_memory_free(NULL);
    return 0;
}

static struct gw_basic_proof
proof(const char *name, const char *hash, const char *password, const char *network)
{
    struct gw_basic_proof p;

    assert_true(gw_basic_memory_proof(m, gw_str_of(name), gw_str_of(hash), gw_str_of(password),
                                      gw_str_of(network), &p));
    return p;
}

static bool
has(struct gw_basic_proof p, uint64_t now_ms)
{
    return gw_basic_memory_has(m, &p, now_ms, &three);
}

static void
put(struct gw_basic_proof p, uint64_t now_ms, uint64_t until_ms)
{
    gw_basic_memory_put(m, &p, now_ms, until_ms);
}

static void
test_digests(void **state)
{
    struct gw_basic_memory *other = gw_basic_memory_new(6);
    unsigned char d[4][GW_BASIC_DIGEST];

    (void)state;
    assert_true(gw_basic_memory_digest(m, GW_STR("ab"), GW_STR("h"), GW_STR("c"), d[0]));
    assert_true(gw_basic_memory_digest(m, GW_STR("a"), GW_STR("h"), GW_STR("bc"), d[1]));
    assert_true(gw_basic_memory_digest(m, GW_STR("ab"), GW_STR("i"), GW_STR("c"), d[2]));
    assert_true(gw_basic_memory_digest(other, GW_STR("ab"), GW_STR("h"), GW_STR("c"), d[3]));
    assert_memory_not_equal(d[0], d[1], GW_BASIC_DIGEST);
    assert_memory_not_equal(d[0], d[2], GW_BASIC_DIGEST);
    assert_memory_equal(d[0], d[3], GW_BASIC_DIGEST); /* of the process, not of the worker */
    struct gw_basic_proof here = proof("ab", "h", "c", "1");
    struct gw_basic_proof there = proof("ab", "h", "c", "2");
    assert_memory_not_equal(here.digest, there.digest, GW_BASIC_DIGEST);
    assert_memory_not_equal(here.digest, d[0], GW_BASIC_DIGEST);
    assert_true(here.whose != there.whose);
    assert_true(here.whose == proof("ab", "h", "other words", "1").whose);
    gw_basic_memory_free(other);
}

static void
test_for_a_while(void **state)
{
    struct gw_basic_proof p = proof("ab", "h", "c", "1");

    (void)state;
    assert_false(has(p, 1000));
    put(p, 1000, 1000); /* not to be remembered at all */
    assert_false(has(p, 1000));
    put(p, 1000, 2000);
    assert_true(has(p, 1999));
    assert_false(has(p, 2000));
    assert_false(has(proof("a", "h", "bc", "1"), 1999));
    assert_false(has(proof("ab", "i", "c", "1"), 1999)); /* another password by now */
    assert_false(has(proof("ab", "h", "c", "2"), 1999)); /* from elsewhere */
    assert_true(has(p, 1999));
    for (unsigned i = 0; i < 1000; i++) { /* the last one is always there */
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", i);
        p = proof(name, "h", "c", "1");
        put(p, 1000 + i, 5000 + i);
        assert_true(has(p, 1000 + i));
    }
}

/* So many other words, and what was right is no longer told from what is wrong. */
static void
test_guesses(void **state)
{
    struct gw_basic_proof p = proof("ab", "h", "c", "1");

    (void)state;
    put(p, 1000, 1000 + 10 * WINDOW);
    assert_false(has(proof("ab", "h", "1", "1"), 1000));
    assert_false(has(proof("ab", "h", "2", "1"), 1001));
    assert_true(has(p, 1002));
    assert_false(has(proof("ab", "h", "3", "2"), 1003)); /* from elsewhere it tells nothing */
    assert_true(has(p, 1003));
    put(p, 1004, 1004 + 10 * WINDOW); /* shown anew: the guesses are as many as before */
    assert_false(has(proof("ab", "h", "3", "1"), 1005));
    assert_false(has(p, 1006));
    put(p, 1007, 1007 + 10 * WINDOW);
    assert_false(has(p, 1008));
    assert_false(gw_basic_memory_has(m, &p, 1008, &any)); /* whatever the limit is by now */
    put(p, 1004 + WINDOW, 10 * WINDOW);
    assert_false(has(p, 1004 + WINDOW));
    put(p, 1005 + WINDOW, 10 * WINDOW); /* their window is over */
    assert_true(has(p, 1006 + WINDOW));
    assert_false(has(proof("ab", "h", "4", "1"), 1007 + WINDOW)); /* and another begins */
    assert_false(has(proof("ab", "h", "5", "1"), 1008 + WINDOW));
    assert_true(has(p, 1009 + WINDOW));
    assert_false(has(proof("ab", "h", "6", "1"), 1007 + 2 * WINDOW));
    assert_true(has(p, 1008 + 2 * WINDOW));
}

static void
test_without_a_limit(void **state)
{
    struct gw_basic_proof p = proof("ab", "h", "c", "1");
    struct gw_basic_proof wrong = proof("ab", "h", "d", "1");

    (void)state;
    put(p, 1000, 5000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(gw_basic_memory_has(m, &wrong, 1000 + i, &any));
    }
    assert_true(gw_basic_memory_has(m, &p, 2000, &any));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_digests, begin, end),
        cmocka_unit_test_setup_teardown(test_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(test_guesses, begin, end),
        cmocka_unit_test_setup_teardown(test_without_a_limit, begin, end),
    };

    return cmocka_run_group_tests_name("basic_memory", tests, NULL, NULL);
}
