#include "modules/rbac_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define ENTRY                     \
    sizeof(struct gw_rbac_binding \
               *) /* of a holder's list */ /* NOLINT(bugprone-sizeof-expression) */

/* One user's or group's bindings, by level, place and name. */
struct gw_rbac_holder {
    const struct gw_rbac_binding **list; /* borrowed from the objects */
    unsigned n, size;
};

struct gw_rbac_index {
    struct gw_map *objects;    /* key to struct gw_rbac_object, a reference each */
    struct gw_map *users;      /* name to struct gw_rbac_holder */
    struct gw_map *groups;     /* name to struct gw_rbac_holder */
    struct gw_map *namespaces; /* name to struct gw_rbac_namespace, borrowed from objects */
};

void *
gw_rbac_index_open(struct gw_world *world)
{
    struct gw_rbac_index *x = gw_mem_alloc(sizeof(*x));

    (void)world;
    x->objects = gw_map_new();
    x->users = gw_map_new();
    x->groups = gw_map_new();
    x->namespaces = gw_map_new();
    return x;
}

static void
free_object(void *value)
{
    gw_piece_unref(value);
}

static void
free_holder(void *value)
{
    struct gw_rbac_holder *h = value;

    free(h->list);
    free(h);
}

void
gw_rbac_index_close(void *index)
{
    struct gw_rbac_index *x = index;

    gw_map_free(x->users, free_holder);
    gw_map_free(x->groups, free_holder);
    gw_map_free(x->namespaces, NULL);
    gw_map_free(x->objects, free_object);
    free(x);
}

/* ---- order -------------------------------------------------------------------------------- */

static int
compare_place(const struct gw_rbac_binding *b, enum gw_rbac_level level, struct gw_str place)
{
    if (b->level != level) {
        return b->level < level ? -1 : 1;
    }
    return gw_str_cmp(b->place, place);
}

static int
compare(const struct gw_rbac_binding *a, const struct gw_rbac_binding *b)
{
    int c = compare_place(a, b->level, b->place);

    return c != 0 ? c : strcmp(a->object.name, b->object.name);
}

/* Where the first one is that is not before b. */
static unsigned
position(const struct gw_rbac_holder *h, const struct gw_rbac_binding *b)
{
    unsigned low = 0;
    unsigned high = h->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (compare(h->list[mid], b) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* ---- changes ------------------------------------------------------------------------------ */

static void
holder_add(struct gw_map *map, const char *name, const struct gw_rbac_binding *b)
{
    struct gw_rbac_holder *h = gw_map_get(map, gw_str_of(name));

    if (h == NULL) {
        h = gw_mem_alloc(sizeof(*h));
        gw_map_put(map, gw_str_of(name), h);
    }
    unsigned at = position(h, b);
    if (at < h->n && h->list[at] == b) {
        return; /* the binding names the subject twice */
    }
    if (h->n == h->size) {
        h->size = h->size == 0 ? 4 : h->size * 2;
        h->list = gw_mem_resize(h->list, h->size * ENTRY);
    }
    memmove(h->list + at + 1, h->list + at, (h->n - at) * ENTRY);
    h->list[at] = b;
    h->n++;
}

static void
holder_drop(struct gw_map *map, const char *name, const struct gw_rbac_binding *b)
{
    struct gw_rbac_holder *h = gw_map_get(map, gw_str_of(name));
    unsigned at = h == NULL ? 0 : position(h, b);

    if (h == NULL || at == h->n || h->list[at] != b) {
        return;
    }
    h->n--;
    memmove(h->list + at, h->list + at + 1, (h->n - at) * ENTRY);
    if (h->n == 0) {
        free_holder(gw_map_take(map, gw_str_of(name)));
    }
}

static void
each_subject(struct gw_rbac_index *x, const struct gw_rbac_binding *b,
             void (*change)(struct gw_map *, const char *, const struct gw_rbac_binding *))
{
    for (unsigned i = 0; i < b->n_subjects; i++) {
        if (b->subjects[i].who != GW_RBAC_NOBODY) {
            change(b->subjects[i].who == GW_RBAC_USER ? x->users : x->groups, b->subjects[i].match,
                   b);
        }
    }
}

static void
take_out(struct gw_rbac_index *x, const char *key)
{
    struct gw_rbac_object *o = gw_map_take(x->objects, gw_str_of(key));

    if (o == NULL) {
        return;
    }
    if (o->sort == GW_RBAC_BINDING) {
        each_subject(x, (const struct gw_rbac_binding *)o, holder_drop);
    } else if (o->sort == GW_RBAC_NAMESPACE) {
        gw_map_take(x->namespaces, gw_str_of(o->name));
    }
    gw_piece_unref(&o->piece);
}

void
gw_rbac_index_put(void *index, const char *key, struct gw_piece *piece)
{
    struct gw_rbac_index *x = index;

    take_out(x, key);
    if (piece == NULL) {
        return;
    }
    struct gw_rbac_object *o = (struct gw_rbac_object *)(void *)gw_piece_ref(piece);
    gw_map_put(x->objects, gw_str_of(key), o);
    if (o->sort == GW_RBAC_BINDING) {
        each_subject(x, (const struct gw_rbac_binding *)o, holder_add);
    } else if (o->sort == GW_RBAC_NAMESPACE) {
        gw_map_put(x->namespaces, gw_str_of(o->name), o);
    }
}

/* ---- questions ---------------------------------------------------------------------------- */

const struct gw_rbac_role *
gw_rbac_index_role(const struct gw_rbac_index *x, struct gw_str key)
{
    return key.n == 0 ? NULL : gw_map_get(x->objects, key);
}

const struct gw_rbac_namespace *
gw_rbac_index_namespace(const struct gw_rbac_index *x, struct gw_str name)
{
    return gw_map_get(x->namespaces, name);
}

static void
add_holder(struct gw_rbac_found *f, const struct gw_map *map, struct gw_str name)
{
    const struct gw_rbac_holder *h = gw_map_get(map, name);

    if (h != NULL) {
        f->holders[f->n++] = h;
    }
}

void
gw_rbac_index_find(const struct gw_rbac_index *x, struct gw_arena *a,
                   const struct gw_subject *subject, struct gw_rbac_found *out)
{
    size_t most = 1 + (size_t)subject->n_groups;

    out->index = x;
    out->holders = gw_arena_raw(a, most * sizeof(const struct gw_rbac_holder *));
    out->cursors = gw_arena_raw(a, most * sizeof(*out->cursors));
    out->n = 0;
    add_holder(out, x->users, subject->name);
    for (unsigned i = 0; i < subject->n_groups; i++) {
        add_holder(out, x->groups, subject->groups[i]);
    }
}

/* The first of a holder's that is not before (or, with `after`, that is behind) the place. */
static unsigned
bound(const struct gw_rbac_holder *h, enum gw_rbac_level level, const struct gw_str *place,
      bool after)
{
    unsigned low = 0;
    unsigned high = h->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const struct gw_rbac_binding *b = h->list[mid];
        int c = place != NULL ? compare_place(b, level, *place)
                              : (b->level > level) - (b->level < level);

        if (c < 0 || (after && c == 0)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

void
gw_rbac_found_start(struct gw_rbac_found *f, enum gw_rbac_level level, const struct gw_str *place)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct gw_rbac_holder *h = f->holders[i];

        f->cursors[i].at = h->list + bound(h, level, place, false);
        f->cursors[i].end = h->list + bound(h, level, place, true);
    }
}

const struct gw_rbac_binding *
gw_rbac_found_next(struct gw_rbac_found *f)
{
    const struct gw_rbac_binding *first = NULL;

    for (unsigned i = 0; i < f->n; i++) {
        const struct gw_rbac_cursor *c = &f->cursors[i];

        if (c->at < c->end && (first == NULL || compare(*c->at, first) < 0)) {
            first = *c->at;
        }
    }
    for (unsigned i = 0; first != NULL && i < f->n; i++) {
        struct gw_rbac_cursor *c = &f->cursors[i];

        if (c->at < c->end && *c->at == first) {
            c->at++;
        }
    }
    return first;
}

const struct gw_rbac_subject *
gw_rbac_index_subject(const struct gw_rbac_binding *b, const struct gw_subject *subject)
{
    for (unsigned i = 0; i < b->n_subjects; i++) {
        const struct gw_rbac_subject *s = &b->subjects[i];
        struct gw_str match = gw_str_of(s->match);

        if (s->who == GW_RBAC_USER && gw_str_eq(match, subject->name)) {
            return s;
        }
        for (unsigned g = 0; s->who == GW_RBAC_GROUP && g < subject->n_groups; g++) {
            if (gw_str_eq(match, subject->groups[g])) {
                return s;
            }
        }
    }
    return NULL;
}
