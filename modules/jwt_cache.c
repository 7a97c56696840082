#include "modules/jwt_cache.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "modules/subject.h"

#define FEWEST_PLACES 256

struct gw_jwt_cache {
    struct gw_jwt_pass **table; /* chains; grows with the number of passes */
    size_t mask;
    struct gw_jwt_pass *hand; /* of the clock: the next to be asked whether it was used */
    size_t n, bytes, limit;
};

struct gw_jwt_pass *
gw_jwt_pass_new(struct gw_str token, const struct gw_jwt_claims *claims)
{
    const struct gw_subject *s = &claims->subject;
    size_t bytes = sizeof(struct gw_jwt_pass) + gw_subject_bytes(s) + token.n + claims->key_id.n +
                   claims->id.n;
    struct gw_jwt_pass *p = gw_mem_alloc(bytes);
    char *at = (char *)(p + 1);

    p->refs = 1;
    p->bytes = bytes;
    p->hash = gw_hash(token);
    p->expires_ms = claims->expires_ms;
    p->key = claims->key;
    p->issuer = gw_str_of(claims->issuer->issuer);
    gw_subject_copy(&p->subject, s, &at); /* first: it has to be aligned */
    p->token = gw_str_pack(&at, token);
    p->key_id = gw_str_pack(&at, claims->key_id);
    p->id = gw_str_pack(&at, claims->id);
    p->issued_ms = claims->issued_ms;
    p->asks = claims->issuer->token_cache == GW_JWT_TOKEN_CACHE_REDIS && !claims->lasting;
    return p;
}

void
gw_jwt_pass_unref(struct gw_jwt_pass *p)
{
    if (--p->refs == 0) {
        free(p);
    }
}

struct gw_jwt_cache *
gw_jwt_cache_new(size_t limit)
{
    struct gw_jwt_cache *c = gw_mem_alloc(sizeof(*c));

    c->limit = limit;
    c->mask = FEWEST_PLACES - 1;
    c->table = gw_mem_alloc(FEWEST_PLACES * sizeof(struct gw_jwt_pass *));
    return c;
}

static struct gw_jwt_pass **
place_of(const struct gw_jwt_cache *c, uint64_t hash)
{
    return &c->table[(size_t)hash & c->mask];
}

static void
take_out(struct gw_jwt_cache *c, struct gw_jwt_pass *p)
{
    struct gw_jwt_pass **at = place_of(c, p->hash);

    while (*at != p) {
        at = &(*at)->chain;
    }
    *at = p->chain;
    if (c->hand == p) {
        c->hand = p->after == p ? NULL : p->after;
    }
    p->before->after = p->after;
    p->after->before = p->before;
    c->n--;
    c->bytes -= p->bytes;
    gw_jwt_pass_unref(p);
}

void
gw_jwt_cache_free(struct gw_jwt_cache *c)
{
    if (c == NULL) {
        return;
    }
    while (c->hand != NULL) {
        take_out(c, c->hand);
    }
    free(c->table);
    free(c);
}

struct gw_jwt_pass *
gw_jwt_cache_get(struct gw_jwt_cache *c, struct gw_str token, uint64_t now_ms)
{
    uint64_t hash = gw_hash(token);

    for (struct gw_jwt_pass *p = *place_of(c, hash); p != NULL; p = p->chain) {
        if (p->hash != hash || !gw_str_eq(p->token, token)) {
            continue;
        }
        if (now_ms >= p->expires_ms) {
            take_out(c, p);
            return NULL;
        }
        p->used = true;
        return p;
    }
    return NULL;
}

static void
grow(struct gw_jwt_cache *c)
{
    struct gw_jwt_pass *p = c->hand;

    free(c->table);
    c->mask = c->mask * 2 + 1;
    c->table = gw_mem_alloc((c->mask + 1) * sizeof(struct gw_jwt_pass *));
    for (size_t i = 0; p != NULL && i < c->n; i++, p = p->after) {
        struct gw_jwt_pass **at = place_of(c, p->hash);

        p->chain = *at;
        *at = p;
    }
}

/* The hand goes round, and takes the first that nobody used since it last came by: as good as
 * keeping them in order of use, and a hit writes one byte. */
static void
evict(struct gw_jwt_cache *c)
{
    while (c->hand->used) {
        c->hand->used = false;
        c->hand = c->hand->after;
    }
    take_out(c, c->hand);
}

/* Just behind the hand: the last to be asked. */
static void
link_in(struct gw_jwt_cache *c, struct gw_jwt_pass *p)
{
    if (c->hand == NULL) {
        c->hand = p->before = p->after = p;
        return;
    }
    p->after = c->hand;
    p->before = c->hand->before;
    p->before->after = p;
    p->after->before = p;
}

void
gw_jwt_cache_put(struct gw_jwt_cache *c, struct gw_jwt_pass *p)
{
    if (p->bytes > c->limit) {
        return;
    }
    while (c->bytes + p->bytes > c->limit) {
        evict(c);
    }
    if (c->n > c->mask) {
        grow(c);
    }
    struct gw_jwt_pass **at = place_of(c, p->hash);
    p->chain = *at;
    *at = p;
    link_in(c, p);
    p->refs++;
    c->n++;
    c->bytes += p->bytes;
}

void
gw_jwt_cache_forget_key(struct gw_jwt_cache *c, const struct gw_jwt_key *key)
{
    struct gw_jwt_pass *p = c->hand;

    for (size_t i = c->n; i > 0; i--) {
        struct gw_jwt_pass *after = p->after;

        if (p->key == key) {
            take_out(c, p);
        }
        p = after;
    }
}

size_t
gw_jwt_cache_count(const struct gw_jwt_cache *c)
{
    return c->n;
}

size_t
gw_jwt_cache_bytes(const struct gw_jwt_cache *c)
{
    return c->bytes;
}
