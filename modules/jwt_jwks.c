/* jwt_jwks.c - a set of keys (RFC 7517, 5): which of them are taken, and what is said of the rest.
 */
#include <stdio.h>

#include "modules/jwt_jwk.h"

#define LOOKED_AT 256 /* elements of a set: whoever publishes it may be up to no good */

struct work {
    struct gw_jwks *set;
    struct gw_jwks_rules rules;
    struct gw_diag *diag;
    struct gw_place at;
    const char *about;
    bool broken;
};

/* `key 2 ("abc")`, with the name only when it is one to be shown. */
static const char *
name_of(char text[120], size_t i, const json_t *jwk)
{
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    bool plain = kid != NULL && kid[0] != '\0' && strlen(kid) <= 80;

    for (const char *c = kid; plain && *c != '\0'; c++) {
        plain = *c > ' ' && *c < 0x7f && *c != '"';
    }
    (void)snprintf(text, 120, plain ? "key %zu (\"%s\")" : "key %zu", i + 1, plain ? kid : "");
    return text;
}

/* The same twice is left out; another one of that name is told, since a token that names it has two
 * that may fit. */
static bool
is_new(struct work *w, const struct gw_jwt_key *key, const char *name)
{
    bool same_kid = false;

    for (size_t i = 0; i < w->set->n; i++) {
        const struct gw_jwt_key *other = w->set->keys[i];

        if (gw_jwt_key_eq(other, key)) {
            gw_diag_warn(w->diag, w->at, "%s: %s stands there twice", w->about, name);
            return false;
        }
        if (key->id != NULL && other->id != NULL && strcmp(key->id, other->id) == 0 &&
            (key->algs & other->algs) != 0) {
            same_kid = true;
        }
    }
    if (same_kid) {
        gw_diag_warn(w->diag, w->at, "%s: %s has the kid of another key: both are tried", w->about,
                     name);
    }
    return true;
}

static void
add(struct work *w, size_t i, json_t *jwk)
{
    char text[120];
    char why[200];
    const char *name = name_of(text, i, jwk);
    struct gw_jwt_key *key = NULL;
    enum gw_jwk_result result = gw_jwk_read(jwk, w->rules, &key, why);

    if (result == GW_JWK_OTHER) {
        return;
    }
    if (result == GW_JWK_PRIVATE && !w->rules.published) {
        gw_diag_error(w->diag, w->at, "%s: %s %s", w->about, name, why);
        w->broken = true;
        return;
    }
    if (result != GW_JWK_KEY) {
        gw_diag_warn(w->diag, w->at, "%s: %s is left out: it %s", w->about, name, why);
        return;
    }
    if (is_new(w, key, name)) {
        w->set->json[w->set->n] = jwk;
        w->set->keys[w->set->n++] = key;
        return;
    }
    gw_jwt_key_unref(key);
}

bool
gw_jwks_read(struct gw_jwks *set, struct gw_str text, struct gw_jwks_rules rules,
             struct gw_diag *diag, struct gw_place at, const char *about)
{
    struct work w = {.set = set, .rules = rules, .diag = diag, .at = at, .about = about};
    json_error_t error = {.line = 0};
    json_t *jwk;
    size_t i;

    *set = (struct gw_jwks){
        .root = json_loadb(text.p == NULL ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, &error)};
    json_t *keys = json_object_get(set->root, "keys");
    bool single = json_object_get(set->root, "kty") != NULL;
    if (set->root == NULL) {
        /* not the parser's words: they quote what may be a secret */
        gw_diag_error(diag, at, "%s is no JSON without duplicate members: line %d, column %d",
                      about, error.line, error.column);
        return false;
    }
    if (single == (keys != NULL) || (keys != NULL && !json_is_array(keys))) {
        gw_diag_error(diag, at, "%s is no JWK (with \"kty\") and no set of them (a list \"keys\")",
                      about);
        return false;
    }
    if (single) {
        add(&w, 0, set->root);
    }
    json_array_foreach(keys, i, jwk)
    {
        if (i == LOOKED_AT || set->n == GW_JWT_KEYS_MAX) {
            gw_diag_warn(diag, at, "%s: what follows key %zu is left out: %d keys of %d are enough",
                         about, i, GW_JWT_KEYS_MAX, LOOKED_AT);
            break;
        }
        add(&w, i, jwk);
    }
    if (set->n == 0 && !w.broken) {
        gw_diag_error(diag, at, "%s has no key that tokens could be verified by", about);
    }
    return set->n > 0 && !w.broken;
}

void
gw_jwks_fini(struct gw_jwks *set)
{
    for (size_t i = 0; i < set->n; i++) {
        gw_jwt_key_unref(set->keys[i]);
    }
    json_decref(set->root);
    *set = (struct gw_jwks){0};
}
