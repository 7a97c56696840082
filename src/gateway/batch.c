/* batch.c - objects compiled once, on the control thread, into what the workers' views take. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/worlds.h"

struct gw_piece *
gw_piece_ref(struct gw_piece *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void
gw_piece_unref(struct gw_piece *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1) {
        p->free(p);
    }
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
    if (b->n == *size) {
        *size = *size == 0 ? 16 : *size * 2;
        b->items = gw_mem_resize(b->items, *size * sizeof(*b->items));
    }
    b->items[b->n++] = item;
}

static struct gw_piece *
compile_one(const struct gw_view *view, const struct gw_change *c, struct gw_diag *diag)
{
    struct gw_diag own = {0};
    json_t *json = gw_object_json(c->object);
    struct gw_piece *piece = view->compile(c->object->kind, json, NULL, diag == NULL ? &own : diag);

    json_decref(json);

    for (size_t i = 0; i < own.n; i++) {
        bool bad = own.findings[i].severity == GW_ERROR;

        gw_log_line(bad ? GW_LOG_ERROR : GW_LOG_WARN, "object %s%s: %s", c->key,
                    bad ? " is not used" : "", own.findings[i].text);
    }
    gw_diag_fini(&own);
    return piece;
}

static void
compile_change(struct gw_batch *b, size_t *size, const struct gw_change *c, struct gw_diag *diag)
{
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        for (const struct gw_view *const *v = (*m)->views; v != NULL && *v != NULL; v++) {
            if (view_wants(*v, c->key)) {
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

struct gw_batch *
gw_batch_compile(const struct gw_change *changes, size_t n, uint64_t revision, bool reset,
                 struct gw_diag *diag)
{
    struct gw_batch *b = gw_mem_alloc(sizeof(*b));
    size_t size = 0;

    atomic_init(&b->refs, 1);
    b->revision = revision;
    b->reset = reset;
    for (size_t i = 0; i < n; i++) {
        compile_change(b, &size, &changes[i], diag);
    }
    return b;
}

struct gw_batch *
gw_batch_ref(struct gw_batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
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
    if (item->object == NULL) {
        free(key.own);
    }
    gw_object_unref(item->object);
}

void
gw_batch_unref(struct gw_batch *b)
{
    if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        free_item(&b->items[i]);
    }
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
