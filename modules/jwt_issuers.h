/*
 * jwt_issuers.h - whose tokens are taken: the config section `authentication`.
 */
#ifndef GW_MODULES_JWT_ISSUERS_H
#define GW_MODULES_JWT_ISSUERS_H

#include "config/schema.h"
#include "modules/basic_settings.h"
#include "modules/jwt_fetch.h"
#include "modules/jwt_keyset.h"
#include "modules/jwt_places.h"
#include "modules/jwt_presence.h"

struct gw_login_settings;

/* Where a token has to be beside being good. */
enum gw_jwt_token_cache {
    GW_JWT_TOKEN_CACHE_NONE,
    GW_JWT_TOKEN_CACHE_REDIS, /* jwt_presence.h */
};

/* One issuer and its keys.  Several rows may have the same issuer, for a change of keys. */
struct gw_jwt_issuer {
    const char *issuer;
    const char *const *algorithms;
    /* where its keys come from: one of these; the others NULL, "", false */
    const char *secret_file, *public_key_file, *jwks_file, *jwks_url;
    bool discovery;
    const char *ca_file;   /* of jwks_url and discovery; "": the system's */
    long long old_keys_ms; /* of the same */
    bool allow_weak_secret;
    const char *const *audiences;   /* empty: not asked for */
    const char *const *token_types; /* empty: not asked for */
    struct {
        const char *username, *groups; /* groups "": only system:authenticated */
    } claims;
    long long leeway_ms;
    int token_cache; /* enum gw_jwt_token_cache */
    /* made from the above */
    unsigned algs;                /* of `algorithms`, as bits; 0: of each key its usual one */
    struct gw_jwt_keyset *keys;   /* of files; NULL: of the source */
    struct gw_jwt_source *source; /* NULL: of files */
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
    struct gw_jwt_fetch_settings key_sets;
    struct gw_basic_settings basic;
    struct gw_jwt_presence_settings presence;
    const struct gw_login_settings *login; /* NULL: browsers don't log in here (login.c) */
    uint64_t serial;                       /* another one for each that was ever opened */
};

extern const struct gw_setting gw_jwt_rows[];

/* Reads the keys.  False: see the loader's diag; nothing is left open then. */
bool gw_jwt_issuers_open(struct gw_jwt_settings *s, struct gw_loader *l);
void gw_jwt_issuers_close(struct gw_jwt_settings *s);

/* Control thread, in a server: they are in force from now on (gw_module.use). */
void gw_jwt_issuers_use(const struct gw_jwt_settings *s, struct gw_world *const *worlds, size_t n);

/* The file in which the keys of issuers are kept; NULL: no issuer has any to fetch.  The rows were
 * read, but need not be opened. */
const char *gw_jwt_issuers_file(const struct gw_jwt_settings *s);

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

/* The keys of the row as that worker knows them; borrowed; NULL: none are known yet. */
static inline struct gw_jwt_keyset *
gw_jwt_issuer_keys(const struct gw_jwt_issuer *row, unsigned world_id)
{
    return row->source == NULL ? row->keys : gw_jwt_source_keys(row->source, world_id);
}

/* The file's bytes in the arena, 256 KiB at most; false and *why when it can't be read. */
bool gw_jwt_read_file(struct gw_arena *a, const char *path, struct gw_str *text, const char **why);

#endif
