#include "modules/ext_permissions.h"

#include <stdlib.h>

#define SEGMENTS_MAX 32 /* of a row, and of a path as far as it is looked at */

const struct gw_setting gw_ext_permission_rows[] = {
    {.name = "path",
     .set = gw_set_text,
     .at = offsetof(struct gw_ext_permission, path),
     .flags = GW_REQUIRED,
     .example = "\"/workspaces/{workspace}/pipelines/{name}\"",
     .help = "Below the extension; with {workspace}, {namespace}, {cluster}, {name}."},
    {.name = "group",
     .set = gw_set_text,
     .at = offsetof(struct gw_ext_permission, group),
     .flags = GW_REQUIRED,
     .example = "devops.kubesphere.io",
     .help = "The API group of the resource, as roles name it."},
    {.name = "resource",
     .set = gw_set_text,
     .at = offsetof(struct gw_ext_permission, resource),
     .flags = GW_REQUIRED,
     .example = "pipelines",
     .help = "The resource, as roles name it."},
    {0},
};

static const char *const placeholders[] = {
    [GW_EXT_LITERAL] = "",
    [GW_EXT_WORKSPACE] = "{workspace}",
    [GW_EXT_NAMESPACE] = "{namespace}",
    [GW_EXT_CLUSTER] = "{cluster}",
    [GW_EXT_NAME] = "{name}",
};

#define KINDS (sizeof(placeholders) / sizeof(placeholders[0]))

/* False: it looks like a placeholder and is none. */
static bool
read_segment(struct gw_ext_segment *s, struct gw_str text)
{
    *s = (struct gw_ext_segment){.kind = GW_EXT_LITERAL, .text = text};
    for (unsigned k = GW_EXT_WORKSPACE; k < KINDS; k++) {
        if (gw_str_eq(text, gw_str_of(placeholders[k]))) {
            s->kind = (enum gw_ext_segment_kind)k;
            return true;
        }
    }
    return gw_str_find(text, '{') == text.n && gw_str_find(text, '}') == text.n;
}

/* NULL, or what is wrong with the row. */
static const char *
compile_row(struct gw_ext_permission *p, struct gw_arena *a)
{
    struct gw_str rest = gw_str_of(p->path);
    unsigned seen = 0;

    if (rest.n < 2 || rest.p[0] != '/' || rest.p[rest.n - 1] == '/') {
        return "must begin with a slash, and not end with one";
    }
    rest = gw_str_skip(rest, 1);
    p->segments = gw_arena_alloc(a, SEGMENTS_MAX * sizeof(*p->segments));
    while (rest.p != NULL) {
        struct gw_str text = gw_str_cut(&rest, '/');
        struct gw_ext_segment *s = &p->segments[p->n_segments];

        if (p->n_segments == SEGMENTS_MAX) {
            return "has more than 32 segments";
        }
        if (text.n == 0 || !read_segment(s, text)) {
            return "has an empty segment, or a placeholder other than {workspace}, {namespace}, "
                   "{cluster} and {name}";
        }
        if (s->kind != GW_EXT_LITERAL && (seen >> s->kind & 1) != 0) {
            return "has the same placeholder twice";
        }
        seen |= 1U << s->kind;
        p->n_literals += s->kind == GW_EXT_LITERAL;
        p->n_segments++;
    }
    p->n_segments -= p->segments[p->n_segments - 1].kind == GW_EXT_NAME;
    return p->n_segments == 0 ? "needs more than a {name}" : NULL;
}

static int
by_length(const void *left, const void *right)
{
    const struct gw_ext_permission *a = left;
    const struct gw_ext_permission *b = right;

    if (a->n_segments != b->n_segments) {
        return a->n_segments > b->n_segments ? -1 : 1;
    }
    if (a->n_literals != b->n_literals) {
        return a->n_literals > b->n_literals ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

bool
gw_ext_permissions_compile(struct gw_list *list, struct gw_loader *l, const json_t *json)
{
    struct gw_ext_permission *rows = list->items;
    bool good = true;

    for (size_t i = 0; i < list->n; i++) {
        const char *wrong = compile_row(&rows[i], l->arena);

        rows[i].order = (unsigned)i;
        if (wrong != NULL) {
            gw_diag_error(
                l->diag, gw_yaml_place(l->source, json_object_get(json_array_get(json, i), "path")),
                "spec.permissions[%zu].path: \"%s\" %s", i, rows[i].path, wrong);
            good = false;
        }
    }
    if (list->n > 1) {
        qsort(rows, list->n, sizeof(*rows), by_length);
    }
    return good;
}

/* As the most lenient server reads it: what such a server takes for a resource must not pass for a
 * plain path. */
static bool
row_fits(const struct gw_ext_permission *p, const struct gw_str *segments, unsigned n)
{
    if (n < p->n_segments) {
        return false;
    }
    for (unsigned i = 0; i < p->n_segments; i++) {
        if (p->segments[i].kind == GW_EXT_LITERAL &&
            !gw_path_segment_sounds(segments[i], p->segments[i].text)) {
            return false;
        }
    }
    return true;
}

/* Takes what the placeholders stand for; returns where the name is, if there is one. */
static unsigned
take_places(const struct gw_ext_permission *p, const struct gw_str *segments,
            struct gw_request_info *info)
{
    unsigned name = p->n_segments;

    for (unsigned i = 0; i < p->n_segments; i++) {
        switch (p->segments[i].kind) {
        case GW_EXT_LITERAL:
            break;
        case GW_EXT_WORKSPACE:
            info->workspace = segments[i];
            break;
        case GW_EXT_NAMESPACE:
            info->ns = segments[i];
            break;
        case GW_EXT_CLUSTER:
            info->cluster = segments[i];
            break;
        case GW_EXT_NAME:
            name = i;
            break;
        }
    }
    return name;
}

static void
fill_info(const struct gw_ext_permission *p, const struct gw_str *segments, unsigned n,
          struct gw_request_info *info)
{
    info->workspace = info->ns = info->cluster = GW_STR_NONE;
    unsigned name = take_places(p, segments, info);
    info->is_resource = true;
    info->is_kubernetes = false;
    info->api_group = gw_str_of(p->group);
    info->resource = gw_str_of(p->resource);
    info->name = name < n ? segments[name] : GW_STR_NONE;
    info->subresource = name + 1 < n ? segments[name + 1] : GW_STR_NONE;
    info->n_parts = n - name + (name > 0 && p->segments[name - 1].kind == GW_EXT_LITERAL);
    info->scope = info->ns.n > 0          ? GW_STR("Namespace")
                  : info->workspace.n > 0 ? GW_STR("Workspace")
                                          : GW_STR("Cluster");
}

bool
gw_ext_permissions_match(const struct gw_list *list, struct gw_str path,
                         struct gw_request_info *info)
{
    const struct gw_ext_permission *rows = list->items;
    struct gw_str segments[SEGMENTS_MAX];
    unsigned n = 0;

    if (list->n == 0) {
        return false;
    }
    while (path.n > 0 && n < SEGMENTS_MAX) {
        segments[n] = gw_str_cut(&path, '/');
        /* the first slash, and one at the end; "/;x/" is "//" to who cuts parameters off */
        n += segments[n].n > 0 && segments[n].p[0] != ';';
    }
    for (size_t i = 0; i < list->n; i++) {
        if (row_fits(&rows[i], segments, n)) {
            fill_info(&rows[i], segments, n, info);
            return true;
        }
    }
    return false;
}

struct gw_str
gw_ext_permissions_verb(struct gw_str method, bool has_name, bool watch)
{
    static const struct {
        const char *method, *verb, *of_all; /* of_all: when no name is given */
    } verbs[] = {
        {"GET", "get", "list"},       {"HEAD", "get", "list"},
        {"POST", "create", "create"}, {"PUT", "update", "update"},
        {"PATCH", "patch", "patch"},  {"DELETE", "delete", "deletecollection"},
    };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (gw_str_eq(method, gw_str_of(verbs[i].method))) {
            bool list = !has_name && i < 2;

            return list && watch ? GW_STR("watch")
                                 : gw_str_of(has_name ? verbs[i].verb : verbs[i].of_all);
        }
    }
    return GW_STR("");
}
