#include "modules/identity_cache.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "modules/subject.h"

#define FEWEST_PLACES 256

struct gw_identity_cache {
    struct gw_assertion **table; /* chains; grows with the number */
    size_t mask;
    struct gw_assertion *oldest, *newest; /* a queue */
    size_t n, bytes, limit;
    uint64_t fresh_ms;
};

/* Of all that it says; the seed of each piece is what came before, so that their order counts. */
static uint64_t
mix(uint64_t hash, struct gw_str piece)
{
    return (hash ^ gw_hash(piece)) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static uint64_t
hash_of(const struct gw_subject *s, struct gw_str audience)
{
    uint64_t hash = mix(mix(gw_hash(audience), s->name), s->uid);

    for (unsigned i = 0; i < s->n_groups; i++) {
        hash = mix(hash, s->groups[i]);
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        hash = mix(mix(hash, s->extra[i].key), s->extra[i].value);
    }
    return hash ^ hash >> 32;
}

static bool
same_subject(const struct gw_subject *a, const struct gw_subject *b)
{
    bool same = gw_str_eq(a->name, b->name) && gw_str_eq(a->uid, b->uid) &&
                a->n_groups == b->n_groups && a->n_extra == b->n_extra;

    for (unsigned i = 0; same && i < a->n_groups; i++) {
        same = gw_str_eq(a->groups[i], b->groups[i]);
    }
    for (unsigned i = 0; same && i < a->n_extra; i++) {
        same = gw_str_eq(a->extra[i].key, b->extra[i].key) &&
               gw_str_eq(a->extra[i].value, b->extra[i].value);
    }
    return same;
}

/* ---- one assertion ------------------------------------------------------------------------ */

struct gw_assertion *
gw_assertion_new(const struct gw_subject *s, struct gw_str audience, struct gw_str text,
                 uint64_t now_ms)
{
    size_t bytes = sizeof(struct gw_assertion) + gw_subject_bytes(s) + audience.n + text.n;
    struct gw_assertion *a = gw_mem_alloc(bytes);
    char *at = (char *)(a + 1);

    a->refs = 1;
    a->bytes = bytes;
    a->made_ms = now_ms;
    a->hash = hash_of(s, audience);
    gw_subject_copy(&a->subject, s, &at); /* first: it has to be aligned */
    a->audience = gw_str_pack(&at, audience);
    a->text = gw_str_pack(&at, text);
    return a;
}

void
gw_assertion_unref(struct gw_assertion *a)
{
    if (--a->refs == 0) {
        free(a);
    }
}

/* ---- all of them -------------------------------------------------------------------------- */

struct gw_identity_cache *
gw_identity_cache_new(size_t limit, uint64_t fresh_ms)
{
    struct gw_identity_cache *c = gw_mem_alloc(sizeof(*c));

    c->limit = limit;
    c->fresh_ms = fresh_ms;
    c->mask = FEWEST_PLACES - 1;
    c->table = gw_mem_alloc(FEWEST_PLACES * sizeof(struct gw_assertion *));
    return c;
}

static struct gw_assertion **
place_of(const struct gw_identity_cache *c, uint64_t hash)
{
    return &c->table[(size_t)hash & c->mask];
}

static void
drop_oldest(struct gw_identity_cache *c)
{
    struct gw_assertion *a = c->oldest;
    struct gw_assertion **at = place_of(c, a->hash);

    while (*at != a) {
        at = &(*at)->chain;
    }
    *at = a->chain;
    c->oldest = a->next;
    c->newest = c->oldest == NULL ? NULL : c->newest;
    c->n--;
    c->bytes -= a->bytes;
    gw_assertion_unref(a);
}

void
gw_identity_cache_free(struct gw_identity_cache *c)
{
    if (c == NULL) {
        return;
    }
    while (c->oldest != NULL) {
        drop_oldest(c);
    }
    free(c->table);
    free(c);
}

/* Nor is one that was made in a future from which the clock has come back. */
static bool
is_fresh(const struct gw_identity_cache *c, const struct gw_assertion *a, uint64_t now_ms)
{
    return now_ms >= a->made_ms && now_ms - a->made_ms < c->fresh_ms;
}

struct gw_assertion *
gw_identity_cache_get(const struct gw_identity_cache *c, const struct gw_subject *subject,
                      struct gw_str audience, uint64_t now_ms)
{
    uint64_t hash = hash_of(subject, audience);

    for (struct gw_assertion *a = *place_of(c, hash); a != NULL; a = a->chain) {
        if (a->hash == hash && gw_str_eq(a->audience, audience) &&
            same_subject(&a->subject, subject)) {
            return is_fresh(c, a, now_ms) ? a : NULL; /* the newest stands first */
        }
    }
    return NULL;
}

static void
grow(struct gw_identity_cache *c)
{
    free(c->table);
    c->mask = c->mask * 2 + 1;
    c->table = gw_mem_alloc((c->mask + 1) * sizeof(struct gw_assertion *));
    for (struct gw_assertion *a = c->oldest; a != NULL; a = a->next) {
        struct gw_assertion **at = place_of(c, a->hash);

        a->chain = *at;
        *at = a;
    }
}

void
gw_identity_cache_put(struct gw_identity_cache *c, struct gw_assertion *a)
{
    while (c->oldest != NULL && !is_fresh(c, c->oldest, a->made_ms)) {
        drop_oldest(c);
    }
    if (a->bytes > c->limit) {
        return;
    }
    while (c->oldest != NULL && c->bytes + a->bytes > c->limit) {
        drop_oldest(c);
    }
    if (c->n > c->mask) {
        grow(c);
    }
    struct gw_assertion **at = place_of(c, a->hash);
    a->chain = *at;
    *at = a;
    if (c->newest == NULL) {
        c->oldest = a;
    } else {
        c->newest->next = a;
    }
    c->newest = a;
    a->refs++;
    c->n++;
    c->bytes += a->bytes;
}

size_t
gw_identity_cache_count(const struct gw_identity_cache *c)
{
    return c->n;
}

size_t
gw_identity_cache_bytes(const struct gw_identity_cache *c)
{
    return c->bytes;
}
