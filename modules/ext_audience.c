#include "modules/ext_audience.h"

#include <stdlib.h>

#include "config/json.h"
#include "modules/subscriptions.h"

enum {
    ALL,
    SUBSCRIBED
};

const char *const gw_ext_visibility_words[] = {
    [ALL] = "all",
    [SUBSCRIBED] = "subscribed",
    NULL,
};

static int
compare(const void *a, const void *b)
{
    return gw_str_cmp(*(const struct gw_str *)a, *(const struct gw_str *)b);
}

static bool
check_names(const struct gw_ext_audience_rows *rows, struct gw_loader *l, const json_t *spec)
{
    const json_t *list = json_object_get(spec, "workspaces");
    bool good = true;

    for (size_t i = 0; rows->workspaces != NULL && rows->workspaces[i] != NULL; i++) {
        if (!gw_subscriptions_name_ok(gw_str_of(rows->workspaces[i]))) {
            gw_schema_error(l, json_is_array(list) ? json_array_get(list, i) : list,
                            gw_arena_printf(l->arena, "spec.workspaces[%zu]", i),
                            "\"%s\" is not the name of a workspace", rows->workspaces[i]);
            good = false;
        }
    }
    return good;
}

/* It can be meant (for those who are known, no permission is needed), but hardly is. */
static void
warn_of_strangers(const struct gw_ext_audience *a, struct gw_loader *l, const json_t *spec)
{
    const char *access = json_string_value(json_object_get(spec, "access"));

    if (a->restricted && access != NULL && strcmp(access, "public") == 0) {
        gw_diag_warn(l->diag, gw_yaml_key_place(l->source, spec, "access"),
                     "spec.access: public does not open it to strangers: they are in no workspace, "
                     "and it is for some workspaces only");
    }
}

/* As gw_set_text_list() reads them: one text is a list of one.  False: it would refuse them. */
static bool
read_workspaces(struct gw_ext_audience *out, const json_t *value, struct gw_arena *arena)
{
    bool is_list = json_is_array(value);
    size_t n = is_list ? json_array_size(value) : value != NULL && !json_is_null(value);
    struct gw_str *list = gw_arena_alloc(arena, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++) {
        const json_t *one = is_list ? json_array_get(value, i) : value;

        list[i] = gw_json_text(one);
        if (!gw_subscriptions_name_ok(list[i]) || gw_str_find(list[i], '\0') < list[i].n) {
            return false;
        }
        list[i] = gw_arena_str(arena, list[i]);
    }
    if (n > 0) {
        qsort(list, n, sizeof(*list), compare);
    }
    out->n_workspaces = (unsigned)n;
    out->workspaces = list;
    return true;
}

static bool
read_visibility(struct gw_ext_audience *out, const json_t *value)
{
    struct gw_str word = gw_str_of(json_string_value(value));

    out->subscribed = gw_str_eq(word, gw_str_of(gw_ext_visibility_words[SUBSCRIBED]));
    return value == NULL || json_is_null(value) || out->subscribed ||
           gw_str_eq(word, gw_str_of(gw_ext_visibility_words[ALL]));
}

void
gw_ext_audience_read(struct gw_ext_audience *out, const json_t *spec, struct gw_arena *arena)
{
    static const struct gw_str no_workspace = {"", 0};

    *out = (struct gw_ext_audience){0};
    if (!read_visibility(out, json_object_get(spec, "visibility")) ||
        !read_workspaces(out, json_object_get(spec, "workspaces"), arena)) {
        *out = (struct gw_ext_audience){
            .subscribed = true, .n_workspaces = 1, .workspaces = &no_workspace};
    }
    out->restricted = out->n_workspaces > 0 || out->subscribed;
}

bool
gw_ext_audience_compile(struct gw_ext_audience *out, const struct gw_ext_audience_rows *rows,
                        struct gw_loader *l, const json_t *spec)
{
    unsigned n = 0;

    if (!check_names(rows, l, spec)) {
        return false;
    }
    while (rows->workspaces != NULL && rows->workspaces[n] != NULL) {
        n++;
    }
    struct gw_str *list = gw_arena_alloc(l->arena, (n + 1) * sizeof(*list));
    for (unsigned i = 0; i < n; i++) {
        list[i] = gw_str_of(rows->workspaces[i]);
    }
    if (n > 0) {
        qsort(list, n, sizeof(*list), compare);
    }
    *out = (struct gw_ext_audience){.restricted = n > 0 || rows->visibility == SUBSCRIBED,
                                    .subscribed = rows->visibility == SUBSCRIBED,
                                    .n_workspaces = n,
                                    .workspaces = list};
    warn_of_strangers(out, l, spec);
    return true;
}

bool
gw_ext_audience_has(const struct gw_ext_audience *a, const struct gw_world *world,
                    struct gw_str extension, struct gw_str workspace)
{
    if (a->n_workspaces > 0 && bsearch(&workspace, a->workspaces, a->n_workspaces,
                                       sizeof(*a->workspaces), compare) == NULL) {
        return false;
    }
    return !a->subscribed || gw_subscriptions_have(world, extension, workspace);
}
