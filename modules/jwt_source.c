#include "modules/jwt_source.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "modules/jwt_jwk.h"
#include "modules/jwt_known.h"
#include "modules/jwt_wait.h"

static _Atomic(struct gw_jwt_source *) newest;
static _Atomic(gw_jwt_removed_fn *) on_removed; /* the same at each reload; workers read it */

struct gw_jwt_source *
gw_jwt_sources(void)
{
    return atomic_load_explicit(&newest, memory_order_acquire);
}

void
gw_jwt_source_on_removed(gw_jwt_removed_fn *fn)
{
    atomic_store(&on_removed, fn);
}

/* ---- made ------------------------------------------------------------------------------------ */

static bool
same_name(const struct gw_jwt_source_name *a, const struct gw_jwt_source_name *b)
{
    return strcmp(a->issuer, b->issuer) == 0 && strcmp(a->url, b->url) == 0 &&
           strcmp(a->ca_file, b->ca_file) == 0 && a->discovery == b->discovery &&
           a->old_keys_ms == b->old_keys_ms;
}

static void
take_entry(struct gw_jwt_source *s, json_t *jwk, uint64_t until_ms)
{
    struct gw_jwt_key *key = NULL;
    char why[200];

    if (s->n_entries < GW_JWT_KEYS_MAX &&
        gw_jwk_read(jwk, (struct gw_jwks_rules){.published = true}, &key, why) == GW_JWK_KEY) {
        s->entries[s->n_entries++] =
            (struct gw_jwt_entry){.key = key, .jwk = json_incref(jwk), .until_ms = until_ms};
    }
}

/* What the file says, in the form that jwt_known.h tells. */
static void
take_known(struct gw_jwt_source *s, const json_t *known)
{
    struct gw_jwt_key *keys[GW_JWT_KEYS_MAX];
    json_int_t now = (json_int_t)gw_clock_wall_ms();
    json_int_t latest = now + s->name.old_keys_ms;
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(known, "keys"), i, entry)
    {
        json_int_t until = json_integer_value(json_object_get(entry, "until"));

        until = until > latest ? latest : until; /* old_keys may be less than it was */
        if (until == 0 || until > now) {
            take_entry(s, json_object_get(entry, "jwk"), (uint64_t)until);
        }
    }
    for (i = 0; i < s->n_entries; i++) {
        keys[i] = s->entries[i].key;
        s->n_old += s->entries[i].until_ms != 0;
    }
    if (s->n_entries > 0) {
        s->first = gw_jwt_keyset_new(keys, s->n_entries);
        s->n_keys = (unsigned)s->n_entries;
        s->fetched_ms = (uint64_t)json_integer_value(json_object_get(known, "fetched"));
    }
}

static void
look_on_disk(struct gw_jwt_source *s, const char *file, struct gw_diag *diag, struct gw_place at)
{
    struct gw_jwt_doubt doubt;
    json_t *root = gw_jwt_known_read(file, &doubt);

    if (doubt.why != NULL) {
        gw_diag_warn(diag, at, "authentication.key_sets.file: %s %s: it is not used", file,
                     doubt.why);
    }
    take_known(s, gw_jwt_known_find(root, &s->name));
    s->foreign = doubt.foreign && s->n_entries > 0;
    json_decref(root);
}

struct gw_jwt_source *
gw_jwt_source_open(const struct gw_jwt_source_name *name, const char *file, struct gw_diag *diag,
                   struct gw_place at)
{
    struct gw_jwt_source *s = gw_jwt_sources();

    while (s != NULL && !same_name(&s->name, name)) {
        s = s->next;
    }
    if (s != NULL) {
        return s;
    }
    s = gw_mem_alloc(sizeof(*s));
    s->name = *name;
    s->name.issuer = gw_mem_strdup(name->issuer);
    s->name.url = gw_mem_strdup(name->url);
    s->name.ca_file = gw_mem_strdup(name->ca_file);
    look_on_disk(s, file, diag, at);
    s->next = gw_jwt_sources();
    atomic_store_explicit(&newest, s, memory_order_release);
    return s;
}

/* A server that runs as root is made to believe nobody else; nobody has seen the keys yet. */
static void
forget_known(struct gw_jwt_source *s)
{
    gw_log_warn("issuer %s: authentication.key_sets.file is another user's: it is not used",
                s->name.issuer);
    while (s->n_entries > 0) {
        struct gw_jwt_entry *e = &s->entries[--s->n_entries];

        gw_jwt_key_unref(e->key);
        json_decref(e->jwk);
        *e = (struct gw_jwt_entry){0};
    }
    gw_jwt_keyset_unref(s->first);
    s->first = NULL;
    s->n_keys = 0;
    s->n_old = 0;
    s->fetched_ms = 0;
    s->foreign = false;
}

void
gw_jwt_source_serve(struct gw_jwt_source *s, size_t n_workers)
{
    if (s->slots != NULL) {
        return;
    }
    if (s->foreign) {
        forget_known(s);
    }
    struct gw_jwt_slot *slots = gw_mem_alloc(n_workers * sizeof(*slots));
    for (size_t i = 0; i < n_workers; i++) {
        slots[i].keys = s->first == NULL ? NULL : gw_jwt_keyset_ref(s->first);
    }
    s->slots = slots;
}

/* ---- a worker hears of news -------------------------------------------------------------------
 */

static void
use_keys(struct gw_jwt_slot *slot, struct gw_world *w, struct gw_jwt_keyset *keys)
{
    struct gw_jwt_keyset *before = slot->keys;

    slot->keys = keys;
    gw_jwt_wait_changed();
    for (size_t i = 0; before != NULL && i < before->n; i++) {
        if (gw_jwt_keyset_find(keys, before->keys[i]) == keys->n) {
            atomic_load (&on_removed)(w, before->keys[i]);
        }
    }
    gw_jwt_keyset_unref(before);
}

static void
run_news(struct gw_mail *mail, void *receiver)
{
    struct gw_jwt_news *n = (struct gw_jwt_news *)mail;
    struct gw_jwt_slot *slot = &n->source->slots[gw_world_id(n->world)];

    (void)receiver;
    if (n->keys != NULL) {
        use_keys(slot, n->world, n->keys);
    }
    slot->ask_after_ms = n->ask_after_ms;
    slot->asked_ms = n->asked_ms;
    slot->answered = n->answered;
    slot->failed = n->failed;
    if (n->wake) {
        slot->asked = false;
        slot->heard++;
        gw_jwt_wake(slot);
    }
    free(n);
}

void
gw_jwt_news_send(struct gw_jwt_source *s, struct gw_world *w, const struct gw_jwt_news *news)
{
    struct gw_jwt_news *n = gw_mem_alloc(sizeof(*n));

    *n = *news;
    n->mail.run = run_news;
    n->source = s;
    n->world = w;
    if (n->keys != NULL) {
        (void)gw_jwt_keyset_ref(n->keys);
    }
    gw_world_send(w, &n->mail);
}
