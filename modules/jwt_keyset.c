#include "modules/jwt_keyset.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/refs.h"

struct gw_jwt_keyset *
gw_jwt_keyset_new(struct gw_jwt_key *const *keys, size_t n)
{
    struct gw_jwt_keyset *set = gw_mem_alloc(sizeof(*set) + n * sizeof(struct gw_jwt_key *));

    atomic_init(&set->refs, 1);
    set->n = n;
    for (size_t i = 0; i < n; i++) {
        set->keys[i] = gw_jwt_key_ref(keys[i]);
        set->algs |= keys[i]->algs;
    }
    return set;
}

struct gw_jwt_keyset *
gw_jwt_keyset_ref(struct gw_jwt_keyset *set)
{
    gw_refs_take(&set->refs);
    return set;
}

void
gw_jwt_keyset_unref(struct gw_jwt_keyset *set)
{
    if (set == NULL || !gw_refs_drop(&set->refs)) {
        return;
    }
    for (size_t i = 0; i < set->n; i++) {
        gw_jwt_key_unref(set->keys[i]);
    }
    free(set);
}

size_t
gw_jwt_keyset_find(const struct gw_jwt_keyset *set, const struct gw_jwt_key *key)
{
    size_t n = set == NULL ? 0 : set->n;

    for (size_t i = 0; i < n; i++) {
        if (set->keys[i] == key) {
            return i;
        }
    }
    return n;
}
