#include "modules/jwt_verify.h"

#include <stdlib.h>

#include "base/mem.h"
#include "modules/jwt_claims.h"
#include "modules/jwt_signature.h"
#include "modules/jwt_token.h"

/* The contexts for the keys of one row of the issuers. */
struct row {
    struct gw_jwt_keyset *keys;    /* a reference */
    struct gw_jwt_verifier **list; /* [key * GW_JWT_ALGS + algorithm]; made when needed */
};

struct gw_jwt_verifiers {
    const struct gw_jwt_settings *settings;
    size_t n;
    unsigned world_id;
    struct gw_jwt_hasher *hasher;
    struct row rows[];
};

/* A token and the rows of its issuer: what came of it so far. */
struct trial {
    const struct gw_jwt_token *token;
    const struct gw_jwt_alg *alg; /* NULL: nobody knows it */
    const unsigned char *sha256;  /* of the signed text */
    struct gw_arena *arena;
    struct gw_jwt_lack *lacking; /* the sources of rows whose keys may be others by now */
    enum gw_err err;             /* what came nearest */
};

struct gw_jwt_verifiers *
gw_jwt_verifiers_new(const struct gw_jwt_settings *settings, unsigned world_id)
{
    size_t n = settings->issuers.n;
    struct gw_jwt_verifiers *v = gw_mem_alloc(sizeof(*v) + n * sizeof(struct row));

    v->settings = settings;
    v->n = n;
    v->world_id = world_id;
    v->hasher = gw_jwt_hasher_new();
    return v;
}

static void
clear_row(struct row *r)
{
    size_t n = r->keys == NULL ? 0 : r->keys->n * GW_JWT_ALGS;

    for (size_t i = 0; i < n; i++) {
        gw_jwt_verifier_free(r->list[i]);
    }
    free(r->list);
    gw_jwt_keyset_unref(r->keys);
    *r = (struct row){0};
}

void
gw_jwt_verifiers_free(struct gw_jwt_verifiers *v)
{
    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        clear_row(&v->rows[i]);
    }
    gw_jwt_hasher_free(v->hasher);
    free(v);
}

/* Another set: the contexts of the keys that stay are kept. */
static void
use_keys(struct row *r, struct gw_jwt_keyset *keys)
{
    struct row next = {
        .keys = gw_jwt_keyset_ref(keys),
        .list = gw_mem_alloc(keys->n * GW_JWT_ALGS * sizeof(struct gw_jwt_verifier *)),
    };
    size_t bytes = GW_JWT_ALGS * sizeof(struct gw_jwt_verifier *);

    for (size_t k = 0; k < keys->n; k++) {
        size_t before = gw_jwt_keyset_find(r->keys, keys->keys[k]);

        if (r->keys != NULL && before < r->keys->n) {
            memcpy(&next.list[k * GW_JWT_ALGS], &r->list[before * GW_JWT_ALGS], bytes);
            memset(&r->list[before * GW_JWT_ALGS], 0, bytes); /* it has another owner now */
        }
    }
    clear_row(r);
    *r = next;
}

static bool
check_with(struct row *r, size_t key, const struct trial *t)
{
    struct gw_jwt_verifier **slot = &r->list[key * GW_JWT_ALGS + gw_jwt_alg_index(t->alg)];

    if (*slot == NULL) {
        *slot = gw_jwt_verifier_new(r->keys->keys[key], t->alg);
    }
    return *slot != NULL &&
           gw_jwt_verifier_check(*slot, t->token->signed_text, t->sha256, t->token->signature);
}

/* How near to a good token an error is: of several rows, the nearest is told. */
static int
nearness(enum gw_err err)
{
    static const enum gw_err order[] = {
        GW_ERR_TOKEN_ISSUER,    GW_ERR_TOKEN_ALGORITHM,  GW_ERR_TOKEN_KEY,
        GW_ERR_TOKEN_SIGNATURE, GW_ERR_KEYS_UNAVAILABLE,
    };
    int i = 0;

    while (order[i] != err) {
        i++;
    }
    return i;
}

static void
note(struct trial *t, enum gw_err err)
{
    if (nearness(err) > nearness(t->err)) {
        t->err = err;
    }
}

/* A key that the token does not mean is none.  One without a name may be meant by any token, as may
 * any key by a token that names none. */
static bool
is_meant(const struct gw_jwt_key *key, struct gw_str kid)
{
    return kid.n == 0 || key->id == NULL || gw_str_eq(kid, gw_str_of(key->id));
}

/* Nobody has vouched for it, and nobody gets in by it: it only says for how long to hope. */
static uint64_t
made_at(const struct gw_jwt_token *t, const struct gw_jwt_issuer *s)
{
    const struct gw_jwt_json *iat = gw_jwt_json_get(t->claims, "iat");

    if (!gw_jwt_json_is(iat, GW_JWT_JSON_INTEGER) || iat->number.integer < 0 ||
        iat->number.integer > INT64_MAX / 2000) {
        return UINT64_MAX;
    }
    return (uint64_t)iat->number.integer * 1000 + 999 + (uint64_t)s->leeway_ms;
}

static void
lacks(struct trial *t, const struct gw_jwt_issuer *s)
{
    struct gw_jwt_lack *l = t->lacking;

    if (s->source == NULL) {
        return;
    }
    while (l != NULL && l->source != s->source) {
        l = l->next;
    }
    if (l == NULL) {
        l = gw_arena_alloc(t->arena, sizeof(*l));
        *l = (struct gw_jwt_lack){.next = t->lacking, .source = s->source};
        t->lacking = l;
    }
    uint64_t made_ms = made_at(t->token, s);
    l->made_ms = made_ms > l->made_ms ? made_ms : l->made_ms;
}

/* Keys that are published are no secrets. */
static bool
may_be_signed_so(const struct gw_jwt_issuer *s, const struct gw_jwt_alg *alg)
{
    return alg != NULL && (s->algs == 0 || (s->algs & gw_jwt_alg_bit(alg)) != 0) &&
           (s->source == NULL || alg->family != GW_JWT_HMAC);
}

/* By the keys that are known; NULL, and the trial knows why. */
static const struct gw_jwt_key *
check_by_keys(struct row *r, const struct gw_jwt_issuer *s, struct trial *t)
{
    bool meant = false;
    bool named = false;
    unsigned tries = 0;

    for (size_t k = 0; k < r->keys->n && tries < GW_JWT_TRIES_MAX; k++) {
        const struct gw_jwt_key *key = r->keys->keys[k];

        if (!is_meant(key, t->token->kid)) {
            continue;
        }
        meant = true;
        named = named || (t->token->kid.n > 0 && key->id != NULL);
        if ((gw_jwt_issuer_algs(s, key) & gw_jwt_alg_bit(t->alg)) == 0) {
            continue;
        }
        tries++;
        if (check_with(r, k, t)) {
            return key;
        }
    }
    note(t, tries > 0 ? GW_ERR_TOKEN_SIGNATURE : meant ? GW_ERR_TOKEN_ALGORITHM : GW_ERR_TOKEN_KEY);
    if (!named) {
        lacks(t, s);
    }
    return NULL;
}

/* By one row of the issuers; the key that made the signature, or NULL. */
static const struct gw_jwt_key *
check_by_row(struct row *r, const struct gw_jwt_issuer *s, struct gw_jwt_keyset *keys,
             struct trial *t)
{
    if (!may_be_signed_so(s, t->alg)) {
        note(t, GW_ERR_TOKEN_ALGORITHM);
        return NULL;
    }
    if (keys == NULL) {
        note(t, GW_ERR_KEYS_UNAVAILABLE);
        lacks(t, s);
        return NULL;
    }
    if (r->keys != keys) {
        use_keys(r, keys);
    }
    return check_by_keys(r, s, t);
}

static const char *
words_of(enum gw_err err)
{
    switch (nearness(err)) {
    case 0:
        return "no such issuer in authentication.issuers";
    case 1:
        return "the alg is not among those of the issuer's keys";
    case 2:
        return "no key of the issuer has this kid";
    case 3:
        return "no key of the issuer made this signature";
    default:
        return "no key of the issuer is known yet";
    }
}

enum gw_err
gw_jwt_verify(struct gw_jwt_verifiers *v, struct gw_arena *a, struct gw_str token, uint64_t now_ms,
              struct gw_jwt_claims *out, const char **why)
{
    struct gw_jwt_token parts;
    enum gw_err err = gw_jwt_token_split(&parts, a, token, why);
    struct trial t = {.token = &parts, .arena = a, .err = GW_ERR_TOKEN_ISSUER};

    *out = (struct gw_jwt_claims){0};
    if (err != GW_ERR_OK) {
        return err;
    }
    t.alg = gw_jwt_alg_find(parts.alg);
    gw_jwt_hash_begin(v->hasher, parts.signed_text, out->digests[0]);
    t.sha256 = out->digests[0];
    for (size_t i = 0; i < v->n; i++) {
        const struct gw_jwt_issuer *s = gw_jwt_issuer_at(v->settings, i);

        if (!gw_str_eq(parts.issuer, gw_str_of(s->issuer))) {
            continue;
        }
        out->key = check_by_row(&v->rows[i], s, gw_jwt_issuer_keys(s, v->world_id), &t);
        if (out->key != NULL) {
            out->issuer = s;
            out->key_id = parts.kid;
            gw_jwt_hash_end(v->hasher, gw_str_skip(token, parts.signed_text.n), out->digests[1]);
            return gw_jwt_claims_read(out, a, parts.claims, now_ms, why);
        }
    }
    out->lacking = t.lacking;
    *why = words_of(t.err);
    return t.err;
}
