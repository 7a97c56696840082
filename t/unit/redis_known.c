/* redis_known.h - how far the registry is known, which lists go on from there, and what is owed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "registry/redis_known.h"

#define NEVER UINT64_MAX

/* A list at that revision, in which each change since the first one has the stamp revision + by. */
static const struct gw_redis_list *
listed(const char *epoch, uint64_t revision, uint64_t first, uint64_t by)
{
    static struct gw_redis_list list;

    list = (struct gw_redis_list){.revision = revision};
    (void)snprintf(list.epoch, sizeof(list.epoch), "%s", epoch);
    for (uint64_t r = first; r <= revision; r++) {
        list.stamps.at[r % GW_REDIS_STAMPS] =
            (struct gw_redis_stamp){.revision = r, .stamp = r + by};
    }
    return &list;
}

/* Known up to that revision, by a list of a registry in which nothing was ever put back. */
static struct gw_redis_known *
known(uint64_t revision)
{
    static struct gw_redis_known k;

    k = (struct gw_redis_known){0};
    gw_redis_known_list(&k, listed("a", revision, 1, 1000), NEVER);
    return &k;
}

static void
test_parting(void **state)
{
    static const struct {
        const char *epoch;
        uint64_t revision, first, by, parting;
    } cases[] = {
        {"a", 12, 5, 1000, NEVER},  /* it went on */
        {"a", 8, 5, 1000, NEVER},   /* back, and nothing since: the revision tells that */
        {"a", 12, 8, 2000, 7},      /* back to 7, and on with other changes */
        {"a", 12, 11, 2000, NEVER}, /* those that are not known can't differ */
        {"b", 12, 8, 2000, NEVER},  /* the epoch tells that */
    };
    struct gw_redis_known nothing = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gw_redis_known *k = known(10);

        print_message("# list %zu\n", i);
        assert_int_equal(gw_redis_known_parting(k, listed(cases[i].epoch, cases[i].revision,
                                                          cases[i].first, cases[i].by)),
                         cases[i].parting);
    }
    assert_int_equal(gw_redis_known_parting(&nothing, listed("", 3, 1, 0)), NEVER);
}

/* Changes may be read that the owner has not been given: they are no loss. */
static void
test_parts_beyond(void **state)
{
    struct gw_redis_known *k = known(10);

    (void)state;
    k->revision = 7;
    assert_int_equal(gw_redis_known_parting(k, listed("a", 12, 8, 2000)), NEVER);
    assert_int_equal(gw_redis_known_parting(k, listed("a", 12, 7, 2000)), 6);
}

static void
test_owes(void **state)
{
    struct gw_redis_known *k = known(10);

    (void)state;
    gw_redis_known_owe(k, GW_STORE_ALL_TOLD);
    assert_false(k->owes);
    gw_redis_known_owe(k, 8);
    gw_redis_known_owe(k, 9);
    gw_redis_known_owe(k, GW_STORE_ALL_TOLD);
    assert_true(k->owes);
    assert_int_equal(k->owed, 8); /* the first of all that could not be told yet */
}

static void
test_owes_no_more(void **state)
{
    static const struct {
        const char *epoch;
        uint64_t revision, parting;
        bool owes;
    } cases[] = {
        {"a", 10, NEVER, true}, {"a", 12, NEVER, true},
        {"a", 9, NEVER, false}, /* it went back: what was deleted since may be there again */
        {"a", 12, 7, false},    {"b", 12, NEVER, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_redis_known *k = known(10);

        print_message("# list %zu\n", i);
        gw_redis_known_owe(k, 8);
        gw_redis_known_list(k, listed(cases[i].epoch, cases[i].revision, 1, 1000),
                            cases[i].parting);
        assert_int_equal(k->owes, cases[i].owes);
        assert_int_equal(k->revision, cases[i].revision);
        assert_string_equal(k->epoch, cases[i].epoch);
        assert_int_equal(k->lines, 2);
    }
}

static void
test_has(void **state)
{
    const struct gw_redis_known *k = known(10);

    (void)state;
    assert_true(gw_redis_known_has(k, &(struct gw_store_mark){"a", 10, 1010}));
    assert_true(gw_redis_known_has(k, &(struct gw_store_mark){"a", 7, 1007}));
    assert_true(gw_redis_known_has(k, &(struct gw_store_mark){"a", 7, 0})); /* when is not known */
    assert_false(gw_redis_known_has(k, &(struct gw_store_mark){"a", 7, 2007})); /* another one's */
    assert_false(gw_redis_known_has(k, &(struct gw_store_mark){"a", 11, 0}));
    assert_false(gw_redis_known_has(k, &(struct gw_store_mark){"b", 7, 0}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parting), cmocka_unit_test(test_parts_beyond),
        cmocka_unit_test(test_owes),    cmocka_unit_test(test_owes_no_more),
        cmocka_unit_test(test_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
