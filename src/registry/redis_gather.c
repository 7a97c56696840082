#include "registry/redis_gather.h"

#include <stdlib.h>

#include "base/mem.h"

static int
by_revision(const void *a, const void *b)
{
    const struct gw_change *x = a;
    const struct gw_change *y = b;

    return (x->revision > y->revision) - (x->revision < y->revision);
}

void
gw_redis_gather_add(struct gw_redis_gather *g, const struct gw_change *c)
{
    if (g->at == NULL) {
        g->at = gw_map_new();
    }
    size_t at = (size_t)(uintptr_t)gw_map_get(g->at, gw_str_of(c->key));
    if (at > 0) {
        free(g->items[at - 1].key);
        gw_object_unref(g->items[at - 1].object);
        g->items[at - 1] = *c;
        return;
    }
    g->items = gw_mem_room(g->items, g->n, &g->size, sizeof(*g->items));
    g->items[g->n++] = *c;
    (void)gw_map_put(g->at, gw_str_of(c->key), (void *)(uintptr_t)g->n);
}

void
gw_redis_gather_news(struct gw_redis_gather *g, const struct gw_redis_news *news, const char *hash,
                     struct gw_redis_bad *bad)
{
    size_t n = 0;
    struct gw_change *changes = gw_mem_alloc((news->fields->elements + 1) * sizeof(*changes));

    for (size_t i = 0; i < news->fields->elements; i += 2) {
        const redisReply *field = news->fields->element[i];
        struct gw_object *o = gw_redis_field_read(hash, field, news->fields->element[i + 1], bad);

        if (o != NULL || gw_redis_field_is_name(field)) {
            changes[n++] = (struct gw_change){.key = gw_mem_strdup(field->str),
                                              .object = o,
                                              .revision = o == NULL ? news->upto : o->revision};
        }
    }
    qsort(changes, n, sizeof(*changes), by_revision);
    for (size_t i = 0; i < n; i++) {
        gw_redis_gather_add(g, &changes[i]);
    }
    free(changes);
}

void
gw_redis_gather_fini(struct gw_redis_gather *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->items[i].key);
        gw_object_unref(g->items[i].object);
    }
    free(g->items);
    gw_map_free(g->at, NULL);
    *g = (struct gw_redis_gather){0};
}
