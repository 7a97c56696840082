/*
 * lost.h - a registry in a store that loses what it had, for the tests of src/registry/sync.c: one
 * gateway of it, and another one where a case wants two.
 */
#ifndef GW_T_LOST_H
#define GW_T_LOST_H

#include "t/lib/redis_server.h"
#include "t/lib/registry_gate.h"

/* What a case has: an empty folder, a gateway's registry, and what it asks for of the rest.  What
 * is there at its end, however it ends, is closed. */
struct lost {
    struct paths *paths;
    struct event_base *base;
    struct gate g;              /* closed at first */
    struct gate other;          /* another gateway of the same store; closed at first */
    struct paths other_paths;   /* where that is: it has no state on disk */
    struct redis_server server; /* runs from keep_in_redis() on */
};

static inline int
set_up(void **state)
{
    struct lost *l = gw_mem_alloc(sizeof(*l));
    void *paths = NULL;

    (void)make_paths(&paths);
    l->paths = paths;
    l->base = event_base_new();
    *state = l;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct lost *l = *state;
    void *paths = l->paths;

    if (l->other.sync != NULL) {
        gate_close(&l->other);
    }
    if (l->g.sync != NULL) {
        gate_close(&l->g);
    }
    redis_server_stop(&l->server, SIGKILL);
    event_base_free(l->base);
    (void)drop_paths(&paths);
    free(l);
    return 0;
}

#define LOST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* From now on its registry is in a Redis of this test; skips the test where there is none.  name
 * and value: as redis_server_start() takes them. */
static inline void
keep_in_redis(struct lost *l, const char *name, const char *value)
{
    if (!redis_server_is_installed()) {
        print_message("# /usr/bin/redis-server is not installed\n");
        skip();
    }
    redis_server_start(&l->server, l->paths->folder, name, value);
    l->paths->settings.driver = 1;
    l->paths->settings.redis.url = l->server.url;
}

static inline void
open_again(struct lost *l)
{
    gate_open(&l->g, l->base, l->paths);
}

static inline void
open_fresh(struct lost *l)
{
    open_again(l);
    WAIT_FOR(l->base, state_of(&l->g) == GW_SYNC_FRESH);
}

static inline void
open_other(struct lost *l)
{
    l->other_paths = *l->paths;
    l->other_paths.settings.snapshot = NULL;
    gate_open(&l->other, l->base, &l->other_paths);
    WAIT_FOR(l->base, state_of(&l->other) == GW_SYNC_FRESH);
}

static inline void
put_a_and_b(struct lost *l)
{
    (void)put_config(&l->g, "a", "1");
    (void)put_config(&l->g, "b", "1");
}

/* The store is a Redis, and holds a and b. */
static inline void
begin_in_redis(struct lost *l)
{
    keep_in_redis(l, NULL, NULL);
    open_fresh(l);
    put_a_and_b(l);
}

/* Redis has lost all, and the gateways that are there know it. */
static inline void
wipe(struct lost *l)
{
    REDIS_DO(&l->server, "FLUSHALL");
    WAIT_FOR(l->base, state_of(&l->g) == GW_SYNC_STALE);
    WAIT_FOR(l->base, l->other.sync == NULL || state_of(&l->other) == GW_SYNC_STALE);
}

/* Time passes, as it does for everybody. */
static inline void
turn_for(struct event_base *base, uint64_t ms)
{
    for (uint64_t end = gw_clock_mono_ms() + ms; gw_clock_mono_ms() < end;) {
        turn(base);
    }
}

/* Who has listed it before it was gone, at that very revision, is told by a watch. */
static inline bool
tells_of_a_deletion(const struct gate *g, const char *name)
{
    struct gw_news *news = NULL;
    bool told = false;

    assert_int_equal(gw_sync_since(g->sync, g->revision,
                                   gw_kind_find(GW_STR(""), GW_STR("ConfigMap")), GW_STR(""),
                                   &news),
                     GW_STORE_OK);
    for (size_t i = 0; i < news->n; i++) {
        told |= news->items[i].object == NULL && strcmp(news->items[i].before->name, name) == 0;
    }
    gw_news_unref(news);
    return told;
}

#endif
