/*
 * cli_token.c - ksgate token: a token for tests and automation, from a key that the caller has.
 *
 * Signed by libjwt; what the gateway thinks of it is another file's business
 * (cli_token_decode.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "server/cli_token.h"

struct options {
    const char *issuer, *user, *ttl, *type, *secret_file, *key_file, *alg, *decode, *revocation,
        *output;
    struct gw_words groups, claims;
};

/* clang-format off */
static const struct gw_option options[] = {
    {'u', "user", "USER", GW_OPTION_TEXT, offsetof(struct options, user),
     "Whom the token is for."},
    {'g', "group", "GROUP", GW_OPTION_LIST, offsetof(struct options, groups),
     "A group of that user, repeatable; for issuers whose claims.groups is set."},
    {0, "ttl", "TIME", GW_OPTION_TEXT, offsetof(struct options, ttl),
     "How long it is good (default 1h); 0: for ever, then as a static_token."},
    {0, "type", "TYPE", GW_OPTION_TEXT, offsetof(struct options, type),
     "Its token_type (default access_token; without an end, static_token)."},
    {0, "claim", "NAME=VALUE", GW_OPTION_LIST, offsetof(struct options, claims),
     "One more claim, repeatable; a value that is JSON is taken as such, else as text."},
    {0, "issuer", "ISSUER", GW_OPTION_TEXT, offsetof(struct options, issuer),
     "Who makes it; by default the configuration's first issuer."},
    {0, "secret-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, secret_file),
     "The secret to sign with; by default the issuer's own of the configuration."},
    {0, "key-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, key_file),
     "The private key to sign with, PEM, instead of a secret."},
    {0, "alg", "ALGORITHM", GW_OPTION_TEXT, offsetof(struct options, alg),
     "HS256, RS256, ES256 ... (default: the issuer's first, or the usual one of the key)."},
    {0, "decode", "TOKEN", GW_OPTION_TEXT, offsetof(struct options, decode),
     "Shows this token, and whether and why the gateway would take it; -: from standard input."},
    {0, "revocation", "TOKEN", GW_OPTION_TEXT, offsetof(struct options, revocation),
     "Prints the Revocation object that ends this token, for ksgate apply; -: from standard input."},
    GW_OUTPUT_OPTION(struct options, output),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "",
    .options = options,
    .more =
        "Prints a signed token.  Issuer and secret come from the configuration (-c FILE) unless "
        "they are given.\n-o json and yaml print it as `token`, with its `claims` and when it "
        "`expires` "
        "(null: never).\n--decode exits with 0 when the gateway would take the token, else "
        "with 1.",
    .examples = "ksgate token --user admin\n"
                "ksgate token --issuer http://idp --key-file idp.key --alg ES256 --user tom\n"
                "ksgate token --decode \"$TOKEN\"\n"
                "ksgate token --revocation \"$TOKEN\" | ksgate apply -f -",
};

/* What to sign, and by what. */
struct plan {
    struct gw_arena *arena;
    const char *issuer, *username_claim, *groups_claim, *alg;
    struct gw_str key; /* NUL-terminated */
};

bool
gw_token_settings(const struct gw_cli *c, struct gw_arena *a, struct gw_jwt_settings *s,
                  struct gw_diag *diag)
{
    struct gw_yaml y = {0};
    struct gw_loader l = {.arena = a, .source = &y, .diag = diag};
    bool good = gw_yaml_read_file(&y, c->config, diag);
    json_t *section = json_object_get(gw_yaml_root(&y), "authentication");

    good = good && gw_yaml_expand_env_in(&y, section, diag) &&
           gw_schema_load(&l, s, section, gw_jwt_rows, "authentication", NULL) &&
           gw_jwt_issuers_open(s, &l);
    gw_yaml_fini(&y);
    return good;
}

/* Leaves one issuer in the section, the named or the first, and nothing else: what is not read may
 * be wrong, and its variables may be those of the gateway's environment alone. */
static void
keep_issuer(struct gw_yaml *y, json_t *section, const char *name)
{
    json_t *issuers = json_incref(json_object_get(section, "issuers"));
    size_t i = 0;

    for (; name != NULL && i < json_array_size(issuers); i++) {
        json_t *issuer = json_deep_copy(json_object_get(json_array_get(issuers, i), "issuer"));
        struct gw_diag unknown = {0}; /* one that can't be known is not the one */
        bool is_it = gw_yaml_expand_env_in(y, issuer, &unknown) && json_is_string(issuer) &&
                     strcmp(json_string_value(issuer), name) == 0;

        json_decref(issuer); /* a copy: it is expanded when it is read, and once is enough */
        gw_diag_fini(&unknown);
        if (is_it) {
            break;
        }
    }
    (void)json_object_clear(section);
    if (json_is_array(issuers)) {
        json_t *row = json_incref(json_array_get(issuers, i));

        (void)json_array_clear(issuers);
        if (row != NULL) {
            (void)json_array_append_new(issuers, row);
        }
    }
    if (issuers != NULL) {
        (void)json_object_set_new(section, "issuers", issuers);
    }
}

/* The issuer's settings alone, with its keys if they are wanted. */
static bool
read_issuer(const struct gw_cli *c, struct gw_arena *a, struct gw_jwt_settings *s, const char *name,
            bool keys, struct gw_diag *diag)
{
    struct gw_yaml y = {0};
    struct gw_loader l = {.arena = a, .source = &y, .diag = diag};
    bool good = gw_yaml_read_file(&y, c->config, diag);
    json_t *section = json_object_get(gw_yaml_root(&y), "authentication");

    if (json_is_object(section)) {
        keep_issuer(&y, section, name);
    }
    good = good && gw_yaml_expand_env_in(&y, section, diag) &&
           gw_schema_load(&l, s, section, gw_jwt_rows, "authentication", NULL) &&
           (!keys || gw_jwt_issuers_open(s, &l));
    gw_yaml_fini(&y);
    return good;
}

/* The first secret among the row's keys, and what it signs with; false: there is none. */
static bool
take_secret(const struct gw_jwt_issuer *row, struct plan *p)
{
    size_t n = row->keys == NULL ? 0 : row->keys->n;

    for (size_t i = 0; i < n; i++) {
        const struct gw_jwt_key *key = row->keys->keys[i];
        bool named = row->algorithms != NULL && row->algorithms[0] != NULL;
        unsigned at = 0;
        const struct gw_jwt_alg *alg = gw_jwt_alg_next(gw_jwt_issuer_algs(row, key), &at);

        if (key->secret != NULL && alg != NULL) {
            struct gw_str secret = {(const char *)key->secret, key->secret_bytes};

            p->alg = named && n == 1 ? row->algorithms[0] : alg->name;
            p->key = gw_arena_str(p->arena, secret);
            return true;
        }
    }
    return false;
}

static int
plan_from_config(const struct gw_cli *c, const struct options *o, struct plan *p)
{
    struct gw_jwt_settings s = {0};
    struct gw_diag diag = {0};
    int code = GW_CLI_GO;

    bool keys = o->key_file == NULL && o->secret_file == NULL;

    if (!read_issuer(c, p->arena, &s, o->issuer, keys, &diag)) {
        return gw_cli_findings(&diag);
    }
    const struct gw_jwt_issuer *row = s.issuers.n > 0 ? gw_jwt_issuer_at(&s, 0) : NULL;
    if (row == NULL) {
        code = gw_cli_fail(c, "%s has no issuer%s%s", c->config, o->issuer == NULL ? "" : " ",
                           o->issuer == NULL ? "" : o->issuer);
    } else {
        p->issuer = row->issuer;
        p->username_claim = row->claims.username;
        p->groups_claim = row->claims.groups;
        if (keys && !take_secret(row, p)) {
            code = gw_cli_fail(c, "the gateway has only the public key of %s; use --key-file",
                               row->issuer);
        }
    }
    gw_jwt_issuers_close(&s);
    gw_diag_fini(&diag);
    return code;
}

/* The usual algorithm of a private key, or NULL when it is none. */
static const char *
alg_of(struct gw_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    struct gw_jwt_key key = {.pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)};
    const struct gw_jwt_alg *alg = key.pkey == NULL ? NULL : gw_jwt_key_default(&key);

    BIO_free(bio);
    ERR_clear_error();
    EVP_PKEY_free(key.pkey);
    return alg == NULL ? NULL : alg->name;
}

/* From --secret-file or --key-file. */
static int
read_key(const struct gw_cli *c, const struct options *o, struct plan *p)
{
    const char *file = o->secret_file != NULL ? o->secret_file : o->key_file;
    struct gw_jwt_key *secret = NULL;
    struct gw_str text;
    const char *why = "";

    if (!gw_jwt_read_file(p->arena, file, &text, &why) ||
        (o->secret_file != NULL && (secret = gw_jwt_key_secret(text, &why)) == NULL)) {
        return gw_cli_fail(c, "%s %s", file, why);
    }
    if (secret != NULL) {
        text = (struct gw_str){(const char *)secret->secret, secret->secret_bytes};
    }
    p->key = gw_arena_str(p->arena, text);
    p->alg = o->secret_file != NULL ? "HS256" : alg_of(p->key);
    gw_jwt_key_unref(secret);
    return p->alg != NULL ? GW_CLI_GO
                          : gw_cli_fail(c, "%s holds no private key that can sign tokens", file);
}

static int
make_plan(const struct gw_cli *c, const struct options *o, struct plan *p)
{
    bool own_key = o->secret_file != NULL || o->key_file != NULL;
    int code = GW_CLI_GO;

    if (o->secret_file != NULL && o->key_file != NULL) {
        return gw_cli_misuse(c, "--secret-file and --key-file can't be used together");
    }
    p->username_claim = "username";
    p->groups_claim = "groups";
    if (own_key && o->issuer != NULL) {
        p->issuer = o->issuer; /* the configuration need not be there */
    } else {
        code = plan_from_config(c, o, p);
    }
    if (code == GW_CLI_GO && own_key) {
        code = read_key(c, o, p);
    }
    p->alg = o->alg != NULL ? o->alg : p->alg;
    if (code == GW_CLI_GO && o->groups.n > 0 && p->groups_claim[0] == '\0') {
        code =
            gw_cli_misuse(c, "--group: %s takes no groups from tokens (claims.groups)", p->issuer);
    }
    return code;
}

/* NAME=VALUE */
static bool
add_claim(json_t *claims, const char *text)
{
    struct gw_str value = gw_str_of(text);
    struct gw_str name = gw_str_cut(&value, '=');

    if (name.n == 0 || value.p == NULL) {
        return false;
    }
    json_t *json = json_loadb(value.p, value.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL) {
        json = json_stringn(value.p, value.n);
    }
    return json_object_setn_new(claims, name.p, name.n, json) == 0;
}

/* NULL: said on stderr, and *code is the exit code. */
static json_t *
make_claims(const struct gw_cli *c, const struct options *o, const struct plan *p, int *code)
{
    long long now = (long long)(gw_clock_wall_ms() / 1000);
    long long ttl_ms = 3600000;

    if (o->ttl != NULL && !gw_parse_duration(gw_str_of(o->ttl), &ttl_ms)) {
        *code = gw_cli_misuse(c, "--ttl %s is no time such as 10m or 1h30m", o->ttl);
        return NULL;
    }
    const char *usual = ttl_ms > 0 ? "access_token" : "static_token"; /* only that may last */
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:I}", "iss", p->issuer, "sub", o->user, "token_type",
                  o->type == NULL ? usual : o->type, "iat", (json_int_t)now);
    *code = GW_EXIT_OK;
    if (claims == NULL) {
        *code = gw_cli_misuse(c, "the user, the issuer and the type must be UTF-8");
        return NULL;
    }
    json_object_set_new(claims, p->username_claim, json_string(o->user));
    if (ttl_ms > 0) {
        json_object_set_new(claims, "exp", json_integer(now + ttl_ms / 1000));
    }
    if (o->groups.n > 0) {
        json_t *groups = json_array();

        for (size_t i = 0; i < o->groups.n; i++) {
            json_array_append_new(groups, json_string(o->groups.list[i]));
        }
        json_object_set_new(claims, p->groups_claim, groups);
    }
    for (size_t i = 0; i < o->claims.n && *code == GW_EXIT_OK; i++) {
        if (!add_claim(claims, o->claims.list[i])) {
            *code = gw_cli_misuse(c, "--claim %s: expected NAME=VALUE", o->claims.list[i]);
        }
    }
    if (*code != GW_EXIT_OK) {
        json_decref(claims);
        claims = NULL;
    }
    return claims;
}

/* The algorithm by its exact name: libjwt would take "hs256" too. */
static bool
find_alg(const char *name, jwt_alg_t *alg)
{
    const struct gw_jwt_alg *known = gw_jwt_alg_find(gw_str_of(name));

    *alg = known == NULL ? JWT_ALG_INVAL : jwt_str_alg(name);
    return *alg != JWT_ALG_INVAL && *alg != JWT_ALG_NONE;
}

/* The token; NULL: said on stderr, and *code is the exit code.  Freed by free(). */
static char *
sign(const struct gw_cli *c, const struct plan *p, const json_t *claims, int *code)
{
    char *text = json_dumps(claims, JSON_COMPACT);
    jwt_t *jwt = NULL;
    char *token = NULL;
    jwt_alg_t alg = JWT_ALG_INVAL;

    if (!find_alg(p->alg, &alg)) {
        *code = gw_cli_misuse(c, "--alg %s: tokens are signed by HS, RS or ES with 256, 384 or 512",
                              p->alg);
    } else if (text == NULL || jwt_new(&jwt) != 0 || jwt_add_grants_json(jwt, text) != 0 ||
               jwt_set_alg(jwt, alg, (const unsigned char *)p->key.p, (int)p->key.n) != 0 ||
               (token = jwt_encode_str(jwt)) == NULL) {
        *code = gw_cli_fail(c, "the key is not one for %s", p->alg);
    }
    jwt_free(jwt);
    free(text);
    return token;
}

/* Alone on its line; or with what stands in it. */
static int
print_token(const struct gw_cli *c, const char *token, json_t *claims, enum gw_output format)
{
    const json_t *exp = json_object_get(claims, "exp");
    struct gw_buf out = {0};

    if (format == GW_OUTPUT_TABLE) {
        gw_buf_printf(&out, "%s\n", token);
        return gw_cli_print(c, &out);
    }
    if (json_is_integer(exp) && json_integer_value(exp) >= 0 &&
        json_integer_value(exp) < GW_CLOCK_LATEST_S) {
        gw_clock_rfc3339(&out, (uint64_t)json_integer_value(exp) * 1000);
    }
    json_t *json =
        json_pack("{s:s, s:s?, s:O}", "token", token, "expires", out.p, "claims", claims);
    int code = gw_cli_print_json(c, format, json);

    json_decref(json);
    gw_buf_fini(&out);
    return code;
}

static int
mint(const struct gw_cli *c, const struct options *o, enum gw_output format)
{
    struct plan p = {.arena = gw_arena_new()};
    json_t *claims = NULL;
    int code = make_plan(c, o, &p);

    if (code == GW_CLI_GO) {
        claims = make_claims(c, o, &p, &code);
    }
    if (claims != NULL) {
        char *token = sign(c, &p, claims, &code);

        code = token == NULL ? code : print_token(c, token, claims, format);
        free(token);
        json_decref(claims);
    }
    gw_arena_free(p.arena);
    return code;
}

int
gw_cli_token(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    enum gw_output format;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    gw_words_fini(&args);
    if (!gw_cli_output(c, o.output, &format)) {
        code = GW_EXIT_USAGE;
    } else if (o.decode != NULL) {
        code = gw_token_decode(c, o.decode, format);
    } else if (o.revocation != NULL) {
        code = gw_token_revocation(c, o.revocation, format);
    } else if (o.user == NULL || o.user[0] == '\0') {
        code = gw_cli_misuse(c, "--user is needed, or --decode or --revocation");
    } else {
        code = mint(c, &o, format);
    }
    gw_words_fini(&o.groups);
    gw_words_fini(&o.claims);
    return code;
}
