#include "modules/jwt_entries.h"

#define NAMES_SHOWN 8

static void
drop(struct gw_jwt_entry *e)
{
    gw_jwt_key_unref(e->key);
    json_decref(e->jwk);
    *e = (struct gw_jwt_entry){0};
}

/* Takes the one of that key out of the list; false: there is none. */
static bool
take(struct gw_jwt_source *s, const struct gw_jwt_key *key, struct gw_jwt_entry *out)
{
    for (size_t i = 0; i < s->n_entries; i++) {
        if (s->entries[i].key != NULL && gw_jwt_key_eq(s->entries[i].key, key)) {
            *out = s->entries[i];
            s->entries[i] = (struct gw_jwt_entry){0};
            return true;
        }
    }
    return false;
}

/* What is left of the old ones, behind the new ones. */
static size_t
keep_old(struct gw_jwt_source *s, struct gw_jwt_entry *next, size_t n, uint64_t now_ms,
         bool *changed)
{
    for (size_t i = 0; i < s->n_entries; i++) {
        struct gw_jwt_entry *e = &s->entries[i];

        if (e->key == NULL) {
            continue;
        }
        *changed = *changed || e->until_ms == 0;
        e->until_ms = e->until_ms == 0 ? now_ms + (uint64_t)s->name.old_keys_ms : e->until_ms;
        if (e->until_ms > now_ms && n < GW_JWT_KEYS_MAX) {
            next[n++] = *e;
        } else {
            drop(e);
            *changed = true;
        }
    }
    return n;
}

bool
gw_jwt_entries_merge(struct gw_jwt_source *s, const struct gw_jwks *set, uint64_t now_ms)
{
    struct gw_jwt_entry next[GW_JWT_KEYS_MAX];
    bool changed = false;
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++) {
        struct gw_jwt_entry *e = &next[n++];

        if (take(s, set->keys[i], e)) {
            changed = changed || e->until_ms != 0;
            e->until_ms = 0;
        } else {
            *e = (struct gw_jwt_entry){gw_jwt_key_ref(set->keys[i]), json_incref(set->json[i]), 0};
            changed = true;
        }
    }
    n = keep_old(s, next, n, now_ms, &changed);
    memcpy(s->entries, next, n * sizeof(*next));
    s->n_entries = n;
    return changed;
}

void
gw_jwt_entries_take_over(struct gw_jwt_source *s, const struct gw_jwt_source *other,
                         uint64_t now_ms)
{
    uint64_t latest = now_ms + (uint64_t)s->name.old_keys_ms;

    while (s->n_entries > 0) {
        drop(&s->entries[--s->n_entries]);
    }
    for (size_t i = 0; i < other->n_entries; i++) {
        struct gw_jwt_entry e = other->entries[i];

        e.until_ms = e.until_ms > latest ? latest : e.until_ms;
        if (e.until_ms == 0 || e.until_ms > now_ms) {
            (void)gw_jwt_key_ref(e.key);
            (void)json_incref(e.jwk);
            s->entries[s->n_entries++] = e;
        }
    }
}

bool
gw_jwt_entries_expire(struct gw_jwt_source *s, uint64_t now_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_entries; i++) {
        struct gw_jwt_entry *e = &s->entries[i];

        if (e->until_ms != 0 && e->until_ms <= now_ms) {
            drop(e);
        } else {
            s->entries[n++] = *e;
        }
    }
    bool gone = n < s->n_entries;
    s->n_entries = n;
    return gone;
}

uint64_t
gw_jwt_entries_until(const struct gw_jwt_source *s)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < s->n_entries; i++) {
        uint64_t until = s->entries[i].until_ms;

        next = until != 0 && until < next ? until : next;
    }
    return next;
}

struct gw_jwt_keyset *
gw_jwt_entries_set(const struct gw_jwt_source *s)
{
    struct gw_jwt_key *keys[GW_JWT_KEYS_MAX];

    for (size_t i = 0; i < s->n_entries; i++) {
        keys[i] = s->entries[i].key;
    }
    return gw_jwt_keyset_new(keys, s->n_entries);
}

/* A name may hold anything: only what is plain is shown. */
static void
say_name(struct gw_buf *out, const char *id)
{
    for (const char *c = id; c != NULL && *c != '\0' && c - id < 80; c++) {
        gw_buf_add(out, *c > ' ' && *c < 0x7f ? c : "?", 1);
    }
    gw_buf_puts(out, id == NULL ? "without a name" : "");
}

void
gw_jwt_entries_say(const struct gw_jwt_source *s, struct gw_buf *out)
{
    size_t own = 0;

    while (own < s->n_entries && s->entries[own].until_ms == 0) {
        own++;
    }
    gw_buf_printf(out, "%zu key%s (", own, own == 1 ? "" : "s");
    for (size_t i = 0; i < own && i < NAMES_SHOWN; i++) {
        gw_buf_puts(out, i == 0 ? "" : ", ");
        say_name(out, s->entries[i].key->id);
    }
    gw_buf_puts(out, own > NAMES_SHOWN ? " ...)" : ")");
    if (own < s->n_entries) {
        gw_buf_printf(out, ", and %zu that left the set", s->n_entries - own);
    }
}
