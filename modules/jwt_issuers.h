/*
 * jwt_issuers.h - whose tokens are taken: the config section `authentication`.
 */
#ifndef GW_MODULES_JWT_ISSUERS_H
#define GW_MODULES_JWT_ISSUERS_H

#include "config/schema.h"
#include "modules/jwt_keyset.h"
#include "modules/jwt_places.h"

/* One issuer and its keys.  Several rows may have the same issuer, for a change of keys. */
struct gw_jwt_issuer {
    const char *issuer;
    const char *const *algorithms;
    const char *secret_file, *public_key_file, *jwks_file; /* one of them; the others NULL or "" */
    bool allow_weak_secret;
    const char *const *audiences;   /* empty: not asked for */
    const char *const *token_types; /* empty: not asked for */
    struct {
        const char *username, *groups; /* groups "": only system:authenticated */
    } claims;
    long long leeway_ms;
    /* made from the above */
    unsigned algs; /* of `algorithms`, as bits; 0: of each key its usual one */
    struct gw_jwt_keyset *keys;
};

enum gw_jwt_users {
    GW_JWT_USERS_ANY,
    GW_JWT_USERS_REGISTERED /* jwt_users.h */
};

struct gw_jwt_settings {
    struct gw_list issuers; /* of struct gw_jwt_issuer */
    long long token_cache;  /* bytes per worker; 0: none */
    int users;              /* enum gw_jwt_users */
    struct gw_jwt_places places;
    uint64_t serial; /* another one for each that was ever opened */
};

extern const struct gw_setting gw_jwt_rows[];

/* Reads the keys.  False: see the loader's diag; nothing is left open then. */
bool gw_jwt_issuers_open(struct gw_jwt_settings *s, struct gw_loader *l);
void gw_jwt_issuers_close(struct gw_jwt_settings *s);

static inline const struct gw_jwt_issuer *
gw_jwt_issuer_at(const struct gw_jwt_settings *s, size_t i)
{
    return (const struct gw_jwt_issuer *)s->issuers.items + i;
}

/* What tokens of this row may be signed with by this key. */
static inline unsigned
gw_jwt_issuer_algs(const struct gw_jwt_issuer *row, const struct gw_jwt_key *key)
{
    return row->algs == 0 ? key->usual : key->algs & row->algs;
}

/* The file's bytes in the arena, 256 KiB at most; false and *why when it can't be read. */
bool gw_jwt_read_file(struct gw_arena *a, const char *path, struct gw_str *text, const char **why);

#endif
