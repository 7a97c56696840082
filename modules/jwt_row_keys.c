#include "modules/jwt_row_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "modules/jwt_curl.h"
#include "modules/jwt_http.h"
#include "modules/jwt_jwk.h"

#define KEY_FILE_MAX GW_JWKS_BYTES_MAX

/* The row that is being opened, and the setting that its keys come from. */
struct opening {
    struct gw_jwt_issuer *row;
    struct gw_loader *l;
    size_t i;
    const char *setting, *value;
};

/* Where issuers[i].name stands in the file; else where the issuer does. */
static struct gw_place
place_of(const struct opening *o, const char *name)
{
    const struct gw_yaml *source = o->l->source;
    const json_t *root = gw_yaml_root(source);
    const json_t *row =
        json_array_get(json_object_get(json_object_get(root, "authentication"), "issuers"), o->i);
    struct gw_place at = gw_yaml_key_place(source, row, name);

    return at.line > 0 ? at : gw_yaml_place(source, row);
}

bool
gw_jwt_read_file(struct gw_arena *a, const char *path, struct gw_str *text, const char **why)
{
    char chunk[4096];
    struct gw_buf bytes = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && bytes.n <= KEY_FILE_MAX) {
        got = read(fd, chunk, sizeof(chunk));
        gw_buf_add(&bytes, chunk, got > 0 ? (size_t)got : 0);
    }
    *why = got < 0 ? gw_arena_printf(a, "can't be read: %s", strerror(errno))
                   : "is larger than 256 KiB";
    if (fd >= 0) {
        (void)close(fd);
    }
    *text = gw_arena_str(a, gw_buf_text(&bytes));
    OPENSSL_cleanse(chunk, sizeof(chunk));
    if (bytes.p != NULL) {
        OPENSSL_cleanse(bytes.p, bytes.n);
    }
    gw_buf_fini(&bytes);
    return got == 0;
}

/* ---- where the keys are --------------------------------------------------------------------- */

/* The setting that is given; false unless it is just one. */
static bool
choose(struct opening *o)
{
    const struct gw_jwt_issuer *row = o->row;
    const struct {
        const char *name, *value;
    } all[] = {
        {"secret_file", row->secret_file},
        {"public_key_file", row->public_key_file},
        {"jwks_file", row->jwks_file},
        {"jwks_url", row->jwks_url},
        {"discovery", row->discovery ? row->issuer : NULL},
    };
    unsigned n = 0;

    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        if (all[k].value != NULL && all[k].value[0] != '\0') {
            o->setting = all[k].name;
            o->value = all[k].value;
            n++;
        }
    }
    if (n != 1) {
        gw_diag_error(o->l->diag, place_of(o, n == 0 ? "issuer" : o->setting),
                      "authentication.issuers[%zu]: exactly one of secret_file, public_key_file, "
                      "jwks_file, jwks_url and discovery is needed",
                      o->i);
    }
    return n == 1;
}

static bool
read_set(struct opening *o, struct gw_str text)
{
    const char *about = gw_arena_printf(o->l->arena, "authentication.issuers[%zu].%s: %s", o->i,
                                        o->setting, o->value);
    struct gw_jwks_rules rules = {.allow_weak_secret = o->row->allow_weak_secret};
    struct gw_jwks set;
    bool good = gw_jwks_read(&set, text, rules, o->l->diag, place_of(o, o->setting), about);

    if (good) {
        o->row->keys = gw_jwt_keyset_new(set.keys, set.n);
    }
    gw_jwks_fini(&set);
    return good;
}

static bool
read_keys(struct opening *o)
{
    struct gw_jwt_key *key = NULL;
    const char *why = NULL;
    struct gw_str text;

    if (gw_jwt_read_file(o->l->arena, o->value, &text, &why)) {
        if (o->value == o->row->jwks_file) {
            return read_set(o, text);
        }
        key = o->value == o->row->secret_file ? gw_jwt_key_secret(text, &why)
                                              : gw_jwt_key_pem(text, &why);
    }
    if (key == NULL) {
        gw_diag_error(o->l->diag, place_of(o, o->setting), "authentication.issuers[%zu].%s: %s %s",
                      o->i, o->setting, o->value, why);
        return false;
    }
    o->row->keys = gw_jwt_keyset_new(&key, 1);
    gw_jwt_key_unref(key);
    return true;
}

/* ---- what they may be used for --------------------------------------------------------------- */

static bool
check_strength(struct opening *o, const struct gw_jwt_key *key, const struct gw_jwt_alg *alg)
{
    const char *weak = gw_jwt_key_weakness(key, alg);

    if (weak == NULL) {
        return true;
    }
    if (key->pkey == NULL && o->row->allow_weak_secret) {
        gw_diag_warn(o->l->diag, place_of(o, o->setting), "authentication.issuers[%zu].%s: %s (%s)",
                     o->i, o->setting, weak, alg->name);
        return true;
    }
    gw_diag_error(o->l->diag, place_of(o, o->setting), "authentication.issuers[%zu].%s: %s (%s)%s",
                  o->i, o->setting, weak, alg->name,
                  key->pkey == NULL ? "; allow_weak_secret: true takes it for development" : "");
    return false;
}

/* The names in `algorithms`, as bits. */
static bool
read_algorithms(struct opening *o)
{
    const char *const *names = o->row->algorithms;
    bool good = true;

    for (size_t k = 0; names != NULL && names[k] != NULL; k++) {
        const struct gw_jwt_alg *alg = gw_jwt_alg_find(gw_str_of(names[k]));
        const char *near = gw_diag_nearest(gw_str_of(names[k]), gw_jwt_alg_names());

        if (alg != NULL) {
            o->row->algs |= gw_jwt_alg_bit(alg);
            continue;
        }
        gw_diag_error(o->l->diag, place_of(o, "algorithms"),
                      "authentication.issuers[%zu].algorithms: unknown algorithm \"%s\"%s%s%s",
                      o->i, names[k], near == NULL ? "" : " (did you mean \"",
                      near == NULL ? "" : near, near == NULL ? "" : "\"?)");
        good = false;
    }
    return good;
}

/* The only key there is: all that is asked of it, it has to be able to do. */
static bool
check_key(struct opening *o, const struct gw_jwt_key *key)
{
    const struct gw_jwt_alg *alg = gw_jwt_key_default(key);
    bool good = true;
    unsigned at = 0;

    if (alg == NULL) {
        gw_diag_error(
            o->l->diag, place_of(o, o->setting),
            "authentication.issuers[%zu].%s: %s is no RSA, P-256, P-384, P-521 or Ed25519 "
            "key",
            o->i, o->setting, o->value);
        return false;
    }
    if (o->row->algs == 0) {
        return check_strength(o, key, alg);
    }
    while ((alg = gw_jwt_alg_next(o->row->algs, &at)) != NULL) {
        const char *misfit = gw_jwt_key_misfit(key, alg);

        if (misfit != NULL) {
            gw_diag_error(o->l->diag, place_of(o, "algorithms"),
                          "authentication.issuers[%zu].algorithms: %s %s", o->i, alg->name, misfit);
        }
        good = misfit == NULL && check_strength(o, key, alg) && good;
    }
    return good;
}

/* The other keys of a set may be for the other algorithms; but one has to be for one. */
static bool
check_set(struct opening *o)
{
    const struct gw_jwt_keyset *keys = o->row->keys;
    const struct gw_jwt_alg *alg;
    unsigned at = 0;

    if (o->row->algs != 0 && (o->row->algs & keys->algs) == 0) {
        gw_diag_error(o->l->diag, place_of(o, "algorithms"),
                      "authentication.issuers[%zu].algorithms: none of the keys in %s is for them",
                      o->i, o->value);
        return false;
    }
    while ((alg = gw_jwt_alg_next(o->row->algs & ~keys->algs, &at)) != NULL) {
        gw_diag_warn(o->l->diag, place_of(o, "algorithms"),
                     "authentication.issuers[%zu].algorithms: no key in %s is for %s", o->i,
                     o->value, alg->name);
    }
    for (size_t k = 0; k < keys->n; k++) {
        at = 0;
        alg = gw_jwt_alg_next(gw_jwt_issuer_algs(o->row, keys->keys[k]), &at);
        if (alg != NULL) {
            (void)check_strength(o, keys->keys[k], alg); /* a warning: else it would not be there */
        }
    }
    return true;
}

/* ---- keys that are fetched --------------------------------------------------------------------
 */

static bool
check_url(const struct opening *o)
{
    bool https = strncasecmp(o->value, "https://", 8) == 0;
    struct gw_place at = place_of(o, o->value == o->row->issuer ? "issuer" : o->setting);

    if (gw_jwt_url_has_user(o->value)) { /* not shown: there may be a password in it */
        gw_diag_error(o->l->diag, at,
                      "authentication.issuers[%zu].%s: the URL has a user's name (and password) in "
                      "it: keys are public, and fetched without",
                      o->i, o->value == o->row->issuer ? "issuer" : o->setting);
        return false;
    }
    if (!https && strncasecmp(o->value, "http://", 7) != 0) {
        gw_diag_error(o->l->diag, at,
                      "authentication.issuers[%zu].%s: \"%.*s\" is no URL with http:// or https://",
                      o->i, o->setting, GW_STR_ARG(gw_jwt_url_shown(o->value)));
        return false;
    }
    if (o->row->discovery && strpbrk(o->value, "?#") != NULL) {
        gw_diag_error(o->l->diag, place_of(o, "issuer"),
                      "authentication.issuers[%zu].issuer: discovery needs an issuer without query "
                      "and fragment",
                      o->i);
        return false;
    }
    if (!https && !gw_jwt_url_is_loopback(o->value)) {
        gw_diag_warn(o->l->diag, place_of(o, o->setting),
                     "authentication.issuers[%zu].%s: whoever is between here and there can put in "
                     "keys of their own: use https",
                     o->i, o->setting);
    }
    return true;
}

static bool
check_fetched_algorithms(const struct opening *o)
{
    const struct gw_jwt_alg *alg;
    unsigned at = 0;

    while ((alg = gw_jwt_alg_next(o->row->algs, &at)) != NULL) {
        if (alg->family == GW_JWT_HMAC) {
            gw_diag_error(
                o->l->diag, place_of(o, "algorithms"),
                "authentication.issuers[%zu].algorithms: %s needs a secret, and keys that "
                "are published are none",
                o->i, alg->name);
            return false;
        }
    }
    return true;
}

static bool
check_ca_file(const struct opening *o, bool fetched)
{
    struct gw_place at = place_of(o, "ca_file");

    if (o->row->ca_file == NULL || o->row->ca_file[0] == '\0') {
        return true;
    }
    if (!fetched) {
        gw_diag_warn(
            o->l->diag, at,
            "authentication.issuers[%zu].ca_file: is only used with jwks_url and discovery", o->i);
    } else if (access(o->row->ca_file, R_OK) != 0) {
        gw_diag_error(o->l->diag, at, "authentication.issuers[%zu].ca_file: %s can't be read: %s",
                      o->i, o->row->ca_file, strerror(errno));
        return false;
    }
    return true;
}

/* OpenID Connect Discovery 1.0, 4: a slash at the issuer's end is not doubled. */
static const char *
document_of(const struct opening *o)
{
    struct gw_str issuer = gw_str_of(o->row->issuer);

    issuer.n -= issuer.n > 0 && issuer.p[issuer.n - 1] == '/';
    return gw_arena_printf(o->l->arena, "%.*s/.well-known/openid-configuration",
                           GW_STR_ARG(issuer));
}

static bool
open_source(struct opening *o, const char *known)
{
    struct gw_jwt_issuer *row = o->row;

    bool good = check_url(o);

    good = read_algorithms(o) && good;
    good = check_fetched_algorithms(o) && good;
    good = check_ca_file(o, true) && good;
    if (!good) {
        return false;
    }
    const char *why = NULL;
    if (!gw_curl_load(&why)) {
        gw_diag_error(o->l->diag, place_of(o, o->setting),
                      "authentication.issuers[%zu].%s: keys are fetched by libcurl, which can't be "
                      "loaded (Debian's package libcurl4): %s",
                      o->i, o->setting, why);
        return false;
    }
    const struct gw_jwt_source_name name = {
        .issuer = row->issuer,
        .url = row->discovery ? document_of(o) : row->jwks_url,
        .ca_file = row->ca_file == NULL ? "" : row->ca_file,
        .discovery = row->discovery,
        .old_keys_ms = row->old_keys_ms,
    };
    row->source = gw_jwt_source_open(&name, known, o->l->diag, place_of(o, o->setting));
    return true;
}

/* Keys that are in a file. */
static bool
open_file(struct opening *o)
{
    bool good = check_ca_file(o, false);

    good = read_algorithms(o) && good;
    if (!read_keys(o)) {
        return false;
    }
    if (o->row->algs == 0 && !good) { /* none of the names is known: a guess would say too much */
        return false;
    }
    return (o->value == o->row->jwks_file ? check_set(o) : check_key(o, o->row->keys->keys[0])) &&
           good;
}

bool
gw_jwt_row_open(struct gw_jwt_issuer *row, const char *known, struct gw_loader *l, size_t i)
{
    struct opening o = {.row = row, .l = l, .i = i};

    if (!choose(&o)) {
        (void)read_algorithms(&o);
        return false;
    }
    return o.value == row->jwks_url || o.value == row->issuer ? open_source(&o, known)
                                                              : open_file(&o);
}
