#include "modules/identity_cache.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

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

/* Copies s to *at, which moves on. */
static struct gw_str
put_text(char **at, struct gw_str s)
{
    struct gw_str copy = {*at, s.n};

    if (s.n > 0) {
        memcpy(*at, s.p, s.n);
    }
    *at += s.n;
    return copy;
}

static size_t
text_bytes(const struct gw_subject *s)
{
    size_t n = s->name.n + s->uid.n;

    for (unsigned i = 0; i < s->n_groups; i++) {
        n += s->groups[i].n;
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        n += s->extra[i].key.n + s->extra[i].value.n;
    }
    return n;
}

/* Structs first, then texts, so that all is aligned. */
struct gw_assertion *
gw_assertion_new(const struct gw_subject *s, struct gw_str audience, struct gw_str text,
                 uint64_t now_ms)
{
    size_t lists = s->n_groups * sizeof(*s->groups) + s->n_extra * sizeof(*s->extra);
    size_t bytes = sizeof(struct gw_assertion) + lists + audience.n + text.n + text_bytes(s);
    struct gw_assertion *a = gw_mem_alloc(bytes);
    struct gw_str *groups = (struct gw_str *)(a + 1);
    struct gw_subject_extra *extra = (struct gw_subject_extra *)(groups + s->n_groups);
    char *at = (char *)(extra + s->n_extra);

    a->refs = 1;
    a->bytes = bytes;
    a->made_ms = now_ms;
    a->hash = hash_of(s, audience);
    a->audience = put_text(&at, audience);
    a->text = put_text(&at, text);
    a->subject = *s;
    a->subject.name = put_text(&at, s->name);
    a->subject.uid = put_text(&at, s->uid);
    for (unsigned i = 0; i < s->n_groups; i++) {
        groups[i] = put_text(&at, s->groups[i]);
    }
    a->subject.groups = groups;
    for (unsigned i = 0; i < s->n_extra; i++) {
        extra[i].key = put_text(&at, s->extra[i].key);
        extra[i].value = put_text(&at, s->extra[i].value);
    }
    a->subject.extra = extra;
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
