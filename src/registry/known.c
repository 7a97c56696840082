#include "registry/known.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct gw_object *o; /* a reference */
    bool orphan;         /* the store does not have it any more */
    bool listed;         /* in the listing that is being taken in */
};

struct gw_known {
    struct gw_map *entries;
    size_t orphans;
    char *epoch;  /* of the store that is followed; NULL: none yet */
    char *former; /* of the one before, that was none of an empty store; NULL: there was none */
    uint64_t revision;
    bool put_back; /* gw_known_put_back() */
};

static void
free_entry(void *p)
{
    struct entry *e = p;

    if (e != NULL) {
        gw_object_unref(e->o);
        free(e);
    }
}

struct gw_known *
gw_known_new(void)
{
    struct gw_known *k = gw_mem_alloc(sizeof(*k));

    k->entries = gw_map_of_values();
    return k;
}

void
gw_known_free(struct gw_known *k)
{
    gw_map_free(k->entries, free_entry);
    free(k->epoch);
    free(k->former);
    free(k);
}

void
gw_changes_add(struct gw_changes *c, const char *key, struct gw_object *o, struct gw_object *before,
               uint64_t revision)
{
    c->items = gw_mem_room(c->items, c->n, &c->size, sizeof(*c->items));
    c->items[c->n++] = (struct gw_change){.key = gw_mem_strdup(key),
                                          .object = o == NULL ? NULL : gw_object_ref(o),
                                          .before = before == NULL ? NULL : gw_object_ref(before),
                                          .revision = revision};
}

void
gw_changes_fini(struct gw_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].key);
        gw_object_unref(c->items[i].object);
        gw_object_unref(c->items[i].before);
    }
    free(c->items);
    *c = (struct gw_changes){0};
}

struct gw_object *
gw_known_get(const struct gw_known *k, const char *key)
{
    const struct entry *e = gw_map_get(k->entries, gw_str_of(key));

    return e == NULL ? NULL : e->o;
}

bool
gw_known_is_orphan(const struct gw_known *k, const char *key)
{
    const struct entry *e = gw_map_get(k->entries, gw_str_of(key));

    return e != NULL && e->orphan;
}

bool
gw_known_next(const struct gw_known *k, size_t *at, struct gw_object **o)
{
    void *value;

    if (!gw_map_next(k->entries, at, NULL, &value)) {
        return false;
    }
    *o = ((struct entry *)value)->o;
    return true;
}

bool
gw_known_next_orphan(const struct gw_known *k, size_t *at, struct gw_object **o)
{
    void *value;

    while (gw_map_next(k->entries, at, NULL, &value)) {
        const struct entry *e = value;

        if (e->orphan) {
            *o = e->o;
            return true;
        }
    }
    return false;
}

size_t
gw_known_count(const struct gw_known *k)
{
    return gw_map_count(k->entries);
}

size_t
gw_known_orphans(const struct gw_known *k)
{
    return k->orphans;
}

uint64_t
gw_known_revision(const struct gw_known *k)
{
    return k->revision;
}

bool
gw_known_is_new(const struct gw_known *k, const char *epoch)
{
    return k->epoch != NULL && strcmp(k->epoch, epoch) != 0 &&
           (k->former == NULL || strcmp(k->former, epoch) != 0);
}

static void
set_text(char **field, const char *text)
{
    char *copy = gw_mem_strdup(text);

    free(*field);
    *field = copy;
}

/* Takes the object in.  Tells only what is different. */
static struct entry *
put(struct gw_known *k, struct gw_object *o, struct gw_changes *out)
{
    struct entry *e = gw_map_get(k->entries, gw_str_of(o->key));

    if (e == NULL) {
        e = gw_mem_alloc(sizeof(*e));
    }
    if (e->orphan) {
        e->orphan = false;
        k->orphans--;
    }
    if (e->o == NULL || !gw_object_equal(e->o, o)) {
        struct gw_object *before = e->o;

        e->o = gw_object_ref(o);
        (void)gw_map_put(k->entries, gw_str_of(o->key), e); /* the key is the new object's */
        gw_changes_add(out, o->key, o, before, o->revision);
        gw_object_unref(before);
    }
    return e;
}

static void
take(struct gw_known *k, const char *key, uint64_t revision, struct gw_changes *out)
{
    struct entry *e = gw_map_take(k->entries, gw_str_of(key));

    if (e != NULL) {
        k->orphans -= e->orphan;
        gw_changes_add(out, key, NULL, e->o, revision);
        free_entry(e);
    }
}

static int
by_key(const void *a, const void *b)
{
    const struct gw_change *x = a;
    const struct gw_change *y = b;

    return strcmp(x->key, y->key);
}

/* What belongs together comes together: whoever takes it over has less to do.  A list has no order.
 */
static void
sort(struct gw_changes *c)
{
    if (c->n > 1) {
        qsort(c->items, c->n, sizeof(*c->items), by_key);
    }
}

void
gw_known_load(struct gw_known *k, struct gw_snapshot *s, struct gw_changes *out)
{
    for (size_t i = 0; i < s->objects.n; i++) {
        struct entry *e = put(k, s->objects.items[i], out);

        if (i < s->orphans && !e->orphan) {
            e->orphan = true;
            k->orphans++;
        }
    }
    set_text(&k->epoch, s->epoch);
    if (s->former != NULL) {
        set_text(&k->former, s->former);
    }
    k->revision = s->revision;
    sort(out);
}

/* What was not in the listing: gone, or lost with the store that had it. */
static void
sweep(struct gw_known *k, bool replaced, struct gw_changes *out)
{
    struct gw_changes gone = {0};
    size_t at = 0;
    void *value;

    while (gw_map_next(k->entries, &at, NULL, &value)) {
        struct entry *e = value;

        if (!e->listed && !e->orphan && replaced) {
            e->orphan = true;
            k->orphans++;
        } else if (!e->listed && !e->orphan) {
            gw_changes_add(&gone, e->o->key, NULL, NULL, 0);
        }
        e->listed = false;
    }
    for (size_t i = 0; i < gone.n; i++) { /* a map may not change while it is walked */
        take(k, gone.items[i].key, k->revision, out);
    }
    gw_changes_fini(&gone);
}

void
gw_known_put_back(struct gw_known *k)
{
    k->put_back = true;
}

static void
follow_epoch(struct gw_known *k, const char *epoch)
{
    if (k->epoch != NULL && k->epoch[0] != '\0' && strcmp(k->epoch, epoch) != 0) {
        set_text(&k->former, k->epoch);
    }
    set_text(&k->epoch, epoch);
}

bool
gw_known_list(struct gw_known *k, struct gw_object *const *objects, size_t n, uint64_t revision,
              const char *epoch, struct gw_changes *out)
{
    bool replaced =
        k->epoch != NULL && (strcmp(k->epoch, epoch) != 0 || revision < k->revision || k->put_back);

    /* Nothing was deleted, and nothing is there: it was lost, whoever did that. */
    replaced |= k->epoch != NULL && n == 0 && revision == k->revision &&
                gw_map_count(k->entries) > k->orphans;
    k->put_back = false;
    k->revision = revision;
    for (size_t i = 0; i < n; i++) {
        put(k, objects[i], out)->listed = true;
    }
    sweep(k, replaced, out);
    sort(out);
    follow_epoch(k, epoch);
    return replaced;
}

void
gw_known_change(struct gw_known *k, const struct gw_change *changes, size_t n, uint64_t revision,
                struct gw_changes *out)
{
    for (size_t i = 0; i < n; i++) {
        if (changes[i].object != NULL) {
            (void)put(k, changes[i].object, out);
        } else {
            /* recalled: who has listed since, with it, is to be told */
            bool late = changes[i].revision <= k->revision;

            take(k, changes[i].key, late ? revision : changes[i].revision, out);
        }
    }
    k->revision = revision;
}

void
gw_known_drop_all(struct gw_known *k, bool (*which)(const struct gw_object *o),
                  struct gw_changes *out)
{
    struct gw_changes orphans = {0};
    struct gw_object *o;
    size_t at = 0;

    while (gw_known_next_orphan(k, &at, &o)) {
        if (which == NULL || which(o)) {
            gw_changes_add(&orphans, o->key, NULL, NULL, 0);
        }
    }
    for (size_t i = 0; i < orphans.n; i++) { /* a map may not change while it is walked */
        take(k, orphans.items[i].key, k->revision, out);
    }
    gw_changes_fini(&orphans);
}

/* The orphans, or all others. */
static void
save(const struct gw_known *k, bool orphans, struct gw_objects *out)
{
    size_t at = 0;
    void *value;

    while (gw_map_next(k->entries, &at, NULL, &value)) {
        const struct entry *e = value;

        if (e->orphan == orphans) {
            gw_objects_add(out, gw_object_ref(e->o));
        }
    }
}

void
gw_known_save(const struct gw_known *k, struct gw_snapshot *s)
{
    s->epoch = gw_mem_strdup(k->epoch == NULL ? "" : k->epoch);
    s->former = k->former == NULL ? NULL : gw_mem_strdup(k->former);
    s->revision = k->revision;
    s->saved_ms = gw_clock_wall_ms();
    s->orphans = k->orphans;
    save(k, true, &s->objects);
    save(k, false, &s->objects);
}
