#include "registry/claim_index.h"

#include <stdlib.h>

#include "base/mem.h"
#include "registry/claim_index_private.h"

/* ---- in and out ----------------------------------------------------------------------------- */

struct gw_claim_index *
gw_claim_index_new(void)
{
    struct gw_claim_index *x = gw_mem_alloc(sizeof(*x));

    x->holders = gw_map_of_values();
    x->round = 1;
    return x;
}

static void
free_holder(void *p)
{
    struct gw_claim_holder *h = p;

    gw_claims_free(h->claims);
    gw_object_unref(h->told);
    free(h->name);
    free(h);
}

void
gw_claim_index_free(struct gw_claim_index *x)
{
    if (x == NULL) {
        return;
    }
    gw_claim_tree_fini(&x->tree);
    gw_map_free(x->holders, free_holder);
    gw_claim_queue_fini(&x->queue);
    free(x);
}

static void
add_marks(struct gw_claim_index *x, struct gw_claim_holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_add(&x->tree, &h->marks[i], false);
    }
}

static void
remove_marks(struct gw_claim_index *x, struct gw_claim_holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_remove(&x->tree, &h->marks[i]);
    }
}

/* Those that leave come in no order.  So all that are held are woken, once: who comes later waits
 * anyway. */
static void
stir(void *arg, struct gw_claim_group *g)
{
    struct gw_claim_index *x = arg;

    if (g->stirred != x->round) {
        g->stirred = x->round;
        for (struct gw_claim_mark *m = g->held; m != NULL; m = m->next) {
            struct gw_claim_holder *h = m->owner;

            gw_claim_queue_add(&x->queue, &h->wait);
        }
    }
}

/* What it had may be another one's now.  Between settlings. */
static void
stir_those_held(struct gw_claim_index *x, const struct gw_claim_holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_meet(&x->tree, &h->claims->list[i], stir, x);
    }
}

/* Out of everything but memory. */
static void
leave(struct gw_claim_index *x, struct gw_claim_holder *h)
{
    if (h->live) {
        stir_those_held(x, h);
    }
    gw_claim_queue_remove(&x->queue, &h->wait);
    remove_marks(x, h);
}

void
gw_claim_index_take(struct gw_claim_index *x, const char *key)
{
    struct gw_claim_holder *h = gw_map_take(x->holders, gw_str_of(key));

    if (h != NULL) {
        leave(x, h);
        free_holder(h);
    }
}

static struct gw_claim_holder *
new_holder(struct gw_claims *claims)
{
    struct gw_claim_holder *h = gw_mem_alloc(sizeof(*h) + claims->n * sizeof(*h->marks));

    h->claims = claims;
    h->wait = (struct gw_claim_wait){.claims = claims, .owner = h};
    h->put = true;
    for (size_t i = 0; i < claims->n; i++) {
        h->marks[i] = (struct gw_claim_mark){.claim = &claims->list[i], .owner = h};
    }
    return h;
}

/* name: the caller's; NULL: its key. */
static void
put_under(struct gw_claim_index *x, const char *name, struct gw_object *o, bool from_file)
{
    struct gw_claims *claims = gw_claims_read(o, from_file);
    struct gw_claim_holder *old = gw_map_take(x->holders, gw_str_of(name == NULL ? o->key : name));
    struct gw_claim_holder *h = claims == NULL ? NULL : new_holder(claims);

    if (old != NULL) {
        leave(x, old);
    }
    if (h != NULL) {
        h->was_held = old != NULL && (old->put ? old->was_held : !old->live);
        h->told = old == NULL || old->told == NULL ? NULL : gw_object_ref(old->told);
        h->name = gw_mem_strdup(name);
        (void)gw_map_put(x->holders, gw_str_of(name == NULL ? o->key : h->name), h);
        add_marks(x, h); /* not live until it is its turn */
        gw_claim_queue_add(&x->queue, &h->wait);
    }
    if (old != NULL) {
        free_holder(old);
    }
}

void
gw_claim_index_put(struct gw_claim_index *x, struct gw_object *o, bool from_file)
{
    put_under(x, NULL, o, from_file);
}

void
gw_claim_index_put_as(struct gw_claim_index *x, const char *name, struct gw_object *o)
{
    put_under(x, name, o, false);
}

const struct gw_claims *
gw_claim_index_get(const struct gw_claim_index *x, const char *key)
{
    const struct gw_claim_holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h == NULL ? NULL : h->claims;
}

bool
gw_claim_index_is_held(const struct gw_claim_index *x, const char *key)
{
    const struct gw_claim_holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h != NULL && !h->live;
}

bool
gw_claim_index_is_open(const struct gw_claim_index *x, const char *key)
{
    const struct gw_claim_holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h != NULL && h->put;
}

/* ---- what would meet ------------------------------------------------------------------------ */

struct meeting {
    bool (*counts)(void *arg, const struct gw_claims *other);
    void *arg;
    const struct gw_claims *first;
};

static void
note_met_of(struct meeting *q, const struct gw_claim_mark *m)
{
    for (; m != NULL; m = m->next) {
        const struct gw_claims *other = ((const struct gw_claim_holder *)m->owner)->claims;

        if ((q->first == NULL || gw_claims_order(other, q->first) < 0) &&
            q->counts(q->arg, other)) {
            q->first = other;
        }
    }
}

static void
note_met(void *arg, struct gw_claim_group *g)
{
    note_met_of(arg, g->live);
    note_met_of(arg, g->held);
}

const struct gw_claims *
gw_claim_index_meet(const struct gw_claim_index *x, const struct gw_claims *claims,
                    bool (*counts)(void *arg, const struct gw_claims *other), void *arg)
{
    struct meeting q = {.counts = counts, .arg = arg};

    for (size_t i = 0; i < claims->n; i++) {
        gw_claim_tree_meet(&x->tree, &claims->list[i], note_met, &q);
    }
    return q.first;
}

/* ---- objects that are nowhere yet ----------------------------------------------------------- */

static void
warn_of(void *arg, const struct gw_claim_turn *t)
{
    struct gw_buf why = {0};

    gw_claims_say(&why, t->claims, t->winner, true); /* all are new: who is told is held */
    gw_diag_warn(arg, (struct gw_place){0}, "%s \"%s\": %s", t->claims->object->kind->kind,
                 t->claims->object->name, why.p);
    gw_buf_fini(&why);
}

void
gw_claim_index_warn(struct gw_object *const *objects, size_t n, struct gw_diag *diag)
{
    struct gw_claim_index *x = gw_claim_index_new();

    for (size_t i = 0; i < n; i++) {
        gw_claim_index_put(x, objects[i], false);
    }
    gw_claim_index_settle(x, warn_of, diag);
    gw_claim_index_free(x);
}
