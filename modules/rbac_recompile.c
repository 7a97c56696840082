#include "modules/rbac_recompile.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

static void
add(struct gw_rbac_recompile *r, struct gw_rbac_binding *b, bool comes)
{
    for (unsigned i = 0; i < b->n_subjects; i++) {
        const struct gw_rbac_subject *s = &b->subjects[i];

        if (s->who == GW_RBAC_NOBODY) {
            continue;
        }
        r->edits = gw_mem_room(r->edits, r->n, &r->size, sizeof(*r->edits));
        (void)gw_piece_ref(&b->object.piece); /* also of one that goes: it is compared until then */
        r->edits[r->n] = (struct gw_rbac_edit){.hash = gw_hash(gw_str_of(s->match)),
                                               .name = s->match,
                                               .binding = b,
                                               .number = (unsigned)r->n,
                                               .group = s->who == GW_RBAC_GROUP,
                                               .comes = comes};
        r->n++;
    }
}

void
gw_rbac_recompile_without(struct gw_rbac_recompile *r, struct gw_rbac_binding *b)
{
    add(r, b, false);
}

void
gw_rbac_recompile_with(struct gw_rbac_recompile *r, struct gw_rbac_binding *b)
{
    add(r, b, true);
}

/* ---- order -------------------------------------------------------------------------------- */

static int
by_who(const struct gw_rbac_edit *x, const struct gw_rbac_edit *y)
{
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->group != y->group ? x->group - y->group : strcmp(x->name, y->name);
}

/* By subject, binding and time: what is about the same stands together, the last word at the end.
 */
static int
by_all(const void *a, const void *b)
{
    const struct gw_rbac_edit *x = a;
    const struct gw_rbac_edit *y = b;
    int c = by_who(x, y);

    c = c != 0 ? c : gw_rbac_holder_order(x->binding, y->binding);
    if (c == 0 && x->binding != y->binding) { /* the same name, before and after */
        c = (uintptr_t)x->binding < (uintptr_t)y->binding ? -1 : 1;
    }
    return c != 0 ? c : (x->number > y->number) - (x->number < y->number);
}

/* ---- new holders -------------------------------------------------------------------------- */

/* Sorts the edits of one subject into what goes and what comes; the last word about each. */
static void
divide(const struct gw_rbac_edit *edits, size_t n, struct gw_rbac_bindings *gone,
       struct gw_rbac_bindings *come)
{
    gone->n = 0;
    come->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && edits[i + 1].binding == edits[i].binding) {
            continue; /* or the binding names the subject twice */
        }
        struct gw_rbac_bindings *to = edits[i].comes ? come : gone;

        to->list[to->n++] = edits[i].binding;
    }
}

static void
replace(struct gw_trie *trie, const struct gw_rbac_edit *who, const struct gw_rbac_bindings *gone,
        const struct gw_rbac_bindings *come)
{
    struct gw_str name = gw_str_of(who->name);
    struct gw_rbac_holder *next =
        gw_rbac_holder_next(gw_trie_find(trie, name, who->hash), name, gone, come);

    if (next == NULL) {
        gw_trie_drop(trie, name);
    } else {
        gw_trie_put(trie, next);
    }
}

void
gw_rbac_recompile_finish(struct gw_rbac_recompile *r, struct gw_trie *users, struct gw_trie *groups)
{
    const size_t entry = sizeof(const struct gw_rbac_binding *);
    struct gw_rbac_bindings gone = {.list = gw_mem_alloc(r->n * entry)};
    struct gw_rbac_bindings come = {.list = gw_mem_alloc(r->n * entry)};

    if (r->n > 0) {
        qsort(r->edits, r->n, sizeof(*r->edits), by_all);
    }
    for (size_t i = 0, end; i < r->n; i = end) {
        const struct gw_rbac_edit *who = &r->edits[i];

        for (end = i + 1; end < r->n && by_who(&r->edits[end], who) == 0;) {
            end++;
        }
        divide(who, end - i, &gone, &come);
        replace(who->group ? groups : users, who, &gone, &come);
    }
    for (size_t i = 0; i < r->n; i++) {
        gw_piece_unref(&r->edits[i].binding->object.piece);
    }
    free(gone.list);
    free(come.list);
    free(r->edits);
    *r = (struct gw_rbac_recompile){0};
}
