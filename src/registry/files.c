#include "registry/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "registry/check.h"
#include "registry/sync.h"

/* What is needed while one file is read. */
struct reading {
    struct gw_objects *list;
    const struct gw_yaml *source;
    struct gw_seen *seen;
    struct gw_diag *diag;
};

void
gw_objects_add(struct gw_objects *list, struct gw_object *o)
{
    list->items = gw_mem_room(list->items, list->n, &list->size, sizeof(struct gw_object *));
    list->items[list->n++] = o;
}

void
gw_objects_fini(struct gw_objects *list)
{
    for (size_t i = 0; i < list->n; i++) {
        gw_object_unref(list->items[i]);
    }
    free(list->items);
    *list = (struct gw_objects){0};
}

static void
add_path(struct gw_paths *files, char *path)
{
    files->items = gw_mem_room(files->items, files->n, &files->size, sizeof(*files->items));
    files->items[files->n++] = path;
}

void
gw_paths_fini(struct gw_paths *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->items[i]);
    }
    free(files->items);
    *files = (struct gw_paths){0};
}

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t m = strlen(end);

    return n > m && strcmp(name + n - m, end) == 0;
}

static int
is_object_file(const struct dirent *d)
{
    return d->d_name[0] != '.' && (ends_with(d->d_name, ".yaml") || ends_with(d->d_name, ".yml") ||
                                   ends_with(d->d_name, ".json"));
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

bool
gw_paths_add(struct gw_paths *files, const char *path)
{
    struct stat st;
    struct dirent **names = NULL;

    if (strcmp(path, "-") == 0) {
        add_path(files, gw_mem_strdup(path));
        return true;
    }
    if (stat(path, &st) != 0) {
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        add_path(files, gw_mem_strdup(path));
        return true;
    }
    int n = scandir(path, &names, is_object_file, by_name);
    if (n < 0) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        struct gw_buf whole = {0};

        gw_buf_printf(&whole, "%s%s%s", path, ends_with(path, "/") ? "" : "/", names[i]->d_name);
        add_path(files, whole.p);
        free(names[i]);
    }
    free(names);
    return true;
}

void
gw_seen_init(struct gw_seen *seen)
{
    *seen = (struct gw_seen){.places = gw_map_of_values(), .arena = gw_arena_new()};
}

void
gw_seen_fini(struct gw_seen *seen)
{
    gw_map_free(seen->places, NULL);
    gw_arena_free(seen->arena);
}

/* False when the object is in this reading already: who wins would be chance. */
static bool
note_seen(const struct reading *r, const struct gw_object *o, const json_t *json)
{
    struct gw_place at = gw_yaml_place(r->source, json);
    const char *first = gw_map_get(r->seen->places, gw_str_of(o->key));

    if (first != NULL) {
        gw_diag_error(r->diag, at, "%s %s%s%s is here twice: first at %s", o->kind->kind, o->ns,
                      o->ns[0] == '\0' ? "" : "/", o->name, first);
        return false;
    }
    (void)gw_map_put(r->seen->places, gw_str_of(o->key),
                     gw_arena_printf(r->seen->arena, "%s:%d",
                                     at.file == NULL ? r->source->file : at.file, at.line));
    return true;
}

static void
read_object(const struct reading *r, json_t *json)
{
    if (json_is_object(json) && gw_check_is_foreign(json)) {
        gw_diag_warn(r->diag, gw_yaml_place(r->source, json),
                     "%s of %s is not kept in this registry: skipped",
                     json_string_value(json_object_get(json, "kind")),
                     json_string_value(json_object_get(json, "apiVersion")));
        return;
    }
    struct gw_object *o = gw_object_new(json, r->source, r->diag);
    if (o != NULL && !note_seen(r, o, json)) {
        gw_object_unref(o);
    } else if (o != NULL) {
        gw_objects_add(r->list, o);
    }
}

/* `kubectl get -o yaml` writes lists. */
static bool
is_list(const json_t *json)
{
    const char *kind = json_string_value(json_object_get(json, "kind"));
    const char *version = json_string_value(json_object_get(json, "apiVersion"));

    return kind != NULL && version != NULL && strcmp(kind, "List") == 0 &&
           strcmp(version, "v1") == 0 && json_is_array(json_object_get(json, "items"));
}

static void
read_document(const struct reading *r, json_t *json)
{
    size_t i;
    json_t *item;

    if (json == NULL || json_is_null(json)) {
        return;
    }
    if (!is_list(json)) {
        read_object(r, json);
        return;
    }
    json_array_foreach(json_object_get(json, "items"), i, item)
    {
        read_object(r, item);
    }
}

static void
read_documents(void *arg, const struct gw_yaml *yaml)
{
    struct reading *r = arg;

    r->source = yaml;
    for (size_t i = 0; i < yaml->n_docs; i++) {
        read_document(r, yaml->docs[i]);
    }
}

bool
gw_objects_read_file(struct gw_objects *list, const char *file, struct gw_seen *seen,
                     struct gw_diag *diag)
{
    size_t errors = diag->errors;
    struct reading r = {.list = list, .seen = seen, .diag = diag};

    /* what could be read is checked all the same: all errors at once */
    (void)gw_yaml_each(file, read_documents, &r, diag);
    return diag->errors == errors;
}

bool
gw_objects_read(const char *const *paths, struct gw_object ***objects, size_t *n,
                struct gw_diag *diag)
{
    size_t errors = diag->errors;
    struct gw_objects list = {0};
    struct gw_paths files = {0};
    struct gw_seen seen;

    gw_seen_init(&seen);
    for (; paths != NULL && *paths != NULL; paths++) {
        size_t before = files.n;

        if (!gw_paths_add(&files, *paths)) {
            gw_diag_error(diag, (struct gw_place){.file = *paths}, "can't be read: %s",
                          strerror(errno));
        } else if (files.n == before) {
            gw_diag_warn(diag, (struct gw_place){.file = *paths},
                         "the folder holds no *.yaml, *.yml or *.json files");
        }
    }
    for (size_t i = 0; i < files.n; i++) {
        (void)gw_objects_read_file(&list, files.items[i], &seen, diag);
    }
    gw_seen_fini(&seen);
    gw_paths_fini(&files);
    *objects = list.items;
    *n = list.n;
    return diag->errors == errors;
}
