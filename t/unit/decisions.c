/* decisions.c - what is kept of decisions, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "modules/decisions.h"
#include "t/lib/objects.h"
#include "t/lib/own_clock.h"

extern const struct gw_module gw_mod_decisions;

static struct gw_loop *loop;
static struct gw_world *world;
static uint64_t started_us;

static int
setup(void **state)
{
    (void)state;
    loop = own_clock_loop();
    world = gw_world_new(0, loop, &world, 1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_world_free(world);
    gw_loop_free(loop);
    return 0;
}

/* The module's settings, as a configuration with these members has them. */
static void
with_conf(const char *members, void (*use)(const void *conf, unsigned n), unsigned n)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_diag found = {0};
    struct gw_loader l = {.arena = a, .diag = &found};
    void *conf = gw_arena_alloc(a, gw_mod_decisions.conf_size);
    json_t *value = json_loads(members, 0, NULL);

    assert_true(gw_schema_load(&l, conf, value, gw_mod_decisions.settings, "decisions", NULL));
    use(conf, n);
    json_decref(value);
    gw_diag_fini(&found);
    gw_arena_free(a);
}

static void
decide(const void *conf, enum gw_allowed allowed, bool anonymous, const char *id)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req req = {
        .arena = a,
        .world = world,
        .request_id = gw_str_of(id),
        .subject = {.name = GW_STR("tom"), .anonymous = anonymous},
        .decision = {.allowed = allowed, .rule = -2, .start_us = ++started_us, .wall_ms = 1},
    };

    assert_int_equal(gw_mod_decisions.on[GW_LOG](&req, conf), GW_NEXT);
    gw_arena_free(a);
}

/* "c b a": the ids, the newest first. */
static void
assert_kept(const char *expected)
{
    struct gw_kept_list all = gw_decisions_take(&world, 1);
    struct gw_buf ids = {0};

    for (size_t i = 0; i < all.n; i++) {
        gw_buf_puts(&ids, i == 0 ? "" : " ");
        gw_buf_str(&ids, all.list[i]->request_id);
    }
    assert_string_equal(ids.p == NULL ? "" : ids.p, expected);
    gw_buf_fini(&ids);
    gw_decisions_give(&all);
}

static void
keep_some(const void *conf, unsigned n)
{
    (void)n;
    decide(conf, GW_DENIED, false, "d1");
    decide(conf, GW_DENIED, true, "s1");
    decide(conf, GW_UNDECIDED, false, "u1");
    decide(conf, GW_ALLOWED, false, "a1");
    decide(conf, GW_ALLOWED, false, "a2");
    decide(conf, GW_DENIED, true, "s2");
    decide(conf, GW_DENIED, true, "s3");
}

static void
each_sort_has_its_own_places(void **state)
{
    (void)state;
    with_conf("{\"kept\": 2, \"sample\": 2}", keep_some, 0);
    assert_kept("s3 s2 a2 d1");
}

static void
none_are_kept_where_none_are_wanted(void **state)
{
    (void)state;
    with_conf("{\"kept\": 0}", keep_some, 0);
    assert_kept("");
    with_conf("{\"kept\": 1, \"sample\": 0}", keep_some, 0);
    assert_kept("s3 d1");
}

/* The registry is listed anew at each start, and after a gap: all views are opened again. */
static void
a_reset_of_the_registry_takes_nothing(void **state)
{
    (void)state;
    with_conf("{\"kept\": 5, \"sample\": 1}", keep_some, 0);
    struct gw_batch *b = gw_batch_compile(NULL, NULL, 0, 1, true, &diag);
    gw_world_apply(world, b);
    gw_batch_unref(b);
    assert_kept("s3 s2 a2 a1 s1 d1");
}

static atomic_bool done;

static void *
ask(void *arg)
{
    size_t *seen = arg;

    while (!atomic_load(&done)) {
        struct gw_kept_list all = gw_decisions_take(&world, 1);

        for (size_t i = 0; i < all.n; i++) {
            *seen += all.list[i]->json.p[0] == '{';
        }
        gw_decisions_give(&all);
    }
    return NULL;
}

static void
keep_many(const void *conf, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        decide(conf, GW_DENIED, i % 2 == 0, "x");
    }
}

/* For the sanitizers: a reader has what it counted, whatever is replaced meanwhile. */
static void
others_may_ask_meanwhile(void **state)
{
    pthread_t thread;
    size_t seen = 0;

    (void)state;
    atomic_store(&done, false);
    assert_int_equal(pthread_create(&thread, NULL, ask, &seen), 0);
    for (unsigned i = 0; i < 50; i++) { /* rings of another size each time */
        with_conf(i % 2 == 0 ? "{\"kept\": 7}" : "{\"kept\": 3}", keep_many, 100);
    }
    atomic_store(&done, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_kept("x x x x x x");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_sort_has_its_own_places, setup, teardown),
        cmocka_unit_test_setup_teardown(none_are_kept_where_none_are_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_of_the_registry_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(others_may_ask_meanwhile, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
