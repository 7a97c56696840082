/*
 * claim_index.c - the objects that changes concern are settled in their order, from a heap: when it
 * is an object's turn, all that come before it are as they will be.  One whose state turns puts
 * those behind it that it meets on the heap.
 */
#include "registry/claim_index.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/claim_tree.h"

struct holder {
    struct gw_claims *claims;
    char *name;             /* owned; NULL: the object's key */
    struct gw_object *told; /* the winner that was told last: a reference; NULL: none */
    size_t at;              /* on the heap, if it waits there */
    bool live;              /* has what it claims; not until it was settled */
    bool waits;
    bool put;      /* since the last time */
    bool was_held; /* the one whose place it took */
    struct gw_claim_mark marks[];
};

struct gw_claim_index {
    struct gw_map *holders; /* by name or key, which are theirs */
    struct gw_claim_tree tree;
    struct holder **heap; /* the first in order is at 0 */
    size_t n_heap, size_heap;
    uint64_t round; /* the number of the last settling, and of what was done since */
};

/* ---- the heap ------------------------------------------------------------------------------- */

static bool
comes_before(const struct holder *a, const struct holder *b)
{
    return gw_claims_order(a->claims, b->claims) < 0;
}

static void
place(struct gw_claim_index *x, size_t at, struct holder *h)
{
    x->heap[at] = h;
    h->at = at;
}

static void
rise(struct gw_claim_index *x, struct holder *h, size_t at)
{
    for (; at > 0 && comes_before(h, x->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        place(x, at, x->heap[(at - 1) / 2]);
    }
    place(x, at, h);
}

static void
sink(struct gw_claim_index *x, struct holder *h, size_t at)
{
    for (size_t child = 2 * at + 1; child < x->n_heap; child = 2 * at + 1) {
        if (child + 1 < x->n_heap && comes_before(x->heap[child + 1], x->heap[child])) {
            child++;
        }
        if (!comes_before(x->heap[child], h)) {
            break;
        }
        place(x, at, x->heap[child]);
        at = child;
    }
    place(x, at, h);
}

static void
push(struct gw_claim_index *x, struct holder *h)
{
    if (h->waits) {
        return;
    }
    if (x->n_heap == x->size_heap) {
        x->size_heap = x->size_heap == 0 ? 16 : x->size_heap * 2;
        x->heap = gw_mem_resize(x->heap, x->size_heap * sizeof(struct holder *));
    }
    h->waits = true;
    rise(x, h, x->n_heap++);
}

static void
unheap(struct gw_claim_index *x, struct holder *h)
{
    struct holder *last = NULL;

    if (!h->waits) {
        return;
    }
    h->waits = false;
    last = x->heap[--x->n_heap];
    if (last == h) {
        return;
    }
    if (comes_before(last, h)) {
        rise(x, last, h->at);
    } else {
        sink(x, last, h->at);
    }
}

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
    struct holder *h = p;

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
    free(x->heap);
    free(x);
}

static void
add_marks(struct gw_claim_index *x, struct holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_add(&x->tree, &h->marks[i], false);
    }
}

static void
remove_marks(struct gw_claim_index *x, struct holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_remove(&x->tree, &h->marks[i]);
    }
}

struct waking {
    struct gw_claim_index *x;
    const struct holder *by;
};

static void
wake_list(const struct waking *w, struct gw_claim_mark *m)
{
    for (; m != NULL; m = m->next) {
        struct holder *h = m->owner;

        if (h != w->by && comes_before(w->by, h)) {
            push(w->x, h);
        }
    }
}

/* Whoever was settled before in this round comes before us, so those behind us that are equal to
 * some whom that one has woken wait already. */
static void
wake(void *arg, struct gw_claim_group *g)
{
    const struct waking *w = arg;

    if (g->woken != w->x->round) {
        g->woken = w->x->round;
        wake_list(w, g->live);
        wake_list(w, g->held);
    }
}

/* Those behind it that it meets have to be looked at again.  While settling. */
static void
wake_those_behind(struct gw_claim_index *x, const struct holder *h)
{
    struct waking w = {x, h};

    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_meet(&x->tree, &h->claims->list[i], wake, &w);
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
            push(x, m->owner);
        }
    }
}

/* What it had may be another one's now.  Between settlings. */
static void
stir_those_held(struct gw_claim_index *x, const struct holder *h)
{
    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_meet(&x->tree, &h->claims->list[i], stir, x);
    }
}

/* Out of everything but memory. */
static void
leave(struct gw_claim_index *x, struct holder *h)
{
    if (h->live) {
        stir_those_held(x, h);
    }
    unheap(x, h);
    remove_marks(x, h);
}

void
gw_claim_index_take(struct gw_claim_index *x, const char *key)
{
    struct holder *h = gw_map_take(x->holders, gw_str_of(key));

    if (h != NULL) {
        leave(x, h);
        free_holder(h);
    }
}

static struct holder *
new_holder(struct gw_claims *claims)
{
    struct holder *h = gw_mem_alloc(sizeof(*h) + claims->n * sizeof(*h->marks));

    h->claims = claims;
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
    struct holder *old = gw_map_take(x->holders, gw_str_of(name == NULL ? o->key : name));
    struct holder *h = claims == NULL ? NULL : new_holder(claims);

    if (old != NULL) {
        leave(x, old);
    }
    if (h != NULL) {
        h->was_held = old != NULL && (old->put ? old->was_held : !old->live);
        h->told = old == NULL || old->told == NULL ? NULL : gw_object_ref(old->told);
        h->name = gw_mem_strdup(name);
        (void)gw_map_put(x->holders, gw_str_of(name == NULL ? o->key : h->name), h);
        add_marks(x, h); /* not live until it is its turn */
        push(x, h);
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
    const struct holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h == NULL ? NULL : h->claims;
}

bool
gw_claim_index_is_held(const struct gw_claim_index *x, const char *key)
{
    const struct holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h != NULL && !h->live;
}

bool
gw_claim_index_is_open(const struct gw_claim_index *x, const char *key)
{
    const struct holder *h = gw_map_get(x->holders, gw_str_of(key));

    return h != NULL && h->put;
}

/* ---- who has what --------------------------------------------------------------------------- */

struct search {
    const struct holder *whose;
    struct holder *first;
};

static void
consider(struct search *s, struct holder *h)
{
    if (h != s->whose && comes_before(h, s->whose) &&
        (s->first == NULL || comes_before(h, s->first))) {
        s->first = h;
    }
}

static void
note_winner(void *arg, struct gw_claim_group *g)
{
    for (const struct gw_claim_mark *m = g->live; m != NULL; m = m->next) {
        consider(arg, m->owner);
    }
}

/* Over one of its claims.  Who wins over one that comes before it, by an equal claim, wins over it,
 * too: nothing before that one has changed since it was settled. */
static struct holder *
winner_by(const struct gw_claim_index *x, const struct holder *h, const struct gw_claim_mark *m)
{
    struct gw_claim_group *g = m->group;
    struct search s = {.whose = h};

    if (g->asked == x->round) {
        return g->winner;
    }
    gw_claim_tree_meet(&x->tree, m->claim, note_winner, &s);
    if (s.first != NULL) {
        g->asked = x->round;
        g->winner = s.first;
    }
    return s.first;
}

/* Of those before it that have what they claim, the first that meets it; or NULL. */
static struct holder *
winner_over(const struct gw_claim_index *x, const struct holder *h)
{
    struct search s = {.whose = h};

    for (size_t i = 0; i < h->claims->n; i++) {
        struct holder *winner = winner_by(x, h, &h->marks[i]);

        if (winner != NULL) {
            consider(&s, winner);
        }
    }
    return s.first;
}

static void
turn(struct gw_claim_index *x, struct holder *h, bool live)
{
    if (live != h->live) {
        h->live = live;
        for (size_t i = 0; i < h->claims->n; i++) {
            gw_claim_tree_move(&h->marks[i], live);
        }
        wake_those_behind(x, h);
    }
}

static void
settle_one(struct gw_claim_index *x, struct holder *h,
           void (*turned)(void *arg, const struct gw_claim_turn *t), void *arg)
{
    const struct holder *winner = h->claims->too_many ? h : winner_over(x, h);
    struct gw_object *object = winner == NULL ? NULL : winner->claims->object;
    struct gw_claim_turn t = {
        .claims = h->claims,
        .winner = winner == NULL ? NULL : winner->claims,
        .was_held = h->put ? h->was_held : !h->live,
        .other_winner =
            winner != NULL && (h->told == NULL || strcmp(h->told->key, object->key) != 0),
        .put = h->put,
    };
    bool other = winner == NULL ? h->told != NULL : h->told == NULL || object != h->told;
    bool tell = other || t.was_held != (winner != NULL) || (h->put && winner != NULL);

    turn(x, h, winner == NULL);
    if (other) {
        gw_object_unref(h->told);
        h->told = winner == NULL ? NULL : gw_object_ref(object);
    }
    h->put = false;
    if (tell) {
        turned(arg, &t);
    }
}

void
gw_claim_index_settle(struct gw_claim_index *x,
                      void (*turned)(void *arg, const struct gw_claim_turn *t), void *arg)
{
    x->round++;
    while (x->n_heap > 0) {
        struct holder *h = x->heap[0];

        unheap(x, h);
        settle_one(x, h, turned, arg);
    }
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
        const struct gw_claims *other = ((const struct holder *)m->owner)->claims;

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
