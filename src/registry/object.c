#include "registry/object.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/pool.h"
#include "config/json_quick.h"
#include "registry/check.h"

static gw_object_check_fn *registered_check;

void
gw_object_on_check(gw_object_check_fn *fn)
{
    registered_check = fn;
}

char *
gw_object_key(const struct gw_kind *kind, struct gw_str ns, struct gw_str name)
{
    struct gw_buf key = {0};

    gw_buf_printf(&key, "%s/%s/%.*s/%.*s", kind->group, kind->kind, GW_STR_ARG(ns),
                  GW_STR_ARG(name));
    return key.p;
}

static const char *
text_or(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? otherwise : text;
}

static char *
put(char **at, const char *text, size_t n)
{
    char *copy = memcpy(*at, text, n);

    copy[n] = '\0';
    *at += n + 1;
    return copy;
}

/* "group/kind/namespace/name" */
static void
put_key(char **at, const struct gw_kind *kind, const char *ns, const char *name)
{
    char *p = stpcpy(stpcpy(stpcpy(*at, kind->group), "/"), kind->kind);

    p = stpcpy(stpcpy(stpcpy(stpcpy(p, "/"), ns), "/"), name);
    *at = p + 1;
}

/* The object of JSON that has been checked.  Nothing of it comes and goes on the heap: beside 100
 * 000 of them that would leave as many holes.  So what is longer than usual is measured first. */
static struct gw_object *
make(json_t *json, const struct gw_kind *kind)
{
    static const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    const json_t *metadata = json_object_get(json, "metadata");
    const char *name = text_or(metadata, "name", "");
    const char *ns = text_or(metadata, "namespace", "");
    json_t *rest = json_copy(json);
    char usual[4096];

    (void)json_object_del(rest, "apiVersion"); /* which the kind says already */
    (void)json_object_del(rest, "kind");
    size_t n_key = strlen(kind->group) + strlen(kind->kind) + strlen(ns) + strlen(name) + 3;
    size_t n_text = json_dumpb(rest, usual, sizeof(usual), flags);
    assert(n_text > 0); /* it was made by a parser, so it has no loops and is UTF-8 */
    struct gw_object *o = gw_mem_alloc(sizeof(*o) + n_key + 1 + strlen(ns) + 1 + n_text + 1);
    char *at = o->key;

    gw_pool_joined(GW_POOL_registry, o);
    atomic_init(&o->refs, 1);
    o->kind = kind;
    put_key(&at, kind, ns, name);
    o->name = at - 1 - strlen(name); /* the key ends with it */
    o->ns = put(&at, ns, strlen(ns));
    o->json = at;
    o->json_bytes = (unsigned)n_text;
    if (n_text <= sizeof(usual)) {
        memcpy(at, usual, n_text);
    } else {
        (void)json_dumpb(rest, at, n_text, flags);
    }
    (void)gw_str_u64(gw_str_of(text_or(metadata, "resourceVersion", "")), &o->revision);
    json_decref(rest);
    return o;
}

struct gw_object *
gw_object_new(json_t *json, const struct gw_yaml *source, struct gw_diag *diag)
{
    size_t errors = diag->errors;
    const struct gw_kind *kind = gw_check_object(json, source, diag);

    if (kind == NULL) {
        return NULL;
    }
    if (registered_check != NULL) {
        registered_check(kind, json, source, diag);
    }
    return diag->errors > errors ? NULL : make(json, kind);
}

struct gw_object *
gw_object_stored(json_t *json, struct gw_diag *diag)
{
    const struct gw_kind *kind = gw_check_object(json, NULL, diag);

    return kind == NULL ? NULL : make(json, kind);
}

struct gw_object *
gw_object_ref(struct gw_object *o)
{
    (void)atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

static atomic_uint flaws; /* of objects that are alive */

void
gw_object_unref(struct gw_object *o)
{
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    gw_pool_left(GW_POOL_registry, o);
    struct gw_object_flaw *flaw = atomic_load_explicit(&o->flaw, memory_order_acquire);
    struct gw_object_hold *hold = atomic_load_explicit(&o->hold, memory_order_acquire);
    if (flaw != NULL || hold != NULL) {
        (void)atomic_fetch_sub_explicit(&flaws, 1, memory_order_relaxed);
    }
    if (flaw != NULL) {
        gw_pool_left(GW_POOL_registry, flaw);
        free(flaw);
    }
    gw_object_hold_free(hold);
    free(o);
}

void
gw_object_note(struct gw_object *o, bool unused, const char *text)
{
    size_t n = strlen(text) + 1;

    if (gw_object_flaw(o) != NULL) {
        return;
    }
    struct gw_object_flaw *flaw = gw_mem_alloc(sizeof(*flaw) + n);
    gw_pool_joined(GW_POOL_registry, flaw);
    flaw->unused = unused;
    memcpy(flaw->text, text, n);
    atomic_store_explicit(&o->flaw, flaw, memory_order_release);
    if (gw_object_hold(o) == NULL) {
        (void)atomic_fetch_add_explicit(&flaws, 1, memory_order_relaxed);
    }
}

void
gw_object_hold_free(struct gw_object_hold *h)
{
    if (h != NULL) {
        gw_object_unref(h->winner);
        free(h);
    }
}

static struct gw_object_hold *
new_hold(struct gw_object *winner, const char *named, const char *unnamed)
{
    size_t n = strlen(named) + 1;
    size_t n_unnamed = strlen(unnamed) + 1;
    struct gw_object_hold *h = gw_mem_alloc(sizeof(*h) + n + n_unnamed);

    h->winner = winner == NULL ? NULL : gw_object_ref(winner);
    memcpy(h->named, named, n);
    h->unnamed = memcpy(h->named + n, unnamed, n_unnamed);
    return h;
}

struct gw_object_hold *
gw_object_set_hold(struct gw_object *o, struct gw_object *winner, const char *named,
                   const char *unnamed)
{
    struct gw_object_hold *hold = named == NULL ? NULL : new_hold(winner, named, unnamed);
    struct gw_object_hold *old = atomic_exchange_explicit(&o->hold, hold, memory_order_acq_rel);

    if (gw_object_flaw(o) == NULL && (old == NULL) != (hold == NULL)) {
        (void)atomic_fetch_add_explicit(&flaws, hold != NULL ? 1 : -1U, memory_order_relaxed);
    }
    return old;
}

const struct gw_object_hold *
gw_object_hold(const struct gw_object *o)
{
    return atomic_load_explicit(&o->hold, memory_order_acquire);
}

const struct gw_object_flaw *
gw_object_flaw(const struct gw_object *o)
{
    return atomic_load_explicit(&o->flaw, memory_order_acquire);
}

unsigned
gw_object_flaws(void)
{
    return atomic_load_explicit(&flaws, memory_order_relaxed);
}

bool
gw_object_equal(const struct gw_object *a, const struct gw_object *b)
{
    return a->json_bytes == b->json_bytes && memcmp(a->json, b->json, a->json_bytes) == 0 &&
           strcmp(a->key, b->key) == 0;
}

void
gw_object_write(const struct gw_object *o, struct gw_buf *out)
{
    const struct gw_kind *k = o->kind;

    /* piece by piece: printf() would take as long as all else that a snapshot does */
    gw_buf_puts(out, "{\"apiVersion\":\"");
    gw_buf_puts(out, k->group);
    gw_buf_puts(out, k->group[0] == '\0' ? "" : "/");
    gw_buf_puts(out, k->version);
    gw_buf_puts(out, "\",\"kind\":\"");
    gw_buf_puts(out, k->kind);
    gw_buf_puts(out, "\",");
    gw_buf_add(out, o->json + 1, o->json_bytes - 1); /* there always is metadata */
}

json_t *
gw_object_json(const struct gw_object *o)
{
    struct gw_buf text = {0};

    gw_object_write(o, &text);
    json_t *json = gw_json_quick(gw_buf_text(&text));
    json = json == NULL ? json_loadb(text.p, text.n, 0, NULL) : json;
    gw_buf_fini(&text);
    assert(json != NULL); /* it was written by jansson */
    return json;
}

/* One value as compact JSON with sorted keys. */
static void
add_json(struct gw_buf *out, const json_t *value)
{
    size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY;
    char *text = json_dumps(value, flags);

    assert(text != NULL); /* it was made by a parser, so it has no loops and is UTF-8 */
    gw_buf_puts(out, text);
    free(text);
}

char *
gw_object_bare(const struct gw_object *o)
{
    struct gw_buf out = {0};
    json_t *rest = gw_object_json(o);
    json_t *metadata = json_incref(json_object_get(rest, "metadata"));

    (void)json_object_del(metadata, "uid");
    (void)json_object_del(metadata, "creationTimestamp");
    (void)json_object_del(metadata, "resourceVersion");
    (void)json_object_del(rest, "metadata");
    gw_buf_puts(&out, "{\"metadata\":");
    add_json(&out, metadata);

    /* There is always an apiVersion: "{" of the rest becomes the comma. */
    size_t comma = out.n;
    add_json(&out, rest);
    out.p[comma] = ',';
    json_decref(metadata);
    json_decref(rest);
    return out.p;
}

void
gw_object_uid(char out[37])
{
    unsigned char b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        perror("ksgate: getrandom");
        abort();
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }
        at += snprintf(out + at, 3, "%02x", b[i]);
    }
}
