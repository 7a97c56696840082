#include "modules/ext_versions.h"

#include <string.h>

#include "gateway/split.h"
#include "http/headers.h"
#include "modules/ext_share.h"

#define PERCENT_ALL 100

/* What one match of a row says. */
struct match_row {
    json_t *header, *cookie; /* names to values; NULL: not written, as are: */
    const char *const *user, *const *group, *const *workspace;
};

enum {
    FALLBACK_REST,
    FALLBACK_NONE
};

static const char *const fallback_words[] = {
    [FALLBACK_REST] = "rest", [FALLBACK_NONE] = "none", NULL};

static gw_set_fn set_mapping, set_matches;

#define AT(field) offsetof(struct match_row, field)

/* clang-format off */
static const struct gw_setting match_rows[] = {
    {.name = "header", .set = set_mapping, .at = AT(header), .type = "a mapping of names to values",
     .example = "{X-Canary: \"1\"}", .help = "Headers that the client sends, with one of these values each."},
    {.name = "cookie", .set = set_mapping, .at = AT(cookie), .type = "a mapping of names to values",
     .example = "{canary: \"1\"}", .help = "Cookies, likewise."},
    {.name = "user", .set = gw_set_text_list, .at = AT(user), .example = "[alice]",
     .help = "Users by their names, as the gateway has verified them."},
    {.name = "group", .set = gw_set_text_list, .at = AT(group), .example = "[testers]",
     .help = "Who is in one of these groups."},
    {.name = "workspace", .set = gw_set_text_list, .at = AT(workspace), .example = "[ws1]",
     .help = "Who is bound in one of these workspaces."},
    {0},
};

const struct gw_setting gw_ext_version_rows[] = {
    {.name = "name", .set = gw_set_text, .at = offsetof(struct gw_ext_version_row, name),
     .flags = GW_REQUIRED, .example = "v2", .help = "The version, as endpoints name it."},
    {.name = "weight", .set = gw_set_int, .at = offsetof(struct gw_ext_version_row, weight),
     .initial = "0", .min = 0, .max = PERCENT_ALL,
     .help = "Its share, in percent, of the requests that no match has decided."},
    {.name = "match", .set = set_matches, .at = offsetof(struct gw_ext_version_row, match),
     .rows = match_rows, .row_size = sizeof(struct match_row), .type = "a section, or a list of sections",
     .help = "Which requests always go there: all that is written has to hold; of several in a list, one."},
    {.name = "fallback", .set = gw_set_word, .at = offsetof(struct gw_ext_version_row, fallback),
     .words = fallback_words, .initial = "rest",
     .help = "Where its requests go while none of its endpoints is up: to the rest, or nowhere."},
    {0},
};
/* clang-format on */

/* One match stands for a list of one. */
static bool
set_matches(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    struct gw_list *list = field;

    if (!json_is_object(value)) {
        return gw_set_list(l, field, value, row, path);
    }
    *list = (struct gw_list){.items = gw_arena_alloc(l->arena, row->row_size), .n = 1};
    return gw_schema_load(l, list->items, value, row->rows, path, NULL);
}

static bool
set_mapping(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    if (!json_is_object(value)) {
        gw_schema_error(l, value, path, "expected a mapping of names to values, got %s",
                        gw_schema_got(l, value));
        return false;
    }
    return gw_set_json(l, field, value, row, path);
}

/* -- conditions -------------------------------------------------------------------------------- */

/* One match that is read. */
struct reader {
    struct gw_loader *l;
    const char *path; /* "spec.versions[0].match" */
    unsigned match;
    struct gw_ext_condition *out;
    unsigned n;
};

static bool
add_values(struct reader *r, enum gw_ext_condition_of of, struct gw_str name,
           const char *const *texts, const json_t *json, const char *path)
{
    unsigned n = 0;

    while (texts[n] != NULL) {
        n++;
    }
    if (n == 0) {
        gw_schema_error(r->l, json, path, "an empty list would match nothing; leave it out");
        return false;
    }
    struct gw_str *values = gw_arena_alloc(r->l->arena, n * sizeof(*values));
    for (unsigned i = 0; i < n; i++) {
        values[i] = gw_str_of(texts[i]);
    }
    r->out[r->n++] = (struct gw_ext_condition){
        .of = of, .match = r->match, .name = name, .n_values = n, .values = values};
    return true;
}

/* Whoever asks may write what they like into a header: what only we may say is no condition, and
 * neither is a secret. */
static const char *
unfit(enum gw_ext_condition_of of, struct gw_str name)
{
    if (!gw_header_name_ok(name)) { /* a cookie's name is a token, too */
        return of == GW_EXT_OF_HEADER ? "is not the name of a header"
                                      : "is not the name of a cookie";
    }
    if (of == GW_EXT_OF_COOKIE) {
        return NULL;
    }
    if (gw_header_is_identity(name)) {
        return "is the gateway's own, and left out when a client sends it; use user, group or "
               "workspace";
    }
    switch (gw_header_id(name)) {
    case GW_H_COOKIE:
        return "holds all cookies; use cookie";
    case GW_H_AUTHORIZATION:
        return "is a secret; use user, group or workspace";
    default:
        return NULL;
    }
}

static bool
read_named(struct reader *r, enum gw_ext_condition_of of, json_t *mapping, const char *kind)
{
    bool good = true;
    const char *name;
    json_t *value;

    if (mapping != NULL && json_object_size(mapping) == 0) {
        gw_schema_error(r->l, mapping, gw_arena_printf(r->l->arena, "%s.%s", r->path, kind),
                        "names none; leave it out");
        return false;
    }
    json_object_foreach(mapping, name, value)
    {
        const char *path = gw_arena_printf(r->l->arena, "%s.%s.%s", r->path, kind, name);
        const char *why = unfit(of, gw_str_of(name));
        const char *const *texts = NULL;

        if (why != NULL) {
            gw_schema_error(r->l, value, path, "\"%s\" %s", name, why);
            good = false;
            continue;
        }
        good = gw_set_text_list(r->l, &texts, value, NULL, path) &&
               add_values(r, of, gw_str_of(gw_arena_strndup(r->l->arena, name, strlen(name))),
                          texts, value, path) &&
               good;
    }
    return good;
}

static bool
read_listed(struct reader *r, enum gw_ext_condition_of of, const char *const *texts,
            const json_t *json, const char *kind)
{
    return texts == NULL || add_values(r, of, GW_STR_NONE, texts, json_object_get(json, kind),
                                       gw_arena_printf(r->l->arena, "%s.%s", r->path, kind));
}

static bool
read_match(struct reader *r, const struct match_row *m, const json_t *json)
{
    unsigned before = r->n;
    bool good = read_named(r, GW_EXT_OF_HEADER, m->header, "header");

    good = read_named(r, GW_EXT_OF_COOKIE, m->cookie, "cookie") && good;
    good = read_listed(r, GW_EXT_OF_USER, m->user, json, "user") && good;
    good = read_listed(r, GW_EXT_OF_GROUP, m->group, json, "group") && good;
    good = read_listed(r, GW_EXT_OF_WORKSPACE, m->workspace, json, "workspace") && good;
    if (good && r->n == before) {
        gw_schema_error(r->l, json, r->path,
                        "says nothing; for all requests, leave it out and write weight: 100");
        return false;
    }
    return good;
}

static size_t
most_conditions(const struct gw_list *matches)
{
    const struct match_row *m = matches->items;
    size_t n = 0;

    for (size_t i = 0; i < matches->n; i++) {
        n += 3 + json_object_size(m[i].header) + json_object_size(m[i].cookie);
    }
    return n;
}

static bool
read_matches(struct gw_ext_version *v, const struct gw_list *matches, struct gw_loader *l,
             const json_t *json, const char *path)
{
    const struct match_row *rows = matches->items;
    size_t size = most_conditions(matches) * sizeof(struct gw_ext_condition);
    struct reader r = {.l = l, .out = gw_arena_alloc(l->arena, size + 1)};
    bool good = true;

    if (json_is_array(json) && matches->n == 0) {
        gw_schema_error(l, json, path, "an empty list would match nothing; leave it out");
        return false;
    }
    for (size_t i = 0; i < matches->n; i++) {
        r.match = (unsigned)i;
        r.path = json_is_array(json) ? gw_arena_printf(l->arena, "%s[%zu]", path, i) : path;
        good =
            read_match(&r, &rows[i], json_is_array(json) ? json_array_get(json, i) : json) && good;
    }
    v->conditions = r.out;
    v->n_conditions = r.n;
    return good;
}

/* -- rows -------------------------------------------------------------------------------------- */

bool
gw_ext_version_ok(const char *name)
{
    return strlen(name) <= 63 && gw_header_name_ok(gw_str_of(name));
}

/* Is it one that may have a row, and has none yet? */
static bool
check_name(const struct gw_ext_version_row *rows, size_t at, struct gw_loader *l,
           const json_t *item)
{
    const char *path = gw_arena_printf(l->arena, "spec.versions[%zu].name", at);
    const json_t *json = json_object_get(item, "name");

    if (!gw_ext_version_ok(rows[at].name)) {
        gw_schema_error(l, json, path, "\"%.80s\" %s", rows[at].name, GW_EXT_VERSION_RULE);
        return false;
    }
    for (size_t i = 0; i < at; i++) {
        if (strcmp(rows[i].name, rows[at].name) == 0) {
            gw_schema_error(l, json, path, "\"%s\" has a row already: spec.versions[%zu]",
                            rows[at].name, i);
            return false;
        }
    }
    return true;
}

static bool
check_weights(const struct gw_list *list, struct gw_loader *l, const json_t *json)
{
    const struct gw_ext_version_row *rows = list->items;
    long long sum = 0;

    for (size_t i = 0; i < list->n; i++) {
        sum += rows[i].weight;
        if (sum > PERCENT_ALL) {
            gw_schema_error(l, json_object_get(json_array_get(json, i), "weight"),
                            gw_arena_printf(l->arena, "spec.versions[%zu].weight", i),
                            "with it the weights are %lld, and they are percent: at most 100 "
                            "together",
                            sum);
            return false;
        }
    }
    return true;
}

bool
gw_ext_versions_compile(struct gw_ext_versions *out, const struct gw_list *rows,
                        struct gw_loader *l, const json_t *json)
{
    const struct gw_ext_version_row *from = rows->items;
    bool good = check_weights(rows, l, json);

    *out = (struct gw_ext_versions){0};
    if (rows->n > GW_SPLIT_ROWS) {
        gw_schema_error(l, json, "spec.versions",
                        "has %zu rows; at most %d versions can be told "
                        "apart",
                        rows->n, GW_SPLIT_ROWS);
        return false;
    }
    struct gw_ext_version *list = gw_arena_alloc(l->arena, (rows->n + 1) * sizeof(*list));
    for (size_t i = 0; i < rows->n; i++) {
        const json_t *item = json_array_get(json, i);
        const char *path = gw_arena_printf(l->arena, "spec.versions[%zu].match", i);

        list[i] = (struct gw_ext_version){.name = gw_str_of(from[i].name),
                                          .weight = (unsigned)from[i].weight,
                                          .alone = from[i].fallback == FALLBACK_NONE};
        good = check_name(from, i, l, item) && good;
        good =
            read_matches(&list[i], &from[i].match, l, json_object_get(item, "match"), path) && good;
    }
    if (rows->n > 0) {
        *out = (struct gw_ext_versions){.n = (unsigned)rows->n, .list = list};
    }
    return good;
}

/* -- a copy ------------------------------------------------------------------------------------ */

void
gw_ext_versions_size(const struct gw_ext_versions *v, size_t *structs, size_t *texts)
{
    *structs += v->n * sizeof(*v->list);
    for (unsigned i = 0; i < v->n; i++) {
        const struct gw_ext_version *from = &v->list[i];

        *texts += from->name.n;
        *structs += from->n_conditions * sizeof(*from->conditions);
        for (unsigned k = 0; k < from->n_conditions; k++) {
            const struct gw_ext_condition *c = &from->conditions[k];

            *texts += c->name.n;
            *structs += c->n_values * sizeof(*c->values);
            for (unsigned x = 0; x < c->n_values; x++) {
                *texts += c->values[x].n;
            }
        }
    }
}

static void
copy_condition(struct gw_ext_condition *c, char **structs, char **texts)
{
    struct gw_str *values = gw_ext_share_put(structs, c->values, c->n_values * sizeof(*values));

    for (unsigned i = 0; i < c->n_values; i++) {
        values[i] = gw_str_pack(texts, values[i]);
    }
    c->name = gw_str_pack(texts, c->name);
    c->values = values;
}

void
gw_ext_versions_copy(struct gw_ext_versions *v, char **structs, char **texts)
{
    struct gw_ext_version *list;

    if (v->n == 0) {
        return;
    }
    list = gw_ext_share_put(structs, v->list, v->n * sizeof(*list));
    for (unsigned i = 0; i < v->n; i++) {
        struct gw_ext_condition *c =
            gw_ext_share_put(structs, list[i].conditions, list[i].n_conditions * sizeof(*c));

        for (unsigned k = 0; k < list[i].n_conditions; k++) {
            copy_condition(&c[k], structs, texts);
        }
        list[i].name = gw_str_pack(texts, list[i].name);
        list[i].conditions = c;
    }
    v->list = list;
}
