#include <stdlib.h>

#include "base/mem.h"
#include "registry/sync_private.h"

struct gw_object *
gw_sync_get(struct gw_sync *s, const char *key)
{
    struct gw_object *o = gw_watch_get(s->watch, key);

    if (o == NULL) {
        o = gw_known_get(s->known, key);
    }
    return o == NULL ? NULL : gw_object_ref(o);
}

static bool
is_wanted(const struct gw_object *o, const struct gw_kind *kind, struct gw_str ns)
{
    return o->kind == kind && (ns.n == 0 || gw_str_eq(ns, gw_str_of(o->ns)));
}

static int
by_key(const void *a, const void *b)
{
    const struct gw_object *const *x = a;
    const struct gw_object *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

void
gw_sync_list(struct gw_sync *s, const struct gw_kind *kind, struct gw_str ns,
             void (*each)(void *arg, struct gw_object *o), void *arg)
{
    struct gw_objects found = {0};
    struct gw_object *o;
    size_t at = 0;

    while (gw_known_next(s->known, &at, &o)) {
        if (is_wanted(o, kind, ns) && gw_watch_get(s->watch, o->key) == NULL) {
            gw_objects_add(&found, gw_object_ref(o));
        }
    }
    at = 0;
    while (gw_watch_next(s->watch, &at, &o)) {
        if (is_wanted(o, kind, ns)) {
            gw_objects_add(&found, gw_object_ref(o));
        }
    }
    if (found.n > 0) {
        qsort(found.items, found.n, sizeof(struct gw_object *), by_key);
    }
    for (size_t i = 0; i < found.n; i++) {
        each(arg, found.items[i]);
    }
    gw_objects_fini(&found);
}

bool
gw_sync_is_read_only(const struct gw_sync *s, const char *key)
{
    return gw_watch_get(s->watch, key) != NULL;
}

/* True and answered when the key is a file's; number: of several. */
static bool
is_read_only(struct gw_sync *s, const char *key, size_t number, gw_store_done_fn *done, void *arg)
{
    struct gw_store_answer answer = {
        .result = GW_STORE_READ_ONLY,
        .refused = number,
        .text = "the object comes from a file (registry.files) and can only be changed there"};

    if (!gw_sync_is_read_only(s, key)) {
        return false;
    }
    done(arg, &answer);
    return true;
}

/* An orphan is there for whoever reads us, but not in the new store: replacing is making. */
static void
make_orphan(struct gw_sync *s, struct gw_store_put *p)
{
    const char *key = p->object->key;

    if (gw_known_is_orphan(s->known, key) &&
        (p->when == GW_WHEN_PRESENT ||
         (p->when == GW_WHEN_REVISION && p->revision == gw_known_get(s->known, key)->revision))) {
        p->when = GW_WHEN_ABSENT;
    }
}

void
gw_sync_put(struct gw_sync *s, const struct gw_store_put *put, gw_store_done_fn *done, void *arg)
{
    struct gw_store_put p = *put;

    if (!is_read_only(s, p.object->key, 0, done, arg)) {
        make_orphan(s, &p);
        s->driver->put(s->store, &p, done, arg);
    }
}

void
gw_sync_put_all(struct gw_sync *s, const struct gw_store_put *puts, size_t n,
                gw_store_done_fn *done, void *arg)
{
    struct gw_store_put *all = gw_mem_alloc(n * sizeof(*all));
    size_t i = 0;

    for (; i < n && !is_read_only(s, puts[i].object->key, i, done, arg); i++) {
        all[i] = puts[i];
        make_orphan(s, &all[i]);
    }
    if (i == n) {
        s->driver->put_all(s->store, all, n, done, arg);
    }
    free(all);
}

void
gw_sync_remove(struct gw_sync *s, const char *key, enum gw_store_when when, uint64_t revision,
               gw_store_done_fn *done, void *arg)
{
    if (is_read_only(s, key, 0, done, arg)) {
        return;
    }
    /* An orphan is not in the new store, but other gateways have it, too: they learn by the store.
     */
    if (gw_known_is_orphan(s->known, key) &&
        (when != GW_WHEN_REVISION || revision == gw_known_get(s->known, key)->revision)) {
        when = GW_WHEN_ABSENT;
    }
    s->driver->remove(s->store, key, when, revision, done, arg);
}

void
gw_sync_renew(struct gw_sync *s, const char *key, uint64_t revision, long long lease_ms,
              gw_store_done_fn *done, void *arg)
{
    if (!is_read_only(s, key, 0, done, arg)) {
        s->driver->renew(s->store, key, revision, lease_ms, done, arg);
    }
}

void
gw_sync_leases(struct gw_sync *s, const char *const *keys, size_t n, gw_store_leases_fn *done,
               void *arg)
{
    struct gw_sync_status status;

    gw_sync_status(s, &status);
    if (status.reachable) {
        s->driver->leases(s->store, keys, n, done, arg);
    } else {
        done(arg, NULL);
    }
}

void
gw_sync_await(struct gw_sync *s)
{
    if (s->driver->await != NULL) {
        s->driver->await(s->store);
    }
}

bool
gw_sync_has(struct gw_sync *s, const struct gw_store_mark *mark)
{
    return mark == NULL || s->driver->has == NULL || s->driver->has(s->store, mark);
}

void
gw_sync_when_fleet(struct gw_sync *s, const struct gw_store_mark *mark, gw_store_fleet_fn *done,
                   void *arg)
{
    struct gw_diag none = {0};

    if (s->driver->when_fleet != NULL && mark != NULL) {
        s->driver->when_fleet(s->store, mark, done, arg);
    } else {
        done(arg, &none, 1);
    }
}

bool
gw_sync_forget_fleet(struct gw_sync *s, const void *arg)
{
    return s->driver->forget_fleet != NULL && s->driver->forget_fleet(s->store, arg);
}

void
gw_sync_part(struct gw_sync *s)
{
    if (s->driver->part != NULL) {
        s->driver->part(s->store);
    }
}
