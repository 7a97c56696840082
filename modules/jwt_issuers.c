#include "modules/jwt_issuers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#define KEY_FILE_MAX  65536

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
     .set = gw_set_text,
     .at = ISSUER(secret_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/jwt.secret",
     .help = "The file with the shared secret (HS...), such as KubeSphere's jwtSecret; one line "
             "end at its end is left out."},
    {.name = "public_key_file",
     .set = gw_set_text,
     .at = ISSUER(public_key_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/idp.pem",
     .help = "The file with the public key or certificate in PEM form (all but HS...)."},
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
    {.name = "leeway",
     .set = gw_set_duration,
     .at = ISSUER(leeway_ms),
     .initial = "10s",
     .max = 300000,
     .help = "How far the issuer's clock may be from ours."},
    {0},
};

const struct gw_setting gw_jwt_rows[] = {
    {.name = "issuers",
     .set = gw_set_list,
     .at = offsetof(struct gw_jwt_settings, issuers),
     .rows = issuer_rows,
     .row_size = sizeof(struct gw_jwt_issuer),
     .help = "Whose tokens are taken, and by which keys.  The same issuer may stand here twice "
             "while its key changes."},
    {.name = "token_cache",
     .set = gw_set_size,
     .at = offsetof(struct gw_jwt_settings, token_cache),
     .initial = "64MiB",
     .max = 1LL << 32,
     .help = "Memory of each worker for tokens that were verified once; 0: none."},
    {0},
};

/* Where issuers[i].name stands in the file; else where the issuer does. */
static struct gw_place
place_of(const struct gw_loader *l, size_t i, const char *name)
{
    const json_t *root = l->source == NULL || l->source->n_docs == 0 ? NULL : l->source->docs[0];
    const json_t *row =
        json_array_get(json_object_get(json_object_get(root, "authentication"), "issuers"), i);
    struct gw_place at = gw_yaml_key_place(l->source, row, name);

    return at.line > 0 ? at : gw_yaml_place(l->source, row);
}

bool
gw_jwt_read_file(struct gw_arena *a, const char *path, struct gw_str *text, const char **why)
{
    char *bytes = gw_arena_raw(a, KEY_FILE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && n <= KEY_FILE_MAX) {
        got = read(fd, bytes + n, KEY_FILE_MAX + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    *why = got < 0 ? gw_arena_printf(a, "can't be read: %s", strerror(errno))
                   : "is larger than 64 KiB";
    if (fd >= 0) {
        (void)close(fd);
    }
    *text = (struct gw_str){bytes, n};
    return got == 0;
}

static bool
is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool
open_key(struct gw_jwt_issuer *s, struct gw_loader *l, size_t i)
{
    bool secret = is_given(s->secret_file);
    const char *row = secret ? "secret_file" : "public_key_file";
    const char *file = secret ? s->secret_file : s->public_key_file;
    const char *why = NULL;
    struct gw_str text;

    if (secret == is_given(s->public_key_file)) {
        gw_diag_error(l->diag, place_of(l, i, row),
                      "authentication.issuers[%zu]: exactly one of secret_file and public_key_file "
                      "is needed",
                      i);
        return false;
    }
    if (!gw_jwt_read_file(l->arena, file, &text, &why) ||
        !(secret ? gw_jwt_key_secret(&s->key, text, &why) : gw_jwt_key_pem(&s->key, text, &why))) {
        gw_diag_error(l->diag, place_of(l, i, row), "authentication.issuers[%zu].%s: %s %s", i, row,
                      file, why);
        return false;
    }
    return true;
}

static bool
check_strength(struct gw_jwt_issuer *s, struct gw_loader *l, size_t i, const struct gw_jwt_alg *alg)
{
    const char *row = s->key.pkey == NULL ? "secret_file" : "public_key_file";
    const char *weak = gw_jwt_key_weakness(&s->key, alg);

    if (weak == NULL) {
        return true;
    }
    if (s->key.pkey == NULL && s->allow_weak_secret) {
        gw_diag_warn(l->diag, place_of(l, i, row), "authentication.issuers[%zu].%s: %s (%s)", i,
                     row, weak, alg->name);
        return true;
    }
    gw_diag_error(l->diag, place_of(l, i, row), "authentication.issuers[%zu].%s: %s (%s)%s", i, row,
                  weak, alg->name,
                  s->key.pkey == NULL ? "; allow_weak_secret: true takes it for development" : "");
    return false;
}

static bool
add_algorithm(struct gw_jwt_issuer *s, struct gw_loader *l, size_t i, const char *name)
{
    const struct gw_jwt_alg *alg = gw_jwt_alg_find(gw_str_of(name));
    const char *misfit = alg == NULL ? NULL : gw_jwt_key_misfit(&s->key, alg);
    struct gw_place at = place_of(l, i, "algorithms");

    if (alg == NULL) {
        const char *near = gw_diag_nearest(gw_str_of(name), gw_jwt_alg_names());

        gw_diag_error(l->diag, at,
                      "authentication.issuers[%zu].algorithms: unknown algorithm \"%s\"%s%s%s", i,
                      name, near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
                      near == NULL ? "" : "\"?)");
        return false;
    }
    if (misfit != NULL) {
        gw_diag_error(l->diag, at, "authentication.issuers[%zu].algorithms: %s %s", i, name,
                      misfit);
        return false;
    }
    for (size_t k = 0; k < s->n_algs; k++) {
        if (s->algs[k] == alg) {
            return true; /* written twice */
        }
    }
    s->algs[s->n_algs++] = alg;
    return check_strength(s, l, i, alg);
}

static bool
open_issuer(struct gw_jwt_issuer *s, struct gw_loader *l, size_t i)
{
    bool good = true;

    if (!open_key(s, l, i)) {
        return false;
    }
    for (size_t k = 0; s->algorithms != NULL && s->algorithms[k] != NULL; k++) {
        good = add_algorithm(s, l, i, s->algorithms[k]) && good;
    }
    if (!good || s->n_algs > 0) {
        return good;
    }
    const struct gw_jwt_alg *usual = gw_jwt_key_default(&s->key);
    if (usual == NULL) {
        gw_diag_error(l->diag, place_of(l, i, "public_key_file"),
                      "authentication.issuers[%zu].public_key_file: %s is no RSA, P-256, P-384, "
                      "P-521 or Ed25519 key",
                      i, s->public_key_file);
        return false;
    }
    s->algs[s->n_algs++] = usual;
    return check_strength(s, l, i, usual);
}

bool
gw_jwt_issuers_open(struct gw_jwt_settings *s, struct gw_loader *l)
{
    static atomic_ullong last;
    struct gw_jwt_issuer *list = s->issuers.items;
    bool good = true;

    s->serial = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    if (s->issuers.n == 0 && l->source != NULL) {
        gw_diag_warn(l->diag, (struct gw_place){.file = l->source->file},
                     "authentication.issuers: none are set, so every token is refused");
    }
    for (size_t i = 0; i < s->issuers.n; i++) {
        good = open_issuer(&list[i], l, i) && good;
    }
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
        gw_jwt_key_fini(&list[i].key);
    }
}
