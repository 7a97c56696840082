/*
 * registry_gate.h - a gateway's registry for tests: its sync, what its batches add up to, and where
 * it keeps what.
 */
#ifndef GW_T_REGISTRY_GATE_H
#define GW_T_REGISTRY_GATE_H

#include "registry/sum.h"
#include "registry/sync.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

/* The owner of a gw_sync: what its batches add up to. */
struct gate {
    struct event_base *base;
    struct gw_sync *sync;
    struct gw_map *objects; /* key to object, a reference each */
    size_t batches, resets, changes;
    bool known; /* as the last one said */
    uint64_t revision;
    struct gw_sum sum; /* kept from batch to batch */
};

#define OBJECT(name, value)                                        \
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name \
    ", namespace: test}\ndata: {value: '" value "'}\n"

struct paths {
    char folder[64], db[96], snapshot[96], files[96];
    const char *file_list[2];
    struct gw_registry_settings settings;
};

/* What was kept is what all objects add up to. */
static inline void
check_sum(const struct gate *g)
{
    struct gw_sum all = {0};
    size_t at = 0;
    void *o;

    while (gw_map_next(g->objects, &at, NULL, &o)) {
        gw_sum_add(&all, o);
    }
    assert_memory_equal(&g->sum, &all, sizeof(all));
}

static inline void
on_batch(void *owner, const struct gw_change *changes, size_t n, uint64_t revision, bool reset,
         bool known)
{
    struct gate *g = owner;

    g->known = known;
    if (reset) {
        gw_map_free(g->objects, watcher_unref);
        g->objects = gw_map_new();
        g->sum = (struct gw_sum){0};
        g->resets++;
    }
    gw_sum_change(&g->sum, changes, n);
    for (size_t i = 0; i < n; i++) {
        struct gw_str key = gw_str_of(changes[i].key);
        if (changes[i].object != NULL) {
            gw_object_unref(gw_map_put(g->objects, key, gw_object_ref(changes[i].object)));
        } else {
            gw_object_unref(gw_map_take(g->objects, key));
        }
    }
    g->batches++;
    g->changes += n;
    g->revision = revision;
    check_sum(g);
}

static inline void
gate_open(struct gate *g, struct event_base *base, const struct paths *p)
{
    struct gw_diag diag = {0};

    *g = (struct gate){.base = base, .objects = gw_map_new()};
    g->sync = gw_sync_open(&p->settings, base, on_batch, g, &diag);
    if (g->sync == NULL) {
        fail_msg("%s", gw_diag_first(&diag));
    }
}

static inline void
gate_close(struct gate *g)
{
    gw_sync_close(g->sync);
    g->sync = NULL;
    gw_map_free(g->objects, watcher_unref);
    g->objects = NULL;
}

static inline enum gw_sync_state
state_of(const struct gate *g)
{
    struct gw_sync_status status;

    gw_sync_status(g->sync, &status);
    return status.state;
}

static inline bool
knows(const struct gate *g, const char *name)
{
    char key[96];

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    return gw_map_get(g->objects, gw_str_of(key)) != NULL;
}

static inline const char *
value_at(const struct gate *g, const char *name)
{
    char key[96];

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    return value_of(gw_map_get(g->objects, gw_str_of(key)));
}

static inline struct told
put_object(struct gate *g, struct gw_object *o, enum gw_store_when when, uint64_t revision)
{
    struct told told = {0};
    struct gw_store_put put = {.object = o, .when = when, .revision = revision};

    gw_sync_put(g->sync, &put, on_told, &told);
    WAIT_FOR(g->base, told.done);
    return told;
}

static inline struct told
put_config(struct gate *g, const char *name, const char *value)
{
    struct gw_object *o = config_map(name, value);
    struct told told = put_object(g, o, GW_WHEN_ANY, 0);

    gw_object_unref(o);
    return told;
}

static inline struct told
remove_config(struct gate *g, const char *name, enum gw_store_when when, uint64_t revision)
{
    char key[96];
    struct told told = {0};

    (void)snprintf(key, sizeof(key), "/ConfigMap/test/%s", name);
    gw_sync_remove(g->sync, key, when, revision, on_told, &told);
    WAIT_FOR(g->base, told.done);
    return told;
}

static inline int
make_paths(void **state)
{
    struct paths *p = gw_mem_alloc(sizeof(*p));

    (void)snprintf(p->folder, sizeof(p->folder), "%s", temp_folder());
    (void)snprintf(p->db, sizeof(p->db), "%s/registry.db", p->folder);
    (void)snprintf(p->snapshot, sizeof(p->snapshot), "%s/snapshot", p->folder);
    (void)snprintf(p->files, sizeof(p->files), "%s/objects.yaml", p->folder);
    p->file_list[0] = p->files;
    p->settings =
        (struct gw_registry_settings){.sqlite = {.path = p->db},
                                      .redis = {.prefix = "{ksgate}:", .timeout_ms = 2000},
                                      .snapshot = p->snapshot,
                                      .history = 1 << 20};
    *state = p;
    return 0;
}

static inline int
drop_paths(void **state)
{
    struct paths *p = *state;

    remove_folder(p->folder);
    free(p);
    return 0;
}

/* One test, in an empty folder: *state is its struct paths. */
#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, make_paths, drop_paths)

#endif
