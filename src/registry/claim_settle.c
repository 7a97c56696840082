/*
 * claim_settle.c - the objects that changes concern are settled in their order, from a queue: when
 * it is an object's turn, all that come before it are as they will be.  One whose state turns puts
 * those behind it that it meets into the queue.
 */
#include <string.h>

#include "registry/claim_index_private.h"

static bool
comes_before(const struct gw_claim_holder *a, const struct gw_claim_holder *b)
{
    return gw_claims_order(a->claims, b->claims) < 0;
}

/* ---- who wins over it ----------------------------------------------------------------------- */

struct search {
    const struct gw_claim_holder *whose;
    struct gw_claim_holder *first;
};

static void
consider(struct search *s, struct gw_claim_holder *h)
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
static struct gw_claim_holder *
winner_by(const struct gw_claim_index *x, const struct gw_claim_holder *h,
          const struct gw_claim_mark *m)
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
static struct gw_claim_holder *
winner_over(const struct gw_claim_index *x, const struct gw_claim_holder *h)
{
    struct search s = {.whose = h};

    for (size_t i = 0; i < h->claims->n; i++) {
        struct gw_claim_holder *winner = winner_by(x, h, &h->marks[i]);

        if (winner != NULL) {
            consider(&s, winner);
        }
    }
    return s.first;
}

/* ---- who is behind it ----------------------------------------------------------------------- */

struct waking {
    struct gw_claim_index *x;
    const struct gw_claim_holder *by;
};

static void
wake_list(const struct waking *w, struct gw_claim_mark *m)
{
    for (; m != NULL; m = m->next) {
        struct gw_claim_holder *h = m->owner;

        if (h != w->by && comes_before(w->by, h)) {
            gw_claim_queue_add(&w->x->queue, &h->wait);
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
wake_those_behind(struct gw_claim_index *x, const struct gw_claim_holder *h)
{
    struct waking w = {x, h};

    for (size_t i = 0; i < h->claims->n; i++) {
        gw_claim_tree_meet(&x->tree, &h->claims->list[i], wake, &w);
    }
}

/* ---- its turn ------------------------------------------------------------------------------- */

static void
turn(struct gw_claim_index *x, struct gw_claim_holder *h, bool live)
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
settle_one(struct gw_claim_index *x, struct gw_claim_holder *h,
           void (*turned)(void *arg, const struct gw_claim_turn *t), void *arg)
{
    const struct gw_claim_holder *winner = h->claims->too_many ? h : winner_over(x, h);
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
    for (struct gw_claim_holder *h = gw_claim_queue_take(&x->queue); h != NULL;
         h = gw_claim_queue_take(&x->queue)) {
        settle_one(x, h, turned, arg);
    }
}
