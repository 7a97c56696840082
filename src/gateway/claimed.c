#include "gateway/claimed.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

static void
retire(struct gw_claimed *c, struct gw_object_hold *hold)
{
    if (hold == NULL) {
        return;
    }
    c->retired =
        gw_mem_room(c->retired, c->n_retired, &c->size_retired, sizeof(struct gw_object_hold *));
    c->retired[c->n_retired++] = hold;
}

/* One that nobody has written: its change is ours. */
static void
note_turned(struct gw_claimed *c, struct gw_object *o)
{
    c->turned = gw_mem_room(c->turned, c->n_turned, &c->size_turned, sizeof(struct gw_object *));
    c->turned[c->n_turned++] = gw_object_ref(o);
}

static void
say(const struct gw_claimed *c, const struct gw_claim_turn *t, const char *why)
{
    const char *key = t->claims->object->key;

    if (t->winner == NULL && c->diag == NULL) {
        gw_log_info("object %s is used again: nobody else claims what it does", key);
    } else if (t->winner != NULL && c->diag != NULL) {
        gw_diag_warn(c->diag, (struct gw_place){0}, "object %s is not used: %s", key, why);
    } else if (t->winner != NULL && (t->other_winner || !t->was_held)) {
        gw_log_error("object %s is not used: %s", key, why);
    }
}

static void
on_turned(void *arg, const struct gw_claim_turn *t)
{
    struct gw_claimed *c = arg;
    struct gw_object *o = t->claims->object;
    bool own = t->winner == t->claims; /* an object that held itself would live for ever */
    struct gw_buf named = {0};
    struct gw_buf unnamed = {0};

    if (t->winner != NULL) {
        gw_claims_say(&named, t->claims, t->winner, true);
        gw_claims_say(&unnamed, t->claims, t->winner, false);
    }
    retire(c, gw_object_set_hold(o, own || t->winner == NULL ? NULL : t->winner->object, named.p,
                                 unnamed.p));
    say(c, t, named.p);
    if (!t->put && t->was_held != (t->winner != NULL)) {
        note_turned(c, o);
    }
    gw_buf_fini(&named);
    gw_buf_fini(&unnamed);
}

static bool
any_claims(const struct gw_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gw_claims_of_key(changes[i].key)) {
            return true;
        }
    }
    return false;
}

/* What stood there is nothing to the views when it was held.  If it came with this batch, that is
 * not known yet: later[i]. */
static void
take_in(struct gw_claimed *c, struct gw_claim_index *x, bool *later)
{
    for (size_t i = 0; i < c->n; i++) {
        struct gw_change *change = &c->own[i];

        if (!gw_claims_of_key(change->key)) {
            continue;
        }
        later[i] = gw_claim_index_is_open(x, change->key);
        if (!later[i] && gw_claim_index_is_held(x, change->key)) {
            change->before = NULL;
        }
        if (change->object != NULL) {
            /* one that was here before, as when a file has stood in its place */
            retire(c, gw_object_set_hold(change->object, NULL, NULL, NULL));
            gw_claim_index_put(x, change->object, change->from_file);
        } else {
            gw_claim_index_take(x, change->key);
        }
    }
}

static void
hide_held(struct gw_claimed *c, const struct gw_claim_index *x, const bool *later)
{
    for (size_t i = 0; i < c->n; i++) {
        struct gw_change *change = &c->own[i];

        if (gw_claims_of_key(change->key) && gw_claim_index_is_held(x, change->key)) {
            change->object = NULL;
            change->before = later[i] ? NULL : change->before;
        }
    }
}

static void
add_turned(struct gw_claimed *c, const struct gw_claim_index *x, uint64_t revision)
{
    c->own = gw_mem_resize(c->own, (c->n + c->n_turned + 1) * sizeof(*c->own));
    for (size_t i = 0; i < c->n_turned; i++) {
        struct gw_object *o = c->turned[i];
        bool held = gw_claim_index_is_held(x, o->key);

        c->own[c->n++] = (struct gw_change){.key = o->key,
                                            .object = held ? NULL : o,
                                            .before = held ? o : NULL,
                                            .revision = revision};
    }
}

void
gw_claimed_take(struct gw_claimed *c, struct gw_claim_index *x, const struct gw_change *changes,
                size_t n, uint64_t revision, struct gw_diag *diag)
{
    *c = (struct gw_claimed){.changes = changes, .n = n, .diag = diag};
    if (!any_claims(changes, n)) {
        return;
    }
    bool *later = gw_mem_alloc(n * sizeof(*later));
    c->own = gw_mem_alloc(n * sizeof(*c->own));
    memcpy(c->own, changes, n * sizeof(*c->own));
    take_in(c, x, later);
    gw_claim_index_settle(x, on_turned, c);
    hide_held(c, x, later);
    add_turned(c, x, revision);
    c->changes = c->own;
    free(later);
}

void
gw_claimed_fini(struct gw_claimed *c)
{
    for (size_t i = 0; i < c->n_turned; i++) {
        gw_object_unref(c->turned[i]);
    }
    free(c->turned);
    free(c->own);
}
