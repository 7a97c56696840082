#include "modules/jwt_issuers.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "modules/jwt_row_keys.h"

#define PLACE(field)  offsetof(struct gw_jwt_settings, places.field)
#define CLAIM(field)  offsetof(struct gw_jwt_issuer, claims.field)
#define ISSUER(field) offsetof(struct gw_jwt_issuer, field)

static const struct gw_setting claim_rows[] = {
    {.name = "username",
     .set = gw_set_text,
     .at = CLAIM(username) - CLAIM(username),
     .initial = "username",
     .help = "The claim that names the user."},
    {.name = "groups",
     .set = gw_set_text,
     .at = CLAIM(groups) - CLAIM(username),
     .initial = "\"\"",
     .example = "groups",
     .help = "A claim with a list of groups; empty: every user is in system:authenticated only, "
             "as in KubeSphere."},
    {0},
};

/* enum gw_jwt_token_cache */
static const char *const token_cache_words[] = {"none", "redis", NULL};

static const struct gw_setting issuer_rows[] = {
    {.name = "issuer",
     .set = gw_set_text,
     .at = ISSUER(issuer),
     .flags = GW_REQUIRED,
     .example = "http://ks-console.kubesphere-system.svc:30880",
     .help = "What the token's claim iss must be, to the byte."},
    {.name = "algorithms",
     .set = gw_set_text_list,
     .at = ISSUER(algorithms),
     .initial = "[]",
     .example = "[HS256]",
     .help = "The signature algorithms taken from this issuer: HS, RS, PS and ES with 256, 384 or "
             "512, and EdDSA; empty: the usual one of the key."},
    {.name = "secret_file",
     .set = gw_set_file,
     .at = ISSUER(secret_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/jwt.secret",
     .help = "The file with the shared secret (HS...), such as KubeSphere's jwtSecret; one line "
             "end at its end is left out."},
    {.name = "public_key_file",
     .set = gw_set_file,
     .at = ISSUER(public_key_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/idp.pem",
     .help = "The file with the public key or certificate in PEM form (all but HS...)."},
    {.name = "jwks_file",
     .set = gw_set_file,
     .at = ISSUER(jwks_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/idp.jwks",
     .help = "The file with several keys, as a JWK or a JWK Set (RFC 7517); a token's kid chooses "
             "among them."},
    {.name = "jwks_url",
     .set = gw_set_text,
     .at = ISSUER(jwks_url),
     .initial = "\"\"",
     .example = "https://idp.example.com/keys",
     .help =
         "Where the issuer publishes its JWK Set; it is fetched, and followed when it changes."},
    {.name = "discovery",
     .set = gw_set_bool,
     .at = ISSUER(discovery),
     .initial = "false",
     .help = "Finds the JWK Set by `/.well-known/openid-configuration` below the issuer (OpenID "
             "Connect Discovery)."},
    {.name = "ca_file",
     .set = gw_set_file,
     .at = ISSUER(ca_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/idp-ca.pem",
     .help = "The CA certificates (PEM) that the issuer's https is checked by; empty: the "
             "system's."},
    {.name = "old_keys",
     .set = gw_set_duration,
     .at = ISSUER(old_keys_ms),
     .initial = "2h",
     .max = 2592000000,
     .help = "How long a key is still taken after it has left the fetched set: as long as the "
             "issuer's tokens live; 0: not at all."},
    {.name = "allow_weak_secret",
     .set = gw_set_bool,
     .at = ISSUER(allow_weak_secret),
     .initial = "false",
     .help = "Takes a secret that is shorter than its hash; only for development."},
    {.name = "audiences",
     .set = gw_set_text_list,
     .at = ISSUER(audiences),
     .initial = "[]",
     .example = "[kubesphere]",
     .help = "One of these must be in the claim aud; empty: it is not looked at."},
    {.name = "token_types",
     .set = gw_set_text_list,
     .at = ISSUER(token_types),
     .initial = "[access_token, static_token]",
     .help = "What the claim token_type may be; empty: it is not looked at.  Refresh tokens and "
             "codes are no credentials."},
    {.name = "claims",
     .set = gw_set_section,
     .at = CLAIM(username),
     .rows = claim_rows,
     .help = "Where the identity is in the token."},
    {.name = "token_cache",
     .set = gw_set_word,
     .at = ISSUER(token_cache),
     .words = token_cache_words,
     .initial = "none",
     .help =
         "redis: a token must also be in KubeSphere's own token cache (token_cache_redis), from "
         "which a logout takes it; a static_token need not."},
    {.name = "leeway",
     .set = gw_set_duration,
     .at = ISSUER(leeway_ms),
     .initial = "10s",
     .max = 300000,
     .help = "How far the issuer's clock may be from ours."},
    {0},
};

static const char *const users_words[] = {"any", "registered", NULL};

const struct gw_setting gw_jwt_rows[] = {
    {.name = "issuers",
     .set = gw_set_list,
     .at = offsetof(struct gw_jwt_settings, issuers),
     .rows = issuer_rows,
     .row_size = sizeof(struct gw_jwt_issuer),
     .help = "Whose tokens are taken, and by which keys.  The same issuer may stand here twice "
             "while its key changes."},
    {.name = "key_sets",
     .set = gw_set_section,
     .at = offsetof(struct gw_jwt_settings, key_sets),
     .rows = gw_jwt_fetch_rows,
     .help = "How the keys of issuers with jwks_url or discovery are fetched."},
    {.name = "token_cache",
     .set = gw_set_size,
     .at = offsetof(struct gw_jwt_settings, token_cache),
     .initial = "16MiB",
     .max = 1LL << 32,
     .help = "Memory of each worker for tokens that were verified once, some 220 bytes each; "
             "0: none."},
    {.name = "users",
     .set = gw_set_word,
     .at = offsetof(struct gw_jwt_settings, users),
     .words = users_words,
     .initial = "any",
     .help =
         "`registered`: whom a token names must be a User (or ServiceAccount) among the "
         "registered objects, and not be Disabled, as in KubeSphere; `any`: the issuer's word is "
         "enough."},
    {.name = "cookie",
     .set = gw_set_text,
     .at = PLACE(cookie),
     .initial = "\"\"",
     .example = "token",
     .help = "The cookie that holds a browser's token, of requests without `Authorization`; the "
             "console's is called token.  Methods other than GET, HEAD and OPTIONS, and upgrades, "
             "must then be shown to come from a page of this site.  Empty: cookies are no "
             "credentials."},
    {.name = "cookie_origins",
     .set = gw_set_text_list,
     .at = PLACE(cookie_origins),
     .initial = "[]",
     .example = "[\"https://console.example.com\"]",
     .help = "Other sites whose pages may use the cookie as those of this one may."},
    {.name = "cookie_private",
     .set = gw_set_text_list,
     .at = PLACE(cookie_private),
     .initial = "[refreshToken, refreshToken.sig]",
     .help = "Cookies that only the console gets, beside `cookie` and its `.sig`; if `cookie` is "
             "set."},
    {.name = "form_cookie",
     .set = gw_set_text,
     .at = PLACE(form_cookie),
     .initial = "XSRF-TOKEN",
     .help = "A cookie with a random value that the gateway gives to browsers that use `cookie`; a "
             "page that sends a form must repeat it in `form_header`."},
    {.name = "form_header",
     .set = gw_set_text,
     .at = PLACE(form_header),
     .initial = "X-XSRF-TOKEN",
     .help = "The header of a form's request that must have the value of `form_cookie`."},
    {.name = "query_token",
     .set = gw_set_bool,
     .at = PLACE(query_token),
     .initial = "false",
     .help = "Takes the token of an upgrade (a WebSocket) from the query's `access_token` too.  It "
             "may then stand in the logs of whatever is in front of the gateway."},
    {.name = "basic",
     .set = gw_set_word,
     .at = offsetof(struct gw_jwt_settings, basic.mode),
     .words = gw_basic_words,
     .initial = "core",
     .help = "What becomes of a name and password (Basic): ks-core judges them, on its own routes "
             "only (`core`); the registered users decide, on all routes (`users`); or they are "
             "refused (`off`)."},
    {.name = "passwords",
     .set = gw_set_section,
     .at = offsetof(struct gw_jwt_settings, basic),
     .rows = gw_basic_rows,
     .help = "How passwords are checked, with `basic: users`."},
    {.name = "token_cache_redis",
     .set = gw_set_section,
     .at = offsetof(struct gw_jwt_settings, presence),
     .rows = gw_jwt_presence_rows,
     .help = "KubeSphere's own token cache, for issuers with token_cache: redis."},
    {0},
};

/* Where the list stands, or would. */
static struct gw_place
place_of_list(const struct gw_loader *l)
{
    const json_t *root = gw_yaml_root(l->source);
    const json_t *section = json_object_get(root, "authentication");
    struct gw_place at = gw_yaml_key_place(l->source, section, "issuers");

    if (at.line == 0) {
        at = gw_yaml_key_place(l->source, root, "authentication");
    }
    if (at.line == 0) {
        at = gw_yaml_place(l->source, root);
    }
    return at.file != NULL ? at : (struct gw_place){.file = l->source->file};
}

bool
gw_jwt_issuers_open(struct gw_jwt_settings *s, struct gw_loader *l)
{
    static atomic_ullong last;
    struct gw_jwt_issuer *list = s->issuers.items;
    bool good = true;

    s->serial = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    if (s->issuers.n == 0 && l->source != NULL) {
        gw_diag_warn(l->diag, place_of_list(l),
                     "authentication.issuers: none are set, so every token is refused");
    }
    for (size_t i = 0; i < s->issuers.n; i++) {
        good = gw_jwt_row_open(&list[i], s->key_sets.file, l, i) && good;
        s->presence.used |= list[i].token_cache == GW_JWT_TOKEN_CACHE_REDIS;
    }
    good = gw_jwt_presence_open(&s->presence, l) && good;
    if (!good) {
        gw_jwt_issuers_close(s);
    }
    return good;
}

void
gw_jwt_issuers_close(struct gw_jwt_settings *s)
{
    struct gw_jwt_issuer *list = s->issuers.items;

    for (size_t i = 0; i < s->issuers.n; i++) {
        gw_jwt_keyset_unref(list[i].keys);
        list[i].keys = NULL;
    }
}

static bool
is_fetched(const struct gw_jwt_issuer *row)
{
    return row->discovery || (row->jwks_url != NULL && row->jwks_url[0] != '\0');
}

const char *
gw_jwt_issuers_file(const struct gw_jwt_settings *s)
{
    for (size_t i = 0; i < s->issuers.n; i++) {
        if (is_fetched(gw_jwt_issuer_at(s, i))) {
            return s->key_sets.file;
        }
    }
    return NULL;
}

void
gw_jwt_issuers_use(const struct gw_jwt_settings *s, struct gw_world *const *worlds, size_t n)
{
    struct gw_jwt_source **list = gw_mem_alloc((s->issuers.n + 1) * sizeof(struct gw_jwt_source *));
    size_t n_list = 0;

    for (size_t i = 0; i < s->issuers.n; i++) {
        struct gw_jwt_source *source = gw_jwt_issuer_at(s, i)->source;

        if (source != NULL) {
            gw_jwt_source_serve(source, n);
            list[n_list++] = source;
        }
    }
    gw_jwt_fetch_use(&s->key_sets, list, n_list, worlds, n);
    free(list);
}
