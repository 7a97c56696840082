#include "config/places.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define FEWEST_SPOTS 64

/* Open addressing, linear probing.  An id is a keyed 64-bit hash and taken as unique: a
 * collision could only give a message a wrong line. */
struct gw_places {
    struct gw_spot *spots; /* id 0: free */
    size_t mask, n;
};

struct gw_places *
gw_places_new(void)
{
    struct gw_places *p = gw_mem_alloc(sizeof(*p));

    p->spots = gw_mem_alloc(FEWEST_SPOTS * sizeof(*p->spots));
    p->mask = FEWEST_SPOTS - 1;
    return p;
}

void
gw_places_free(struct gw_places *p)
{
    if (p != NULL) {
        free(p->spots);
        free(p);
    }
}

static uint64_t
id_of(const json_t *value, uint64_t key)
{
    struct {
        const json_t *value;
        uint64_t key;
    } both = {value, key};
    uint64_t id = gw_hash((struct gw_str){(const char *)&both, sizeof(both)});

    return id == 0 ? 1 : id;
}

uint64_t
gw_places_id(const json_t *value)
{
    return id_of(value, 0);
}

uint64_t
gw_places_key_id(const json_t *object, struct gw_str key)
{
    return id_of(object, gw_hash(key));
}

static struct gw_spot *
find(const struct gw_places *p, uint64_t id)
{
    size_t at = (size_t)id & p->mask;

    while (p->spots[at].id != 0 && p->spots[at].id != id) {
        at = (at + 1) & p->mask;
    }
    return &p->spots[at];
}

static void
grow(struct gw_places *p)
{
    struct gw_spot *old = p->spots;
    size_t n_old = p->mask + 1;

    p->spots = gw_mem_alloc(n_old * 2 * sizeof(*p->spots));
    p->mask = n_old * 2 - 1;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].id != 0) {
            *find(p, old[i].id) = old[i];
        }
    }
    free(old);
}

void
gw_places_put(struct gw_places *p, uint64_t id, int line, int column)
{
    if ((p->n + 1) * 4 > (p->mask + 1) * 3) {
        grow(p);
    }
    struct gw_spot *s = find(p, id);
    p->n += s->id == 0;
    *s = (struct gw_spot){.id = id, .line = line, .column = column};
}

struct gw_spot *
gw_places_find(const struct gw_places *p, uint64_t id)
{
    struct gw_spot *s = find(p, id);

    return s->id == 0 ? NULL : s;
}
