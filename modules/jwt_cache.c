#include "modules/jwt_cache.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "modules/jwt_revocation.h"
#include "modules/jwt_token.h"

#define FEWEST_PLACES 256

struct gw_jwt_cache {
    struct gw_jwt_pass **table; /* chains; grows with the number of passes */
    size_t mask;
    struct gw_jwt_pass *hand; /* of the clock: the next to be asked whether it was used */
    struct gw_jwt_commons *commons;
    struct gw_digest_key *key;
    size_t n, pass_bytes, limit;
};

/* Whatever a revocation may come to name is worked out now. */
struct gw_jwt_pass *
gw_jwt_pass_new(struct gw_jwt_cache *cache, const struct gw_jwt_claims *claims)
{
    struct gw_str name = claims->subject.name;
    struct gw_jwt_pass *p = gw_mem_alloc(sizeof(*p) + name.n);

    p->refs = 1;
    p->common = gw_jwt_common_get(cache == NULL ? NULL : cache->commons, claims);
    p->expires_ms = claims->expires_ms;
    p->issued_ms = claims->issued_ms;
    p->asks = claims->issuer->token_cache == GW_JWT_TOKEN_CACHE_REDIS && !claims->lasting;
    p->name_bytes = (unsigned short)name.n; /* GW_JWT_NAME_MAX at most */
    memcpy(p->name, name.p, name.n);
    gw_revoked_keys_of_digests(claims->digests, p->by_token);
    p->has_id = claims->id.n > 0;
    if (p->has_id) {
        p->by_id = gw_revoked_key_of(GW_REVOKED_ID, p->common->issuer, claims->id);
    }
    return p;
}

void
gw_jwt_pass_unref(struct gw_jwt_pass *p)
{
    if (--p->refs == 0) {
        gw_jwt_common_unref(p->common);
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
    c->commons = gw_jwt_commons_new();
    c->key = gw_digest_key_new(GW_JWT_TOKEN_MAX);
    return c;
}

static size_t
bytes_of(struct gw_jwt_pass *p)
{
    return malloc_usable_size(p) + sizeof(size_t);
}

size_t
gw_jwt_cache_bytes(const struct gw_jwt_cache *c)
{
    return sizeof(*c) + (c->mask + 1) * sizeof(struct gw_jwt_pass *) + gw_digest_key_bytes(c->key) +
           gw_jwt_commons_bytes(c->commons) + c->pass_bytes;
}

static struct gw_jwt_pass **
place_of(const struct gw_jwt_cache *c, const struct gw_digest *digest)
{
    uint64_t hash = gw_hash((struct gw_str){(const char *)digest, sizeof(*digest)});

    return &c->table[(size_t)hash & c->mask];
}

static void
take_out(struct gw_jwt_cache *c, struct gw_jwt_pass *p)
{
    struct gw_jwt_pass **at = place_of(c, &p->digest);

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
    c->pass_bytes -= bytes_of(p);
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
    gw_jwt_commons_free(c->commons);
    gw_digest_key_free(c->key);
    free(c->table);
    free(c);
}

struct gw_jwt_pass *
gw_jwt_cache_get(struct gw_jwt_cache *c, struct gw_str token, uint64_t now_ms)
{
    if (token.n > GW_JWT_TOKEN_MAX) {
        return NULL;
    }
    struct gw_digest digest = gw_digest_of(c->key, token);
    for (struct gw_jwt_pass *p = *place_of(c, &digest); p != NULL; p = p->chain) {
        if (!gw_digest_eq(&p->digest, &digest)) {
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
        struct gw_jwt_pass **at = place_of(c, &p->digest);

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
gw_jwt_cache_put(struct gw_jwt_cache *c, struct gw_str token, struct gw_jwt_pass *p)
{
    if (c->n > c->mask) {
        grow(c);
    }
    while (c->n > 0 && gw_jwt_cache_bytes(c) + bytes_of(p) > c->limit) {
        evict(c);
    }
    if (gw_jwt_cache_bytes(c) + bytes_of(p) > c->limit) {
        return;
    }
    p->digest = gw_digest_of(c->key, token);
    struct gw_jwt_pass **at = place_of(c, &p->digest);
    p->chain = *at;
    *at = p;
    link_in(c, p);
    p->refs++;
    c->n++;
    c->pass_bytes += bytes_of(p);
}

void
gw_jwt_cache_forget_key(struct gw_jwt_cache *c, const struct gw_jwt_key *key)
{
    struct gw_jwt_pass *p = c->hand;

    for (size_t i = c->n; i > 0; i--) {
        struct gw_jwt_pass *after = p->after;

        if (p->common->key == key) {
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
