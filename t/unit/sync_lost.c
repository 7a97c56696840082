/* sync_lost.c - the registry as the gateway sees it while its store is away or wiped:
 * nothing is lost that somebody wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/settle.h"
#include "t/lib/lost.h"

/* Two gateways have a and b, which are lost. */
static void
begin_with_two(struct lost *l)
{
    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    open_other(l);
    put_a_and_b(l);
    WAIT_FOR(l->base, knows(&l->other, "b"));
    wipe(l);
}

/* Redis is down: a gateway that starts serves what was; it comes back; changes made by another
 * gateway meanwhile arrive. */
static void
test_redis_down_at_start(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, "--appendonly", "yes");
    open_fresh(l);
    (void)put_config(g, "a", "1");
    gate_close(g);
    redis_server_stop(&l->server, SIGTERM);

    open_again(l);
    assert_true(knows(g, "a"));
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE);
    assert_int_equal(put_config(g, "b", "1").answer.result, GW_STORE_UNAVAILABLE);
    redis_server_start(&l->server, l->server.folder, "--appendonly", "yes");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_int_equal(g->batches, 1);

    open_other(l);
    assert_int_equal(put_config(&l->other, "c", "1").answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, knows(g, "c"));
}

/* FLUSHALL: everything is kept; endpoints that register anew change nothing about that; what is
 * written again is kept; what is deleted goes; the rest goes when nobody has written for a while.
 */
static void
test_wiped(void **state)
{
    struct lost *l = *state;
    struct gw_sync_status status;
    struct gate *g = &l->g;
    struct gw_object *e = endpoint("x.1");

    begin_in_redis(l);
    (void)put_config(g, "c", "1");
    wipe(l);
    gw_sync_status(g->sync, &status);
    assert_non_null(strstr(status.text, "3 objects that it does not have are kept"));
    assert_true(knows(g, "a") && knows(g, "b") && knows(g, "c"));

    assert_int_equal(put_object(g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(gw_map_count(g->objects), 4);

    /* a restart in the middle of it: still the same */
    gate_close(g);
    open_again(l);
    assert_int_equal(gw_map_count(g->objects), 4);
    WAIT_FOR(l->base, strstr((gw_sync_status(g->sync, &status), status.text), "3 objects") != NULL);
    assert_int_equal(gw_map_count(g->objects), 4);

    /* a reader that replaces what it read; one that deletes what it read */
    struct gw_object *o = gw_sync_get(g->sync, "/ConfigMap/test/a");
    struct gw_object *changed = config_map("a", "2");
    assert_int_equal(put_object(g, changed, GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(put_object(g, changed, GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(changed);
    gw_object_unref(o);
    assert_int_equal(remove_config(g, "c", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_false(knows(g, "c"));
    assert_true(knows(g, "b"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);

    uint64_t start = gw_clock_mono_ms();
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_true(gw_clock_mono_ms() - start > 1000);
    assert_false(knows(g, "b"));
    assert_string_equal(value_at(g, "a"), "2");
    assert_int_equal(gw_map_count(g->objects), 2);
    assert_int_equal(g->resets, 1);
    gw_object_unref(e);
}

/* The first that a registry hears after it was wiped is that something lost is to go: it goes. */
static void
test_wiped_and_deleted(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    begin_in_redis(l);
    wipe(l);
    assert_int_equal(remove_config(g, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, !knows(g, "a"));
}

static bool
is_said_to_be_away(struct gate *g)
{
    struct gw_sync_status status;

    gw_sync_status(g->sync, &status);
    return strcmp(status.text, "the registry was not reached yet") != 0;
}

/* What files hold is given at once, and is not what is registered: that is known when the store was
 * listed, if there is nothing in it, too. */
static void
test_files_are_not_the_store(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;

    keep_in_redis(l, "--appendonly", "no");
    redis_server_stop(&l->server, SIGTERM);
    l->paths->settings.files = l->paths->file_list;
    write_file(l->paths->files, OBJECT("a", "file"));
    open_again(l);
    assert_string_equal(value_at(g, "a"), "file");
    assert_false(g->known);
    WAIT_FOR(l->base, is_said_to_be_away(g));
    assert_int_equal(state_of(g), GW_SYNC_STARTING);
    write_file(l->paths->files, OBJECT("a", "changed"));
    WAIT_FOR(l->base, strcmp(value_at(g, "a"), "changed") == 0);
    assert_false(g->known);
    redis_server_start(&l->server, l->server.folder, "--appendonly", "no");
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_FRESH);
    assert_true(g->known);
    assert_int_equal(g->resets, 1);
    assert_string_equal(value_at(g, "a"), "changed");
    redis_server_stop(&l->server, SIGTERM);
    WAIT_FOR(l->base, state_of(g) == GW_SYNC_STALE);
    assert_true(g->known);
}

/* Wiped again before it has settled: what was decided in the store that is lost decides nothing.
 * And once all that people write is back, endpoints still have their own, longer time. */
static void
test_wiped_twice(void **state)
{
    struct lost *l = *state;
    struct gate *g = &l->g;
    struct gw_object *e = endpoint("x.1");

    begin_in_redis(l);
    (void)put_object(g, e, GW_WHEN_ANY, 0);
    wipe(l);
    (void)put_config(g, "a", "2");
    uint64_t revision = g->revision;
    REDIS_DO(&l->server, "FLUSHALL");
    WAIT_FOR(l->base, g->revision < revision);
    turn_for(l->base, GW_SETTLE_MS + 500);
    assert_true(knows(g, "a") && knows(g, "b"));

    (void)put_config(g, "a", "2");
    (void)put_config(g, "b", "1");
    turn_for(l->base, GW_SETTLE_MS + 500);
    assert_non_null(gw_map_get(g->objects, GW_STR("ksgate.io/Endpoint//x.1")));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
    assert_int_equal(put_object(g, e, GW_WHEN_ANY, 0).answer.result, GW_STORE_OK);
    assert_int_equal(state_of(g), GW_SYNC_FRESH);
    gw_object_unref(e);
}

/* Who deletes what a wiped store does not have any more deletes it for all gateways. */
static void
delete_for_all(struct lost *l)
{
    struct gate *g = &l->g;
    struct gate *other = &l->other;

    (void)put_config(g, "c", "1"); /* so that it is a store again */
    WAIT_FOR(l->base, knows(other, "c"));
    struct gw_object *o = gw_sync_get(g->sync, "/ConfigMap/test/a");
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision + 1).answer.result,
                     GW_STORE_NOT_FOUND);
    assert_int_equal(remove_config(g, "a", GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(o);
    assert_false(knows(g, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE);
    WAIT_FOR(l->base, !knows(other, "a"));
    assert_int_equal(state_of(other), GW_SYNC_STALE); /* not settled, but told */
    assert_true(knows(g, "b") && knows(other, "b"));
    assert_int_equal(remove_config(other, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    WAIT_FOR(l->base, !knows(g, "b"));
    assert_int_equal(state_of(g), GW_SYNC_FRESH);
    assert_int_equal(remove_config(g, "b", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_NOT_FOUND);
}

static void
test_delete_of_lost(void **state)
{
    begin_with_two(*state);
    delete_for_all(*state);
}

/* A gateway that was away while what a wiped store had lost was kept by all: of what was deleted
 * then it keeps nothing, whether the new store had it or not. */
static void
delete_while_away(struct lost *l)
{
    struct gate *g = &l->g;
    struct gate *other = &l->other;

    gate_close(g);
    assert_int_equal(remove_config(other, "d", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_int_equal(remove_config(other, "a", GW_WHEN_PRESENT, 0).answer.result, GW_STORE_OK);
    assert_true(!knows(other, "a") && knows(other, "b") && !knows(other, "d"));
    open_again(l);
    assert_true(knows(g, "a") && knows(g, "b") && knows(g, "d")); /* as on disk */
    WAIT_FOR(l->base, !knows(g, "a") && !knows(g, "d"));
    assert_true(tells_of_a_deletion(g, "a"));
    assert_true(knows(g, "b") && knows(g, "c"));
    assert_int_equal(state_of(g), GW_SYNC_STALE);
}

static void
test_away_amid_loss(void **state)
{
    struct lost *l = *state;

    begin_with_two(l);
    (void)put_config(&l->g, "c", "1");
    (void)put_config(&l->g, "d", "1");
    WAIT_FOR(l->base, knows(&l->other, "d"));
    delete_while_away(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOST_TEST(test_wiped),
        LOST_TEST(test_redis_down_at_start),
        LOST_TEST(test_files_are_not_the_store),
        LOST_TEST(test_wiped_and_deleted),
        LOST_TEST(test_wiped_twice),
        LOST_TEST(test_delete_of_lost),
        LOST_TEST(test_away_amid_loss),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("sync_lost", tests, NULL, NULL);
}
