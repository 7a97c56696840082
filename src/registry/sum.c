#include "registry/sum.h"

#include <inttypes.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define METRIC_BITS 52

/* The key is in it because the content has no kind: two kinds may have objects of the same text. */
static XXH128_hash_t
hash(const struct gw_object *o)
{
    return XXH3_128bits_withSeed(o->json, o->json_bytes, XXH3_64bits(o->key, strlen(o->key)));
}

void
gw_sum_add(struct gw_sum *s, const struct gw_object *o)
{
    if (o != NULL) {
        XXH128_hash_t h = hash(o);

        s->low += h.low64;
        s->high += h.high64 + (s->low < h.low64);
    }
}

void
gw_sum_take(struct gw_sum *s, const struct gw_object *o)
{
    if (o != NULL) {
        XXH128_hash_t h = hash(o);

        s->high -= h.high64 + (s->low < h.low64);
        s->low -= h.low64;
    }
}

void
gw_sum_change(struct gw_sum *s, const struct gw_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        gw_sum_take(s, changes[i].before);
        gw_sum_add(s, changes[i].object);
    }
}

void
gw_sum_text(const struct gw_sum *s, char out[GW_SUM_TEXT])
{
    (void)snprintf(out, GW_SUM_TEXT, "%016" PRIx64 "%016" PRIx64, s->high, s->low);
}

uint64_t
gw_sum_number(const struct gw_sum *s)
{
    return s->high >> (64 - METRIC_BITS);
}
