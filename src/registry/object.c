#include "registry/object.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
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

/* The object around JSON that has been checked. */
static struct gw_object *
make(json_t *json, const struct gw_kind *kind)
{
    struct gw_object *o = gw_mem_alloc(sizeof(*o));
    const json_t *metadata = json_object_get(json, "metadata");

    atomic_init(&o->refs, 1);
    o->kind = kind;
    o->json = json_incref(json);
    o->name = text_or(metadata, "name", "");
    o->ns = text_or(metadata, "namespace", "");
    o->key = gw_object_key(kind, gw_str_of(o->ns), gw_str_of(o->name));
    (void)gw_str_u64(gw_str_of(text_or(metadata, "resourceVersion", "")), &o->revision);
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

void
gw_object_unref(struct gw_object *o)
{
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    json_decref(o->json);
    free(o->key);
    free(o);
}

const char *
gw_object_label(const struct gw_object *o, const char *name)
{
    const json_t *labels = json_object_get(json_object_get(o->json, "metadata"), "labels");

    return text_or(labels, name, "");
}

const char *
gw_object_annotation(const struct gw_object *o, const char *name)
{
    const json_t *metadata = json_object_get(o->json, "metadata");

    return text_or(json_object_get(metadata, "annotations"), name, "");
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
    json_t *rest = json_copy(o->json);
    json_t *metadata = json_copy(json_object_get(o->json, "metadata"));

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
