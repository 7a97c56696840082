#include "modules/identity_settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/log.h"

#define KEY_FILE "identity.key"

/* For the metrics, which know no settings. */
static char served_kid[GW_IDENTITY_KID + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* clang-format off */
const struct gw_setting gw_identity_rows[] = {
    {.name = "issuer", .set = gw_set_text, .at = offsetof(struct gw_identity_settings, issuer), .initial = "ksgate",
     .example = "https://gateway.example.com",
     .help = "The claim iss of assertions, the tokens that the gateway signs for extensions with `identity: assertion`."},
    {.name = "signing_key_file", .set = gw_set_file, .at = offsetof(struct gw_identity_settings, signing_key_file),
     .initial = "\"\"", .example = "/etc/ksgate/identity.key",
     .help = "The private key (PEM, P-256) that assertions are signed by; the same in all gateways that share a registry. Left out, and with `registry.driver: sqlite`: one is made at the first start and kept as `identity.key` beside the registry's file."},
    {.name = "previous_key_files", .set = gw_set_file_list, .at = offsetof(struct gw_identity_settings, previous_key_files),
     .initial = "[]", .example = "[/etc/ksgate/identity-2025.pem]",
     .help = "Keys (PEM, private or public) that are published in `/-/jwks.json` beside the signing one: those that were it before, and the one that will be next."},
    {.name = "lifetime", .set = gw_set_duration, .at = offsetof(struct gw_identity_settings, lifetime_ms), .initial = "60s",
     .min = 10000, .max = 3600000,
     .help = "How long an assertion is good (exp); it is sent again to the same extension for the same user during the first half of it."},
    {.name = "leeway", .set = gw_set_duration, .at = offsetof(struct gw_identity_settings, leeway_ms), .initial = "5s",
     .max = 300000, .help = "How far a backend's clock may be behind ours: nbf is so much before iat."},
    {.name = "jwks_max_age", .set = gw_set_duration, .at = offsetof(struct gw_identity_settings, jwks_max_age_ms), .initial = "5m",
     .max = 86400000, .help = "How long backends may keep what `/-/jwks.json` said (Cache-Control)."},
    {.name = "cache", .set = gw_set_size, .at = offsetof(struct gw_identity_settings, cache), .initial = "16MiB",
     .max = 1LL << 32, .help = "Memory of each worker for assertions that may be sent again; 0: each request gets a new one."},
    {0},
};
/* clang-format on */

static struct gw_place
place_of(const struct gw_loader *l, const char *name)
{
    const json_t *root = gw_yaml_root(l->source);

    return gw_yaml_key_place(l->source, json_object_get(root, "identity"), name);
}

/* Whoever has the key can be anybody to every extension. */
static void
warn_of_readers(const char *file, struct gw_loader *l)
{
    struct stat st;

    if (stat(file, &st) == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        gw_diag_warn(l->diag, place_of(l, "signing_key_file"),
                     "identity.signing_key_file: others than its owner and group may open %s; "
                     "whoever reads it can tell extensions to be anybody",
                     file);
    }
}

typedef bool take_fn(struct gw_identity_keys *k, struct gw_str pem, const char **why);

static bool
take_file(struct gw_identity_settings *s, const char *file, take_fn *take, const char **why)
{
    struct gw_str pem;

    if (!gw_identity_key_read(file, &pem, why)) {
        return false;
    }
    bool good = take(&s->keys, pem, why);
    gw_identity_key_forget(pem);
    return good;
}

static bool
open_signing(struct gw_identity_settings *s, struct gw_loader *l)
{
    const char *why = "";

    if (s->signing_key_file == NULL || s->signing_key_file[0] == '\0') {
        s->no_key = l->state != NULL
                        ? "its own could not be made or read; the log of the start says why"
                        : "gateways that share a registry need the same key, by name";
        s->own_file = l->state == NULL ? NULL : gw_arena_printf(l->arena, "%s/" KEY_FILE, l->state);
        return true;
    }
    if (!take_file(s, s->signing_key_file, gw_identity_keys_sign, &why)) {
        gw_diag_error(l->diag, place_of(l, "signing_key_file"), "identity.signing_key_file: %s: %s",
                      s->signing_key_file, why);
        return false;
    }
    warn_of_readers(s->signing_key_file, l);
    return true;
}

static bool
open_previous(struct gw_identity_settings *s, struct gw_loader *l)
{
    bool good = true;

    for (size_t i = 0; s->previous_key_files != NULL && s->previous_key_files[i] != NULL; i++) {
        const char *why = "";

        if (!take_file(s, s->previous_key_files[i], gw_identity_keys_publish, &why)) {
            gw_diag_error(l->diag, place_of(l, "previous_key_files"),
                          "identity.previous_key_files[%zu]: %s: %s", i, s->previous_key_files[i],
                          why);
            good = false;
        }
    }
    return good;
}

bool
gw_identity_settings_open(struct gw_identity_settings *s, struct gw_loader *l)
{
    static atomic_ullong last;
    bool good = open_signing(s, l);

    s->serial = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    good = open_previous(s, l) && good;
    if (!good) {
        gw_identity_settings_close(s);
        return false;
    }
    gw_identity_keys_write(&s->keys, &s->jwks);
    return true;
}

/* Where no key was named. */
static void
make_own(struct gw_identity_settings *s)
{
    const char *why = "";

    if (!gw_identity_key_make(s->own_file)) {
        gw_log_error("identity: no key could be made in %s: %s; extensions with `identity: "
                     "assertion` are answered 503 until identity.signing_key_file names one",
                     s->own_file, strerror(errno));
        return;
    }
    if (!take_file(s, s->own_file, gw_identity_keys_sign, &why)) {
        gw_log_error("identity: %s: %s; extensions with `identity: assertion` are answered 503 "
                     "until it is mended, or moved away, and the configuration reloaded",
                     s->own_file, why);
        return;
    }
    gw_buf_reset(&s->jwks);
    gw_identity_keys_write(&s->keys, &s->jwks);
}

void
gw_identity_settings_serve(struct gw_identity_settings *s)
{
    if (s->own_file != NULL) {
        make_own(s);
    }
    s->served = true;
    (void)pthread_mutex_lock(&lock);
    memcpy(served_kid, s->keys.kid, sizeof(served_kid));
    (void)pthread_mutex_unlock(&lock);
    if (s->keys.signing != NULL) {
        gw_log_info("identity: assertions are signed by the key %s", s->keys.kid);
    }
}

void
gw_identity_settings_kid(char kid[GW_IDENTITY_KID + 1])
{
    (void)pthread_mutex_lock(&lock);
    memcpy(kid, served_kid, sizeof(served_kid));
    (void)pthread_mutex_unlock(&lock);
}

void
gw_identity_settings_close(struct gw_identity_settings *s)
{
    gw_identity_keys_fini(&s->keys);
    gw_buf_fini(&s->jwks);
}
