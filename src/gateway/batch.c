/* batch.c - objects compiled once, on the control thread, into what the workers' views take. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/refs.h"
#include "gateway/claimed.h"
#include "gateway/worlds.h"

struct gw_piece *
gw_piece_ref(struct gw_piece *p)
{
    gw_refs_take(&p->refs);
    return p;
}

void
gw_piece_unref(struct gw_piece *p)
{
    if (p != NULL && gw_refs_drop(&p->refs)) {
        p->free(p);
    }
}

void
gw_piece_let_go(void *piece)
{
    gw_piece_unref(piece);
}

/* Is "group/Kind" what the key "group/Kind/ns/name" begins with? */
static bool
key_is_of(const char *key, const char *kind)
{
    size_t n = strlen(kind);

    return strncmp(key, kind, n) == 0 && key[n] == '/';
}

static bool
view_wants(const struct gw_view *view, const char *key)
{
    for (const char *const *k = view->kinds; *k != NULL; k++) {
        if (key_is_of(key, *k)) {
            return true;
        }
    }
    return false;
}

static void
add_item(struct gw_batch *b, size_t *size, struct gw_batch_item item)
{
    b->items = gw_mem_room(b->items, b->n, size, sizeof(*b->items));
    b->items[b->n++] = item;
}

static struct gw_piece *
compile(const struct gw_view *view, const struct gw_object *o, struct gw_diag *diag)
{
    json_t *json = gw_object_json(o);
    struct gw_piece *piece = view->compile(o->kind, json, NULL, diag);

    json_decref(json);
    return piece;
}

static struct gw_piece *
compile_one(const struct gw_view *view, const struct gw_change *c, struct gw_diag *diag)
{
    struct gw_diag own = {0};
    struct gw_buf all = {0};
    struct gw_piece *piece = compile(view, c->object, diag == NULL ? &own : diag);

    for (size_t i = 0; i < own.n; i++) {
        gw_buf_printf(&all, "%s%s", i == 0 ? "" : "; ", own.findings[i].text);
    }
    if (own.n > 0) {
        gw_object_note(c->object, own.errors > 0, all.p);
    }
    gw_buf_fini(&all);
    for (size_t i = 0; i < own.n; i++) {
        bool bad = own.findings[i].severity == GW_ERROR;

        gw_log_line(bad ? GW_LOG_ERROR : GW_LOG_WARN, "object %s%s: %s", c->key,
                    bad ? " is not used" : "", own.findings[i].text);
    }
    gw_diag_fini(&own);
    return piece;
}

/* One piece of all objects? */
static bool
makes_one(const struct gw_view *view)
{
    return view->gather != NULL || view->next != NULL;
}

static void
compile_change(struct gw_batch *b, size_t *size, const struct gw_change *c, struct gw_diag *diag)
{
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            if (!makes_one(*v) && view_wants(*v, c->key)) {
                add_item(b, size,
                         c->object == NULL
                             ? (struct gw_batch_item){.view = *v, .key = gw_mem_strdup(c->key)}
                             : (struct gw_batch_item){.view = *v,
                                                      .key = c->object->key,
                                                      .piece = compile_one(*v, c, diag),
                                                      .object = gw_object_ref(c->object)});
            }
        }
    }
}

/* -- what is gathered -------------------------------------------------------------------------- */

#define GATHERED_MAX 4 /* views that do so */

struct gw_gathered {
    struct {
        const struct gw_view *view;
        struct gw_piece *piece;
    } list[GATHERED_MAX];
    size_t n;
    struct gw_claim_index *claims;
};

struct gw_gathered *
gw_gathered_new(void)
{
    struct gw_gathered *g = gw_mem_alloc(sizeof(*g));

    g->claims = gw_claim_index_new();
    return g;
}

void
gw_gathered_free(struct gw_gathered *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->n; i++) {
        gw_piece_unref(g->list[i].piece);
    }
    gw_claim_index_free(g->claims);
    free(g);
}

struct gw_claim_index *
gw_gathered_claims(struct gw_gathered *g)
{
    return g->claims;
}

/* Where the view's piece is kept. */
static struct gw_piece **
place_of(struct gw_gathered *g, const struct gw_view *view)
{
    size_t i = 0;

    while (i < g->n && g->list[i].view != view) {
        i++;
    }
    if (i == g->n) {
        assert(i < GATHERED_MAX);
        g->list[g->n++].view = view;
    }
    return &g->list[i].piece;
}

static void
add_piece(struct gw_pieces *to, struct gw_piece *p)
{
    if (p == NULL) {
        return;
    }
    to->list = gw_mem_room(to->list, to->n, &to->size, sizeof(struct gw_piece *));
    to->list[to->n++] = p;
}

static void
free_pieces(struct gw_pieces *p)
{
    for (size_t i = 0; i < p->n; i++) {
        gw_piece_unref(p->list[i]);
    }
    free(p->list);
}

static bool
collect(const struct gw_view *view, const struct gw_change *changes, size_t n,
        struct gw_pieces *gone, struct gw_pieces *come, struct gw_diag *diag)
{
    struct gw_diag said = {0}; /* of what stood there, when it came */
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        const struct gw_change *c = &changes[i];

        if (!view_wants(view, c->key)) {
            continue;
        }
        any = true;
        if (c->before != NULL) {
            add_piece(gone, compile(view, c->before, &said));
        }
        if (c->object != NULL) {
            add_piece(come, compile_one(view, c, diag));
        }
    }
    gw_diag_fini(&said);
    return any;
}

/* The view's new piece, or NULL when there is nothing new for it. */
static struct gw_piece *
gather(const struct gw_view *view, struct gw_piece *before, bool reset,
       const struct gw_change *changes, size_t n, struct gw_diag *diag)
{
    struct gw_pieces gone = {0};
    struct gw_pieces come = {0};
    struct gw_piece *all = collect(view, changes, n, &gone, &come, diag) || reset
                               ? view->gather(before, &gone, &come)
                               : NULL;

    free_pieces(&gone);
    free_pieces(&come);
    return all;
}

/* The same, of a view that knows its objects by their keys. */
static struct gw_piece *
next(const struct gw_view *view, struct gw_piece *before, bool reset,
     const struct gw_change *changes, size_t n, struct gw_diag *diag)
{
    struct gw_put *puts = gw_mem_alloc(n * sizeof(*puts));
    size_t n_puts = 0;

    for (size_t i = 0; i < n; i++) {
        const struct gw_change *c = &changes[i];

        if (view_wants(view, c->key)) {
            puts[n_puts++] = (struct gw_put){
                .key = c->key, .piece = c->object == NULL ? NULL : compile_one(view, c, diag)};
        }
    }
    struct gw_piece *all = n_puts > 0 || reset ? view->next(before, puts, n_puts) : NULL;
    for (size_t i = 0; i < n_puts; i++) {
        gw_piece_unref(puts[i].piece);
    }
    free(puts);
    return all;
}

static void
make_one(struct gw_batch *b, size_t *size, struct gw_gathered *g, const struct gw_view *view,
         const struct gw_change *changes, size_t n, struct gw_diag *diag)
{
    struct gw_piece **kept = place_of(g, view);
    struct gw_piece *before = b->reset ? NULL : *kept;
    struct gw_piece *all =
        (view->next != NULL ? next : gather)(view, before, b->reset, changes, n, diag);

    if (all != NULL) {
        add_item(b, size,
                 (struct gw_batch_item){.view = view,
                                        .key = gw_mem_strdup(""),
                                        .piece = gw_piece_ref(all),
                                        .before = *kept});
        *kept = all;
    }
}

static void
gather_all(struct gw_batch *b, size_t *size, struct gw_gathered *g, const struct gw_change *changes,
           size_t n, struct gw_diag *diag)
{
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            if (makes_one(*v)) {
                make_one(b, size, g, *v, changes, n, diag);
            }
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */

struct gw_batch *
gw_batch_compile(struct gw_gathered *g, const struct gw_change *changes, size_t n,
                 uint64_t revision, bool reset, struct gw_diag *diag)
{
    struct gw_batch *b = gw_mem_alloc(sizeof(*b));
    struct gw_gathered *once = g == NULL ? gw_gathered_new() : NULL;
    struct gw_gathered *kept = g == NULL ? once : g;
    struct gw_claimed claimed;
    size_t size = 0;

    atomic_init(&b->refs, 1);
    b->revision = revision;
    b->changes = n;
    b->reset = reset;
    b->known = true;
    gw_claimed_take(&claimed, kept->claims, changes, n, revision, diag);
    b->retired = claimed.retired;
    b->n_retired = claimed.n_retired;
    for (size_t i = 0; i < claimed.n; i++) {
        compile_change(b, &size, &claimed.changes[i], diag);
    }
    gather_all(b, &size, kept, claimed.changes, claimed.n, diag);
    gw_claimed_fini(&claimed);
    gw_gathered_free(once);
    return b;
}

struct gw_batch *
gw_batch_ref(struct gw_batch *b)
{
    gw_refs_take(&b->refs);
    return b;
}

static void
free_item(struct gw_batch_item *item)
{
    union {
        const char *given;
        char *own;
    } key = {item->key};

    gw_piece_unref(item->piece);
    gw_piece_unref(item->before);
    if (item->object == NULL) {
        free(key.own);
    }
    gw_object_unref(item->object);
}

void
gw_batch_unref(struct gw_batch *b)
{
    if (b == NULL || !gw_refs_drop(&b->refs)) {
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        free_item(&b->items[i]);
    }
    for (size_t i = 0; i < b->n_retired; i++) {
        gw_object_hold_free(b->retired[i]);
    }
    free(b->retired);
    free(b->items);
    free(b);
}

void
gw_views_check(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
               struct gw_diag *diag)
{
    char name[256];

    (void)snprintf(name, sizeof(name), "%s/%s/", kind->group, kind->kind);
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            if (view_wants(*v, name)) {
                gw_piece_unref((*v)->compile(kind, json, source, diag));
            }
        }
    }
}
