#include "registry/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/claim_index.h"
#include "registry/lease.h"
#include "registry/splice.h"

#define LEASE_MS_MAX (GW_LEASE_SECONDS_MAX * 1000ULL)

/* ---- what a store holds --------------------------------------------------------------------- */

static char *
copy(struct gw_str s)
{
    char *p = gw_mem_alloc(s.n + 1);

    if (s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return p;
}

void
gw_audit_add_entry(struct gw_audit_store *s, struct gw_str key, struct gw_str text,
                   uint64_t revision)
{
    s->entries = gw_mem_room(s->entries, s->n_entries, &s->size_entries, sizeof(*s->entries));
    s->entries[s->n_entries++] = (struct gw_audit_entry){.key = copy(key),
                                                         .text = copy(text),
                                                         .n_key = key.n,
                                                         .n_text = text.n,
                                                         .revision = revision};
}

void
gw_audit_add_lease(struct gw_audit_store *s, struct gw_str key, uint64_t deadline_ms)
{
    s->leases = gw_mem_room(s->leases, s->n_leases, &s->size_leases, sizeof(*s->leases));
    s->leases[s->n_leases++] =
        (struct gw_audit_lease){.key = copy(key), .deadline_ms = deadline_ms};
}

void
gw_audit_store_fini(struct gw_audit_store *s)
{
    for (size_t i = 0; i < s->n_entries; i++) {
        free(s->entries[i].key);
        free(s->entries[i].text);
    }
    for (size_t i = 0; i < s->n_leases; i++) {
        free(s->leases[i].key);
    }
    free(s->entries);
    free(s->leases);
    free(s->epoch);
    *s = (struct gw_audit_store){0};
}

/* ---- findings ------------------------------------------------------------------------------- */

void
gw_audit_add(struct gw_audit *a, enum gw_audit_repair repair, const char *key, uint64_t number,
             const char *fmt, ...)
{
    va_list args;

    a->list = gw_mem_room(a->list, a->n, &a->size, sizeof(*a->list));
    struct gw_audit_finding *f = &a->list[a->n++];
    *f = (struct gw_audit_finding){
        .repair = repair, .key = key == NULL ? NULL : gw_mem_strdup(key), .number = number};
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
}

void
gw_audit_fini(struct gw_audit *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->list[i].key);
    }
    free(a->list);
    *a = (struct gw_audit){0};
}

/* ---- looking -------------------------------------------------------------------------------- */

static void
unreadable(struct gw_audit *a, const struct gw_audit_entry *e, const char *why)
{
    if (strlen(e->key) != e->n_key) { /* no command can name it */
        gw_audit_add(
            a, GW_AUDIT_BY_HAND, NULL, 0,
            "there is an entry whose name holds a NUL byte, behind \"%s\": no gateway uses "
            "it, delete it by hand",
            e->key);
        return;
    }
    if (strlen(e->text) != e->n_text) { /* nor can a repair say that it still is as it was */
        gw_audit_add(a, GW_AUDIT_BY_HAND, e->key, 0,
                     "%s can't be read, so no gateway uses it: there is a NUL byte in it; apply a "
                     "good one over it, or delete it by hand",
                     e->key);
        return;
    }
    gw_audit_add(a, GW_AUDIT_REMOVE, e->key, 0, "%s can't be read, so no gateway uses it: %s",
                 e->key, why);
    a->list[a->n - 1].entry = e;
}

/* NULL: it can't be read, which is told. */
static struct gw_object *
read_entry(struct gw_audit *a, const struct gw_audit_entry *e)
{
    struct gw_diag diag = {0};
    struct gw_object *o = NULL;

    if (strlen(e->key) == e->n_key) {
        o = gw_splice_read((struct gw_str){e->text, e->n_text}, e->key, &diag);
    }
    if (o == NULL) {
        unreadable(a, e, gw_diag_first(&diag));
    } else {
        a->objects++;
    }
    gw_diag_fini(&diag);
    return o;
}

/* A gateway that starts compares its last revision with the store's: one that is too low means to
 * it that the store was restored from a backup. */
static void
look_at_meta(struct gw_audit *a, const struct gw_audit_store *s, uint64_t highest)
{
    if ((s->epoch == NULL || s->epoch[0] == '\0') && (s->n_entries > 0 || s->counted)) {
        gw_audit_add(a, GW_AUDIT_MAKE_EPOCH, NULL, 0,
                     "there is no epoch, by which a gateway tells this store from another");
    }
    if (s->last_change > highest) {
        highest = s->last_change;
    }
    if (!s->counted && highest > 0) {
        gw_audit_add(a, GW_AUDIT_SET_REVISION, NULL, highest,
                     "there is no revision; the highest of an object or change is %" PRIu64,
                     highest);
    } else if (s->counted && s->revision < highest) {
        gw_audit_add(a, GW_AUDIT_SET_REVISION, NULL, highest,
                     "the revision is %" PRIu64 ", but there is an object or a change of %" PRIu64
                     ": changes would be given the same number twice",
                     s->revision, highest);
    }
}

static void
look_at_lease(struct gw_audit *a, const struct gw_audit_store *s, const struct gw_audit_lease *l,
              const struct gw_object *o)
{
    bool renewed = o != NULL && strcmp(o->kind->kind, "Endpoint") == 0;

    if (o == NULL) {
        gw_audit_add(a, GW_AUDIT_UNLEASE, l->key, 0, "%s has a lease, but there is no such object",
                     l->key);
    } else if (gw_lease_ms(o) == 0) {
        gw_audit_add(a, GW_AUDIT_UNLEASE, l->key, 0,
                     "%s has a lease although it says nothing of one: it would disappear", l->key);
    } else if (renewed && l->deadline_ms > s->now_ms + LEASE_MS_MAX) {
        gw_audit_add(a, GW_AUDIT_LEASE, l->key, (uint64_t)gw_lease_ms(o),
                     "%s has a lease of %" PRIu64 " hours, longer than any that is given: a clock "
                     "was wrong, and it would stay when its backend is gone",
                     l->key, (l->deadline_ms - s->now_ms) / 3600000);
    } else {
        a->leases++;
    }
}

static void
look_at_leases(struct gw_audit *a, const struct gw_audit_store *s, struct gw_map *objects)
{
    struct gw_map *leased = gw_map_new();
    struct gw_str key;
    size_t at = 0;
    void *o;

    for (size_t i = 0; i < s->n_leases; i++) {
        const struct gw_audit_lease *l = &s->leases[i];

        look_at_lease(a, s, l, gw_map_get(objects, gw_str_of(l->key)));
        gw_map_put(leased, gw_str_of(l->key), s->leases[i].key);
    }
    while (gw_map_next(objects, &at, &key, &o)) {
        long long ms = gw_lease_ms(o);

        if (ms > 0 && gw_map_get(leased, key) == NULL) {
            gw_audit_add(a, GW_AUDIT_LEASE, key.p, (uint64_t)ms,
                         "%s says that it has a lease, but has none: it would stay for ever",
                         key.p);
        }
    }
    gw_map_free(leased, NULL);
}

static void
on_turned(void *arg, const struct gw_claim_turn *t)
{
    struct gw_buf why = {0};

    gw_claims_say(&why, t->claims, t->winner, true);
    gw_audit_add(arg, GW_AUDIT_BY_HAND, t->claims->object->key, 0, "%s is not used: %s",
                 t->claims->object->key, why.p);
    gw_buf_fini(&why);
}

/* All at once: each turns no more than once, and then because it is held. */
static void
look_at_claims(struct gw_audit *a, struct gw_map *objects)
{
    struct gw_claim_index *x = gw_claim_index_new();
    size_t at = 0;
    void *o;

    while (gw_map_next(objects, &at, NULL, &o)) {
        gw_claim_index_put(x, o, false);
    }
    gw_claim_index_settle(x, on_turned, a);
    gw_claim_index_free(x);
}

static int
by_need(const void *a, const void *b)
{
    const struct gw_audit_finding *x = a;
    const struct gw_audit_finding *y = b;
    bool first = x->repair >= GW_AUDIT_SET_REVISION;
    bool second = y->repair >= GW_AUDIT_SET_REVISION;

    if (first != second) {
        return first ? -1 : 1;
    }
    return strcmp(x->key == NULL ? "" : x->key, y->key == NULL ? "" : y->key);
}

static void
unref(void *object)
{
    gw_object_unref(object);
}

void
gw_audit_run(struct gw_audit *a, const struct gw_audit_store *s)
{
    struct gw_map *objects = gw_map_of_values(); /* that can be read */
    uint64_t highest = 0;

    for (size_t i = 0; i < s->n_entries; i++) {
        const struct gw_audit_entry *e = &s->entries[i];
        struct gw_object *o = read_entry(a, e);

        if (o == NULL) {
            continue;
        }
        if (e->revision != 0 && e->revision != o->revision) {
            gw_audit_add(a, GW_AUDIT_BY_HAND, e->key, 0,
                         "%s is of revision %" PRIu64 " and says %" PRIu64
                         ": apply it once more, and it is in order",
                         e->key, e->revision, o->revision);
        }
        highest = o->revision > highest ? o->revision : highest;
        highest = e->revision > highest ? e->revision : highest;
        gw_map_put(objects, gw_str_of(o->key), o);
    }
    look_at_meta(a, s, highest);
    look_at_leases(a, s, objects);
    look_at_claims(a, objects);
    gw_map_free(objects, unref);
    if (a->n > 1) {
        qsort(a->list, a->n, sizeof(*a->list), by_need);
    }
}
