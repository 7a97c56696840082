/*
 * claims_read.c - what an object claims, taken out of its JSON.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/json.h"
#include "registry/claims.h"

#define EXTENSIONS "extensions.kubesphere.io"

/* Claims that are being gathered; texts are the JSON's. */
struct gathering {
    struct gw_claim *list;
    size_t n, size;
    unsigned short *slots; /* links by their hash: 1 + where, or 0 */
    bool too_many;
};

#define N_SLOTS ((size_t)2048)
_Static_assert(N_SLOTS > GW_CLAIMS_MAX + 1, "there is always a slot that ends a search");

#define FEW 8 /* that are looked at one by one */

static bool
is(const struct gw_kind *kind, const char *name)
{
    return strcmp(kind->kind, name) == 0 && strcmp(kind->group, EXTENSIONS) == 0;
}

bool
gw_claims_of_key(const char *key)
{
    static const char *const kinds[] = {EXTENSIONS "/ReverseProxy/", EXTENSIONS "/APIService/",
                                        EXTENSIONS "/JSBundle/"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(key, kinds[i], strlen(kinds[i])) == 0) {
            return true;
        }
    }
    return false;
}

static struct gw_str
text_of(const json_t *object, const char *name)
{
    return gw_json_text(json_object_get(object, name));
}

static void
add(struct gathering *g, struct gw_claim claim)
{
    g->list = gw_mem_room(g->list, g->n, &g->size, sizeof(*g->list));
    g->list[g->n++] = claim;
}

/* A version that is not there matches no request. */
static void
read_api(struct gathering *g, const json_t *json, struct gw_buf *own)
{
    const json_t *spec = json_object_get(json, "spec");
    struct gw_str version = text_of(spec, "version");

    if (version.n == 0) {
        return;
    }
    gw_buf_str(own, text_of(spec, "group"));
    gw_buf_puts(own, "/");
    gw_buf_str(own, version);
    add(g, (struct gw_claim){.text = gw_buf_text(own),
                             .method = GW_STR("*"),
                             .field = "spec.group",
                             .space = GW_CLAIM_API});
}

static const json_t *
labels_of(const json_t *json)
{
    return json_object_get(json_object_get(json, "metadata"), "labels");
}

/* All stars at the end are one; elsewhere a star is a star. */
static void
read_path(struct gathering *g, const json_t *json)
{
    const json_t *matcher = json_object_get(json_object_get(json, "spec"), "matcher");
    struct gw_str target = text_of(labels_of(json), "kubesphere.io/reverse-proxy-target");
    struct gw_str path = text_of(matcher, "path");
    bool prefix = false;

    if (path.n == 0) {
        return; /* no request has that path */
    }
    while (path.n > 0 && path.p[path.n - 1] == '*') {
        path.n--;
        prefix = true;
    }
    add(g,
        (struct gw_claim){.text = path,
                          .method = text_of(matcher, "method"),
                          .field = "spec.matcher.path",
                          .space = gw_str_eq(target, GW_STR("ks-console")) ? GW_CLAIM_CONSOLE_PATH
                                                                           : GW_CLAIM_PATH,
                          .prefix = prefix});
}

/* Was it there before?  It is now. */
static bool
is_known(const struct gathering *g, struct gw_str link)
{
    size_t at = gw_hash(link) % N_SLOTS;

    for (; g->slots[at] != 0; at = (at + 1) % N_SLOTS) {
        if (gw_str_eq(g->list[g->slots[at] - 1].text, link)) {
            return true;
        }
    }
    g->slots[at] = (unsigned short)(g->n + 1);
    return false;
}

static void
add_link(struct gathering *g, struct gw_str link, const char *field)
{
    if (link.n == 0 || g->too_many || is_known(g, link)) {
        return;
    }
    g->too_many = g->n == GW_CLAIMS_MAX;
    if (!g->too_many) {
        add(g, (struct gw_claim){
                   .text = link, .method = GW_STR("*"), .field = field, .space = GW_CLAIM_LINK});
    }
}

/* KubeSphere's webhook gives a bundle without a link one by its extension. */
static void
read_links(struct gathering *g, const json_t *json, struct gw_buf *own)
{
    const json_t *assets = json_object_get(json_object_get(json, "spec"), "assets");
    struct gw_str link = text_of(json_object_get(json, "status"), "link");
    struct gw_str extension = text_of(labels_of(json), "kubesphere.io/extension-ref");
    size_t i;
    const json_t *file;

    g->slots = gw_mem_alloc(N_SLOTS * sizeof(*g->slots));
    if (link.n == 0 && extension.n > 0) {
        gw_buf_printf(own, "/dist/%.*s/index.js", GW_STR_ARG(extension));
        link = gw_buf_text(own);
    }
    add_link(g, link, "status.link");
    add_link(g, text_of(json_object_get(assets, "style"), "link"), "spec.assets.style.link");
    json_array_foreach(json_object_get(assets, "files"), i, file)
    {
        add_link(g, text_of(file, "link"), "spec.assets.files.link");
    }
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Does the text look like the form, in which 0 is any digit?  n bytes of both. */
static bool
has_form(const char *text, const char *form, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

/* "2026-11-30T13:41:58Z", also with a fraction: what is before the Z sorts as the time does.  Else
 * none. */
static struct gw_str
time_of(const json_t *json)
{
    static const char form[] = "0000-00-00T00:00:00.000000000";
    static const size_t least = sizeof("0000-00-00T00:00:00") - 1;
    struct gw_str text = text_of(json_object_get(json, "metadata"), "creationTimestamp");

    if (text.n <= least || text.n > sizeof(form) || text.p[text.n - 1] != 'Z') {
        return GW_STR_NONE;
    }
    text.n--;
    return has_form(text.p, form, text.n) ? text : GW_STR_NONE;
}

/* Terminated; the memory behind *at is zeroed. */
static const char *
pack(char **at, struct gw_str text)
{
    const char *copy = gw_str_pack(at, text).p;

    (*at)++;
    return copy;
}

static int
by_text(const void *a, const void *b)
{
    return gw_str_cmp((*(const struct gw_claim *const *)a)->text,
                      (*(const struct gw_claim *const *)b)->text);
}

/* In one piece, with all its texts. */
static struct gw_claims *
keep(const struct gathering *g, struct gw_object *o, struct gw_str created, struct gw_str extension)
{
    struct gw_claims *c = NULL;
    size_t n_sorted = g->slots != NULL && g->n > FEW ? g->n : 0;
    size_t bytes = created.n + 1 + extension.n + 1 + n_sorted * sizeof(const struct gw_claim *);

    for (size_t i = 0; i < g->n; i++) {
        bytes += g->list[i].text.n + g->list[i].method.n;
    }
    c = gw_mem_alloc(sizeof(*c) + g->n * sizeof(*g->list) + bytes);
    char *at = (char *)&c->list[g->n];
    if (n_sorted > 0) {
        c->sorted = (const struct gw_claim **)(void *)at;
        at += n_sorted * sizeof(const struct gw_claim *);
    }
    c->object = gw_object_ref(o);
    c->extension = pack(&at, extension);
    c->created = created.n == 0 ? NULL : pack(&at, created);
    c->n = g->n;
    for (size_t i = 0; i < g->n; i++) {
        c->list[i] = g->list[i];
        c->list[i].text = gw_str_pack(&at, g->list[i].text);
        c->list[i].method = gw_str_pack(&at, g->list[i].method);
    }
    for (size_t i = 0; i < n_sorted; i++) {
        c->sorted[i] = &c->list[i];
    }
    if (n_sorted > 0) {
        qsort(c->sorted, n_sorted, sizeof(const struct gw_claim *), by_text);
    }
    return c;
}

struct gw_claims *
gw_claims_read(struct gw_object *o, bool from_file)
{
    struct gathering g = {0};
    struct gw_buf own = {0};
    struct gw_claims *c = NULL;

    if (!gw_claims_of_key(o->key)) {
        return NULL;
    }
    json_t *json = gw_object_json(o);
    if (is(o->kind, "ReverseProxy")) {
        read_path(&g, json);
    } else if (is(o->kind, "APIService")) {
        read_api(&g, json, &own);
    } else {
        read_links(&g, json, &own);
    }
    if (g.too_many) {
        g.n = 0;
    }
    if (g.n > 0 || g.too_many) {
        c = keep(&g, o, time_of(json), text_of(labels_of(json), "kubesphere.io/extension-ref"));
        c->from_file = from_file;
        c->too_many = g.too_many;
    }
    json_decref(json);
    gw_buf_fini(&own);
    free(g.slots);
    free(g.list);
    return c;
}

void
gw_claims_free(struct gw_claims *c)
{
    if (c != NULL) {
        gw_object_unref(c->object);
        free(c);
    }
}
