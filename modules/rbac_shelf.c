#include "modules/rbac_shelf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/refs.h"

/* ---- templates ---------------------------------------------------------------------------- */

static void
shelf_free(struct gw_piece *p)
{
    struct gw_rbac_shelf *s = (struct gw_rbac_shelf *)(void *)p;

    for (unsigned i = 0; i < s->n; i++) {
        gw_piece_unref(&s->list[i]->object.piece);
    }
    gw_pool_left(GW_POOL_rbac, s);
    free(s);
}

static struct gw_rbac_shelf *
shelf_new(unsigned room)
{
    struct gw_rbac_shelf *s =
        gw_mem_alloc(sizeof(*s) + (size_t)room * sizeof(struct gw_rbac_role *));

    gw_pool_joined(GW_POOL_rbac, s);
    atomic_init(&s->piece.refs, 1);
    s->piece.free = shelf_free;
    return s;
}

static void
shelf_add(struct gw_rbac_shelf *s, struct gw_rbac_role *template)
{
    (void)gw_piece_ref(&template->object.piece);
    s->list[s->n++] = template;
}

static void
shelf_unref(struct gw_rbac_shelf *s)
{
    if (s != NULL) {
        gw_piece_unref(&s->piece);
    }
}

struct gw_rbac_shelf *
gw_rbac_shelf_next(struct gw_rbac_shelf *before, const char *name, struct gw_rbac_role *template)
{
    unsigned n = before == NULL ? 0 : before->n;
    struct gw_rbac_shelf *s = shelf_new(n + 1);
    unsigned i = 0;

    for (; i < n && strcmp(before->list[i]->object.name, name) < 0; i++) {
        shelf_add(s, before->list[i]);
    }
    if (template != NULL) {
        shelf_add(s, template);
    }
    i += i < n && strcmp(before->list[i]->object.name, name) == 0;
    for (; i < n; i++) {
        shelf_add(s, before->list[i]);
    }
    shelf_unref(before);
    return s;
}

/* ---- selections --------------------------------------------------------------------------- */

static struct gw_str
selection_key(const void *value)
{
    return ((const struct gw_rbac_selection *)value)->key;
}

static void
selection_ref(void *value)
{
    struct gw_rbac_selection *s = value;

    gw_refs_take(&s->refs);
}

static void
selection_unref(void *value)
{
    struct gw_rbac_selection *s = value;

    if (gw_refs_drop(&s->refs)) {
        shelf_unref(s->taken);
        gw_pool_left(GW_POOL_rbac, s);
        free(s);
    }
}

const struct gw_trie_kind gw_rbac_selections = {.key = selection_key,
                                                .hash = gw_hash,
                                                .ref = selection_ref,
                                                .unref = selection_unref,
                                                .pool = GW_POOL_rbac};

static struct gw_rbac_selection *
selection_new(struct gw_str text, unsigned roles, struct gw_rbac_shelf *taken)
{
    struct gw_rbac_selection *s = gw_mem_alloc(sizeof(*s) + text.n + 1);
    char *copy = (char *)(s + 1);

    gw_pool_joined(GW_POOL_rbac, s);
    memcpy(copy, text.p, text.n);
    atomic_init(&s->refs, 1);
    s->roles = roles;
    s->key = (struct gw_str){copy, text.n};
    s->taken = taken;
    return s;
}

/* Those of the templates that a text takes in; a reference. */
static struct gw_rbac_shelf *
take(struct gw_str text, const struct gw_rbac_shelf *of)
{
    json_t *gather = json_loadb(text.p, text.n, 0, NULL);
    struct gw_rbac_shelf *s = shelf_new(of == NULL ? 0 : of->n);

    assert(gather != NULL); /* we have written it */
    for (unsigned i = 0; of != NULL && i < of->n; i++) {
        struct gw_rbac_role *t = of->list[i];

        if (gw_rbac_gather_takes(gather, t->object.name, t->labels, t->n_labels)) {
            shelf_add(s, t);
        }
    }
    json_decref(gather);
    return s;
}

void
gw_rbac_selection_count(struct gw_trie *selections, struct gw_str text, int more,
                        const struct gw_rbac_shelf *of)
{
    const struct gw_rbac_selection *old = gw_trie_get(selections, text);
    unsigned roles = (unsigned)((int)(old == NULL ? 0 : old->roles) + more);
    struct gw_rbac_shelf *taken;

    if (roles == 0) {
        gw_trie_drop(selections, text);
        return;
    }
    if (old == NULL) {
        taken = take(text, of);
    } else {
        taken = old->taken;
        (void)gw_piece_ref(&taken->piece);
    }
    gw_trie_put(selections, selection_new(text, roles, taken));
}

struct anew {
    struct gw_trie next;
    const struct gw_rbac_shelf *of;
};

static void
make_anew(void *value, void *arg)
{
    const struct gw_rbac_selection *s = value;
    struct anew *a = arg;

    gw_trie_put(&a->next, selection_new(s->key, s->roles, take(s->key, a->of)));
}

void
gw_rbac_selection_all(struct gw_trie *selections, const struct gw_rbac_shelf *of)
{
    struct anew a = {.next = {.kind = selections->kind}, .of = of};

    gw_trie_each(selections, make_anew, &a);
    gw_trie_fini(selections);
    *selections = a.next;
}
