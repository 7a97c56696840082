#include "modules/rbac_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/trie.h"
#include "modules/rbac_recompile.h"

/* Holders borrow their bindings from `bindings`: whatever takes a binding out of that makes the
 * holders of its subjects anew before anyone else sees the index (rbac_recompile.h). */
struct gw_rbac_index {
    struct gw_piece piece;           /* first: a world has the index as this */
    struct gw_trie roles, bindings;  /* by key */
    struct gw_trie namespaces;       /* by name */
    struct gw_trie users, groups;    /* struct gw_rbac_holder, by name */
    struct gw_trie selections;       /* struct gw_rbac_selection, by text */
    struct gw_rbac_shelf *templates; /* all; a reference; NULL: none */
};

static struct gw_str
object_key(const void *value)
{
    const struct gw_rbac_object *o = value;

    return (struct gw_str){o->key, o->key_n};
}

static struct gw_str
object_name(const void *value)
{
    return gw_str_of(((const struct gw_rbac_object *)value)->name);
}

static void
ref_object(void *value)
{
    (void)gw_piece_ref(value);
}

static struct gw_str
holder_name(const void *value)
{
    return ((const struct gw_rbac_holder *)value)->name;
}

static void
ref_holder(void *value)
{
    gw_rbac_holder_ref(value);
}

static void
unref_holder(void *value)
{
    gw_rbac_holder_unref(value);
}

static const struct gw_trie_kind by_key = {.key = object_key,
                                           .hash = gw_hash,
                                           .ref = ref_object,
                                           .unref = gw_piece_let_go,
                                           .pool = GW_POOL_rbac};
static const struct gw_trie_kind by_name = {.key = object_name,
                                            .hash = gw_hash,
                                            .ref = ref_object,
                                            .unref = gw_piece_let_go,
                                            .pool = GW_POOL_rbac};
static const struct gw_trie_kind of_holders = {.key = holder_name,
                                               .hash = gw_hash,
                                               .ref = ref_holder,
                                               .unref = unref_holder,
                                               .pool = GW_POOL_rbac};

/* ---- versions ----------------------------------------------------------------------------- */

static void
index_free(struct gw_piece *p)
{
    struct gw_rbac_index *x = (struct gw_rbac_index *)(void *)p;

    if (x->templates != NULL) {
        gw_piece_unref(&x->templates->piece);
    }
    gw_trie_fini(&x->selections);
    gw_trie_fini(&x->users);
    gw_trie_fini(&x->groups);
    gw_trie_fini(&x->bindings);
    gw_trie_fini(&x->namespaces);
    gw_trie_fini(&x->roles);
    free(x);
}

static struct gw_rbac_index *
index_new(const struct gw_rbac_index *before)
{
    struct gw_rbac_index *x = gw_mem_alloc(sizeof(*x));

    atomic_init(&x->piece.refs, 1);
    x->piece.free = index_free;
    if (before == NULL) {
        x->roles.kind = &by_key;
        x->bindings.kind = &by_key;
        x->namespaces.kind = &by_name;
        x->users.kind = &of_holders;
        x->groups.kind = &of_holders;
        x->selections.kind = &gw_rbac_selections;
        return x;
    }
    gw_trie_copy(&x->roles, &before->roles);
    gw_trie_copy(&x->bindings, &before->bindings);
    gw_trie_copy(&x->namespaces, &before->namespaces);
    gw_trie_copy(&x->users, &before->users);
    gw_trie_copy(&x->groups, &before->groups);
    gw_trie_copy(&x->selections, &before->selections);
    if (before->templates != NULL) {
        x->templates = before->templates;
        (void)gw_piece_ref(&x->templates->piece);
    }
    return x;
}

/* ---- changes ------------------------------------------------------------------------------ */

/* What is behind `before`, or NULL. */
static const char *
name_behind(const char *key, const char *before)
{
    size_t n = strlen(before);

    return strncmp(key, before, n) == 0 ? key + n : NULL;
}

/* What makes a change of many. */
struct changing {
    struct gw_rbac_recompile subjects;
    bool templates; /* they are others now */
};

static void
put_template(struct gw_rbac_index *x, struct changing *c, const char *name,
             struct gw_rbac_role *template)
{
    x->templates = gw_rbac_shelf_next(x->templates, name, template);
    c->templates = true;
}

static void
take_out_role(struct gw_rbac_index *x, struct gw_str key)
{
    const struct gw_rbac_role *role = gw_trie_get(&x->roles, key);

    if (role != NULL && role->gather.n > 0) {
        gw_rbac_selection_count(&x->selections, role->gather, -1, x->templates);
    }
    gw_trie_drop(&x->roles, key);
}

static void
take_out(struct gw_rbac_index *x, struct changing *c, const char *key)
{
    struct gw_rbac_recompile *r = &c->subjects;
    const char *name = name_behind(key, "/Namespace//");

    if (name != NULL) {
        gw_trie_drop(&x->namespaces, gw_str_of(name));
        return;
    }
    name = name_behind(key, "iam.kubesphere.io/RoleTemplate//");
    if (name != NULL) {
        put_template(x, c, name, NULL);
        return;
    }
    struct gw_rbac_binding *b = gw_trie_get(&x->bindings, gw_str_of(key));
    if (b == NULL) {
        take_out_role(x, gw_str_of(key));
        return;
    }
    gw_rbac_recompile_without(r, b);
    gw_trie_drop(&x->bindings, gw_str_of(key));
}

static void
put_in_role(struct gw_rbac_index *x, struct gw_rbac_role *role)
{
    if (role->gather.n > 0) {
        gw_rbac_selection_count(&x->selections, role->gather, 1, x->templates);
    }
    gw_trie_put(&x->roles, role);
}

static void
put_in(struct gw_rbac_index *x, struct changing *c, struct gw_rbac_object *o)
{
    switch (o->sort) {
    case GW_RBAC_ROLE:
        put_in_role(x, (struct gw_rbac_role *)o);
        break;
    case GW_RBAC_TEMPLATE:
        put_template(x, c, o->name, (struct gw_rbac_role *)o);
        gw_piece_unref(&o->piece); /* the shelf has its own */
        break;
    case GW_RBAC_BINDING:
        gw_rbac_recompile_with(&c->subjects, (struct gw_rbac_binding *)o);
        gw_trie_put(&x->bindings, o);
        break;
    case GW_RBAC_NAMESPACE:
        gw_trie_put(&x->namespaces, o);
        break;
    }
}

/* The whole index, or what of it is different.  Each subject is compiled once, whatever is many. */
static void
change(struct gw_rbac_index *x, const struct gw_put *puts, size_t n)
{
    struct changing c = {0};

    assert(atomic_load_explicit(&x->piece.refs, memory_order_relaxed) == 1);
    for (size_t i = 0; i < n; i++) {
        take_out(x, &c, puts[i].key);
        if (puts[i].piece != NULL) {
            put_in(x, &c, (struct gw_rbac_object *)(void *)gw_piece_ref(puts[i].piece));
        }
    }
    gw_rbac_recompile_finish(&c.subjects, &x->users, &x->groups);
    if (c.templates) {
        gw_rbac_selection_all(&x->selections, x->templates);
    }
}

struct gw_piece *
gw_rbac_index_next(struct gw_piece *before, const struct gw_put *puts, size_t n)
{
    struct gw_rbac_index *x = index_new((struct gw_rbac_index *)(void *)before);

    change(x, puts, n);
    return &x->piece;
}

void *
gw_rbac_index_open(struct gw_world *world)
{
    (void)world;
    return index_new(NULL);
}

void
gw_rbac_index_close(void *index)
{
    gw_piece_unref(index);
}

void
gw_rbac_index_put(void *index, const char *key, struct gw_piece *piece)
{
    change(index, &(struct gw_put){.key = key, .piece = piece}, 1);
}

/* ---- questions ---------------------------------------------------------------------------- */

const struct gw_rbac_role *
gw_rbac_index_role(const struct gw_rbac_index *x, struct gw_str key)
{
    return key.n == 0 ? NULL : gw_trie_get(&x->roles, key);
}

const struct gw_rbac_role *
gw_rbac_index_role_of(const struct gw_rbac_index *x, const struct gw_rbac_binding *b)
{
    return b->role_key.n == 0 ? NULL : gw_trie_find(&x->roles, b->role_key, b->role_hash);
}

const struct gw_rbac_shelf *
gw_rbac_index_taken(const struct gw_rbac_index *x, const struct gw_rbac_role *role)
{
    const struct gw_rbac_selection *s =
        role->gather.n == 0 ? NULL : gw_trie_find(&x->selections, role->gather, role->gather_hash);

    return s == NULL ? NULL : s->taken;
}

const struct gw_rbac_namespace *
gw_rbac_index_namespace(const struct gw_rbac_index *x, struct gw_str name)
{
    return gw_trie_get(&x->namespaces, name);
}

static void
add_holder(struct gw_rbac_found *f, const struct gw_trie *trie, struct gw_str name)
{
    const struct gw_rbac_holder *h = gw_trie_get(trie, name);

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
    add_holder(out, &x->users, subject->name);
    for (unsigned i = 0; i < subject->n_groups; i++) {
        add_holder(out, &x->groups, subject->groups[i]);
    }
}

void
gw_rbac_found_start(struct gw_rbac_found *f, enum gw_rbac_level level, const struct gw_str *place)
{
    bool anywhere = place == NULL || level == GW_RBAC_GLOBAL || level == GW_RBAC_CLUSTER;
    uint64_t hash = anywhere ? 0 : gw_rbac_place_hash(level, *place);

    for (unsigned i = 0; i < f->n; i++) {
        f->cursors[i] = anywhere ? gw_rbac_holder_level(f->holders[i], level)
                                 : gw_rbac_holder_place(f->holders[i], *place, hash);
    }
}

const struct gw_rbac_binding *
gw_rbac_found_next(struct gw_rbac_found *f)
{
    const struct gw_rbac_binding *first = NULL;

    for (unsigned i = 0; i < f->n; i++) {
        const struct gw_rbac_cursor *c = &f->cursors[i];

        if (c->at < c->end && (first == NULL || gw_rbac_holder_order(*c->at, first) < 0)) {
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
