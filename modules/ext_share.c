#include "modules/ext_share.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "modules/ext_permissions.h"

/* One piece of memory, with all that the spec holds behind it. */
struct shared {
    struct gw_ext_spec spec; /* first */
    unsigned refs;
    struct gw_str json; /* its key */
};

/* By JSON; made with the first, gone with the last.  Control compiles, and the last to let go of a
 * piece may be a worker: so it is locked, which happens at changes only. */
static struct gw_map *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *
gw_ext_share_put(char **at, const void *from, size_t n)
{
    void *to = *at;

    if (n > 0) {
        memcpy(to, from, n);
    }
    *at += n;
    return to;
}

static const char *
put_text(char **at, const char *text)
{
    return gw_ext_share_put(at, text, strlen(text) + 1);
}

struct sizes {
    size_t structs, texts;
};

static struct sizes
sizes_of(const struct gw_ext_spec *s)
{
    const struct gw_ext_permission *p = s->permissions.items;
    struct sizes n = {0, strlen(s->prepend) + 1 + s->balancer.hash_name.n};

    if (s->check != NULL) {
        n.structs += sizeof(*s->check);
        n.texts += strlen(s->check->path) + 1;
        n.texts += s->check->host == NULL ? 0 : strlen(s->check->host) + 1;
    }
    n.structs += s->audience.n_workspaces * sizeof(*s->audience.workspaces);
    for (unsigned i = 0; i < s->audience.n_workspaces; i++) {
        n.texts += s->audience.workspaces[i].n;
    }
    for (size_t i = 0; i < s->permissions.n; i++) {
        n.structs += sizeof(*p) + p[i].n_segments * sizeof(*p->segments);
        n.texts += strlen(p[i].path) + strlen(p[i].group) + strlen(p[i].resource) + 3;
        for (unsigned k = 0; k < p[i].n_segments; k++) {
            n.texts += p[i].segments[k].text.n;
        }
    }
    gw_ext_versions_size(&s->versions, &n.structs, &n.texts);
    return n;
}

static void
copy_permissions(struct gw_list *list, char **structs, char **texts)
{
    struct gw_ext_permission *p = gw_ext_share_put(structs, list->items, list->n * sizeof(*p));

    list->items = p;
    for (size_t i = 0; i < list->n; i++) {
        p[i].path = put_text(texts, p[i].path);
        p[i].group = put_text(texts, p[i].group);
        p[i].resource = put_text(texts, p[i].resource);
        p[i].segments =
            gw_ext_share_put(structs, p[i].segments, p[i].n_segments * sizeof(*p[i].segments));
        for (unsigned k = 0; k < p[i].n_segments; k++) {
            struct gw_str *text = &p[i].segments[k].text;
            text->p = gw_ext_share_put(texts, text->p, text->n);
        }
    }
}

static void
copy_workspaces(struct gw_ext_audience *a, char **structs, char **texts)
{
    struct gw_str *list = gw_ext_share_put(structs, a->workspaces, a->n_workspaces * sizeof(*list));

    for (unsigned i = 0; i < a->n_workspaces; i++) {
        list[i].p = gw_ext_share_put(texts, list[i].p, list[i].n);
    }
    a->workspaces = list;
}

static void
copy_check(struct gw_ext_spec *spec, char **structs, char **texts)
{
    if (spec->check == NULL) {
        return;
    }
    struct gw_health_check *c = gw_ext_share_put(structs, spec->check, sizeof(*c));

    c->path = put_text(texts, c->path);
    c->host = c->host == NULL ? NULL : put_text(texts, c->host);
    spec->check = c;
}

/* Structs first, then texts, so that all is aligned. */
static struct shared *
copy(const struct gw_ext_spec *spec, struct gw_str json)
{
    struct sizes n = sizes_of(spec);
    struct shared *s = gw_mem_alloc(sizeof(*s) + n.structs + n.texts + json.n);
    char *structs = (char *)(s + 1);
    char *texts = structs + n.structs;

    s->spec = *spec;
    copy_permissions(&s->spec.permissions, &structs, &texts);
    copy_workspaces(&s->spec.audience, &structs, &texts);
    copy_check(&s->spec, &structs, &texts);
    gw_ext_versions_copy(&s->spec.versions, &structs, &texts);
    s->spec.prepend = put_text(&texts, spec->prepend);
    s->spec.balancer.hash_name.p =
        gw_ext_share_put(&texts, spec->balancer.hash_name.p, spec->balancer.hash_name.n);
    s->json = (struct gw_str){gw_ext_share_put(&texts, json.p, json.n), json.n};
    return s;
}

/* What is shared of a spec, as text of the arena's: equal for equal ones. */
static struct gw_str
text_of(struct gw_arena *arena, json_t *json)
{
    json_t *part = json_is_object(json) ? json_copy(json) : json_object();

    (void)json_object_del(part, "endpoints");
    (void)json_object_del(part, "service");
    size_t n = json_dumpb(part, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS);
    assert(n > 0); /* it was made by a parser, so it has no loops and is UTF-8 */
    char *text = gw_arena_raw(arena, n);
    (void)json_dumpb(part, text, n, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(part);
    return (struct gw_str){text, n};
}

const struct gw_ext_spec *
gw_ext_share(const struct gw_ext_spec *spec, json_t *json, struct gw_arena *arena)
{
    struct gw_str text = text_of(arena, json);

    (void)pthread_mutex_lock(&lock);
    all = all == NULL ? gw_map_of_values() : all;
    struct shared *s = gw_map_get(all, text);
    if (s == NULL) {
        s = copy(spec, text);
        (void)gw_map_put(all, s->json, s);
    }
    s->refs++;
    (void)pthread_mutex_unlock(&lock);
    return &s->spec;
}

void
gw_ext_share_release(const struct gw_ext_spec *spec)
{
    union {
        const struct gw_ext_spec *given;
        struct shared *shared; /* the spec is its first member */
    } of = {spec};

    (void)pthread_mutex_lock(&lock);
    bool last = --of.shared->refs == 0;
    if (last) {
        (void)gw_map_take(all, of.shared->json);
        if (gw_map_count(all) == 0) {
            gw_map_free(all, NULL);
            all = NULL;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    if (last) {
        free(of.shared);
    }
}
