#include "server/extension_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define REF_LABEL "kubesphere.io/extension-ref"

enum part {
    PART_SERVICE,
    PART_EXTENSION,
    PART_PLAN,
    PART_ENDPOINT,
    PART_ENTRY,
    PART_RELEASE,
};

/* Those that make an extension before those that belong to one. */
static const struct {
    const char *group, *kind;
} kinds[] = {
    [PART_SERVICE] = {"ksgate.io", "ExtensionService"},
    [PART_EXTENSION] = {"kubesphere.io", "Extension"},
    [PART_PLAN] = {"kubesphere.io", "InstallPlan"},
    [PART_ENDPOINT] = {"ksgate.io", "Endpoint"},
    [PART_ENTRY] = {"extensions.kubesphere.io", "ExtensionEntry"},
    [PART_RELEASE] = {"kubesphere.io", "ExtensionVersion"},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct gw_kind *
kind_of(enum part part)
{
    return gw_kind_find(gw_str_of(kinds[part].group), gw_str_of(kinds[part].kind));
}

void
gw_extension_parts_collect(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);

    for (enum part i = 0; i < N_KINDS; i++) {
        gw_sync_list(sync, kind_of(i), GW_STR_NONE, gw_errand_collect, e);
    }
}

/* ---- which there are ------------------------------------------------------------------------ */

struct reader {
    struct gw_arena *arena;
    struct gw_viewer *viewer;
    struct gw_map *by_name;
    struct gw_extension_parts *parts;
    size_t size;
};

static struct gw_extension_part *
part_of(struct reader *r, const char *name)
{
    struct gw_extension_part *p = gw_map_get(r->by_name, gw_str_of(name));

    if (p != NULL) {
        return p;
    }
    if (r->parts->n == r->size) {
        struct gw_extension_part **more;

        r->size = r->size == 0 ? 64 : r->size * 2;
        more = gw_arena_alloc(r->arena, r->size * sizeof(struct gw_extension_part *));
        if (r->parts->n > 0) {
            memcpy(more, r->parts->list, r->parts->n * sizeof(struct gw_extension_part *));
        }
        r->parts->list = more;
    }
    p = gw_arena_alloc(r->arena, sizeof(*p));
    p->name = name;
    p->key = gw_arena_printf(r->arena, "ksgate.io/ExtensionService//%s", name);
    r->parts->list[r->parts->n++] = p;
    (void)gw_map_put(r->by_name, gw_str_of(name), p);
    return p;
}

/* KubeSphere's two are of the extension of their name.  They may have a label of another one, of
 * which the viewer has to know, too. */
static void
add_maker(struct reader *r, enum part part, struct gw_object *o)
{
    struct gw_extension_part *p;

    if (!gw_admin_sees(r->viewer, o)) {
        return;
    }
    if (part == PART_SERVICE) {
        part_of(r, o->name)->service = o;
        return;
    }
    p = gw_map_get(r->by_name, gw_str_of(o->name));
    if (p == NULL && !gw_viewer_sees(r->viewer, gw_str_of(o->name))) {
        return; /* whose ExtensionService is hidden, which is all of it */
    }
    p = part_of(r, o->name);
    *(part == PART_EXTENSION ? &p->extension : &p->plan) = o;
}

static int
by_name(const void *a, const void *b)
{
    const struct gw_extension_part *const *x = a;
    const struct gw_extension_part *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* ---- what belongs to them ------------------------------------------------------------------- */

static const char *
text_at(const json_t *json, const char *a, const char *b)
{
    return json_string_value(json_object_get(json_object_get(json, a), b));
}

static json_t *
list_in(json_t **list)
{
    *list = *list == NULL ? json_array() : *list;
    return *list;
}

/* What the console makes its navigation of, as it was written. */
static void
add_entry(struct gw_extension_part *p, const struct gw_object *o, const json_t *json)
{
    const char *state = text_at(json, "status", "state");
    json_t *entries = json_object_get(json_object_get(json, "spec"), "entries");
    json_t *out = json_pack("{s:s}", "name", o->name);

    if (state != NULL && *state != '\0') {
        (void)json_object_set_new(out, "state", json_string(state));
    }
    (void)json_object_set_new(out, "entries",
                              json_is_array(entries) ? json_incref(entries) : json_array());
    (void)json_array_append_new(list_in(&p->entries), out);
}

static void
add_release(struct reader *r, struct gw_extension_part *p, const json_t *json)
{
    const char *version = text_at(json, "spec", "version");

    p->many_released = p->many_released || p->any_released;
    p->any_released = true;
    p->released = version == NULL || p->many_released
                      ? NULL
                      : gw_arena_strndup(r->arena, version, strlen(version));
}

/* Endpoints whose extension is not there, or not asked for, stay unseen.  That they are of it is
 * by what the viewer's sight goes, too. */
static void
add_belonging(struct reader *r, enum part part, const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    const json_t *metadata = json_object_get(json, "metadata");
    const char *name = part == PART_ENDPOINT ? text_at(json, "spec", "extension")
                                             : text_at(metadata, "labels", REF_LABEL);
    struct gw_extension_part *p = name == NULL ? NULL : gw_map_get(r->by_name, gw_str_of(name));

    if (p == NULL || !p->taken) {
        json_decref(json);
        return;
    }
    if (part == PART_ENDPOINT) {
        (void)json_array_append_new(
            list_in(&p->registered),
            json_pack("{s:s, s:O?}", "name", o->name, "spec", json_object_get(json, "spec")));
    } else if (part == PART_ENTRY) {
        add_entry(p, o, json);
    } else {
        add_release(r, p, json);
    }
    json_decref(json);
}

static void
select_parts(struct gw_extension_parts *parts, struct gw_selection *s)
{
    for (size_t i = 0; i < parts->n; i++) {
        struct gw_extension_part *p = parts->list[i];
        const struct gw_object *o = p->service != NULL     ? p->service
                                    : p->extension != NULL ? p->extension
                                                           : p->plan;

        p->taken = gw_selection_takes_as(s, o, p->name, p->key);
    }
}

/* Objects come in the order of kinds. */
static enum part
part_from(const struct gw_object *o, enum part part)
{
    while (strcmp(o->kind->kind, kinds[part].kind) != 0) {
        part++;
    }
    return part;
}

void
gw_extension_parts_read(struct gw_extension_parts *parts, struct gw_errand *e,
                        struct gw_viewer *viewer, struct gw_selection *s)
{
    struct reader r = {.arena = e->call->req->arena,
                       .viewer = viewer,
                       .by_name = gw_map_of_values(),
                       .parts = parts};
    enum part part = PART_SERVICE;
    size_t i = 0;

    *parts = (struct gw_extension_parts){0};
    for (; i < e->n_objects; i++) {
        part = part_from(e->objects[i], part);
        if (part > PART_PLAN) {
            break;
        }
        add_maker(&r, part, e->objects[i]);
    }
    if (parts->n > 0) {
        qsort(parts->list, parts->n, sizeof(struct gw_extension_part *), by_name);
        select_parts(parts, s);
    }
    for (; i < e->n_objects; i++) {
        part = part_from(e->objects[i], part);
        add_belonging(&r, part, e->objects[i]);
    }
    gw_map_free(r.by_name, NULL);
}

void
gw_extension_parts_fini(struct gw_extension_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        json_decref(parts->list[i]->registered);
        json_decref(parts->list[i]->entries);
    }
}
