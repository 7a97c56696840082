#include "config/schema.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/json.h"
#include "config/scalar.h"

#define PATH_SIZE   256 /* for messages only: a longer one is cut */
#define LONGEST_GOT 40  /* of a value that is quoted in a message */
#define FEW_NAMES   10  /* that are listed for someone who wrote an unknown one */

void
gw_schema_error(struct gw_loader *l, const json_t *value, const char *path, const char *fmt, ...)
{
    struct gw_place at = gw_yaml_place(l->source, value);
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0) {
        text = NULL;
    }
    va_end(ap);
    gw_diag_error(l->diag, at.line > 0 ? at : l->here, "%s%s%s", path, path[0] == '\0' ? "" : ": ",
                  text == NULL ? fmt : text);
    free(text);
}

const char *
gw_schema_got(struct gw_loader *l, const json_t *value)
{
    struct gw_buf text = {0};

    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_NULL:
        return "nothing";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_INTEGER:
        return gw_arena_printf(l->arena, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return gw_arena_printf(l->arena, "%.15g", json_real_value(value));
    case JSON_STRING:
        break;
    }
    struct gw_str got = gw_json_text(value);
    bool cut = got.n > LONGEST_GOT;
    gw_buf_json(&text, (struct gw_str){got.p, cut ? LONGEST_GOT : got.n});
    const char *copy = gw_arena_printf(l->arena, "%s%s", text.p, cut ? "..." : "");
    gw_buf_fini(&text);
    return copy;
}

static void
join(char out[PATH_SIZE], const char *path, const char *name)
{
    if (snprintf(out, PATH_SIZE, "%s%s%s", path, path[0] == '\0' ? "" : ".", name) >= PATH_SIZE) {
        memcpy(out + PATH_SIZE - 4, "...", 4);
    }
}

/* What is unknown here, and what was probably meant. */
static void
unknown_key(struct gw_loader *l, const json_t *object, const char *key, const char *path,
            const char *const *names, size_t n_names)
{
    struct gw_buf text = {0};
    struct gw_place at = gw_yaml_key_place(l->source, object, key);
    const char *near = gw_diag_nearest(gw_str_of(key), names);

    gw_buf_printf(&text, "%s%sunknown setting ", path, path[0] == '\0' ? "" : ": ");
    gw_buf_json(&text, gw_str_of(key));
    if (near != NULL) {
        gw_buf_printf(&text, " (did you mean \"%s\"?)", near);
    } else if (n_names > 0 && n_names <= FEW_NAMES) {
        for (size_t i = 0; i < n_names; i++) {
            gw_buf_printf(&text, "%s%s", i == 0 ? " (known here: " : ", ", names[i]);
        }
        gw_buf_puts(&text, ")");
    }
    gw_diag_error(l->diag, at.line > 0 ? at : l->here, "%s", text.p);
    gw_buf_fini(&text);
}

static const struct gw_setting *
find_row(const struct gw_setting *rows, const char *name)
{
    for (; rows->name != NULL; rows++) {
        if (strcmp(rows->name, name) == 0) {
            return rows;
        }
    }
    return NULL;
}

static bool
is_in(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* All names that may stand here, NULL-terminated; heap. */
static const char **
known_names(const struct gw_setting *rows, const char *const *others, size_t *count)
{
    const char **names = NULL;
    size_t n = 0;
    size_t i = 0;

    while (rows[n].name != NULL) {
        n++;
    }
    for (const char *const *o = others; o != NULL && *o != NULL; o++) {
        n++;
    }
    names = gw_mem_alloc((n + 1) * sizeof(*names));
    for (; rows->name != NULL; rows++) {
        names[i++] = rows->name;
    }
    for (; others != NULL && *others != NULL; others++) {
        names[i++] = *others;
    }
    *count = n;
    return names;
}

static void
check_keys(struct gw_loader *l, const json_t *object, const struct gw_setting *rows,
           const char *path, const char *const *others)
{
    const char **names = NULL; /* made for the first unknown one: most have none */
    size_t n = 0;
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(gw_json_loose(object), key, value)
    {
        if (find_row(rows, key) == NULL && !is_in(others, key)) {
            if (names == NULL) {
                names = known_names(rows, others, &n);
            }
            unknown_key(l, object, key, path, names, n);
        }
    }
    free(names);
}

/* The value of a default, as the row's text says it.  A new reference. */
static json_t *
read_initial(const char *text, struct gw_diag *diag)
{
    struct gw_yaml y = {0};
    const char *problem = NULL;

    /* Nearly all are plain words and numbers: objects by the thousand are read by these rows,
     * and should not start a YAML parser for each. */
    if (strpbrk(text, "{}[]\"'&*!|>%@`#:,") == NULL) {
        return gw_scalar_read(gw_str_of(text), &problem);
    }
    (void)gw_yaml_read(&y, "initial", gw_str_of(text), diag);
    json_t *value = y.n_docs == 1 ? json_incref(y.docs[0]) : NULL;
    gw_yaml_fini(&y);
    return value;
}

static void
set_initial(struct gw_loader *l, void *field, const struct gw_setting *row, const char *path)
{
    struct gw_diag diag = {0};
    struct gw_loader quiet = {.arena = l->arena, .diag = &diag};
    json_t *value = read_initial(row->initial, &diag);

    if (value == NULL || !row->set(&quiet, field, value, row, path)) {
        gw_log_error("the default of the setting %s, '%s', is not valid: %s", path, row->initial,
                     gw_diag_first(&diag));
        abort(); /* a mistake in the row, not in anyone's file */
    }
    json_decref(value);
    gw_diag_fini(&diag);
}

static void
set_default(struct gw_loader *l, void *field, const struct gw_setting *row, const char *path)
{
    if (row->set == gw_set_section) {
        (void)gw_schema_load(l, field, NULL, row->rows, path, NULL);
    }
    if (row->initial != NULL) {
        set_initial(l, field, row, path);
    }
}

static void
load_row(struct gw_loader *l, void *into, const json_t *object, const struct gw_setting *row,
         const char *path)
{
    const json_t *value = json_object_get(object, row->name);
    void *field = (char *)into + row->at;
    struct gw_place outer = l->here;
    char here[PATH_SIZE];

    join(here, path, row->name);
    bool written = value != NULL && !json_is_null(value);
    if (!written || row->set != gw_set_section) { /* a section sets those of its own rows */
        set_default(l, field, row, here);
    }
    if (written) {
        struct gw_place at = gw_yaml_key_place(l->source, object, row->name);

        l->here = at.line > 0 ? at : outer;
        (void)row->set(l, field, value, row, here);
        l->here = outer;
    } else if (object != NULL && (row->flags & GW_REQUIRED) != 0) {
        struct gw_place at = gw_yaml_key_place(l->source, object, row->name);
        gw_diag_error(l->diag, at.line > 0 ? at : outer, "%s: is required%s%s", here,
                      row->example == NULL ? "" : "; for example: ",
                      row->example == NULL ? "" : row->example);
    }
}

bool
gw_schema_load(struct gw_loader *l, void *into, const json_t *value, const struct gw_setting *rows,
               const char *path, const char *const *others)
{
    size_t errors = l->diag->errors;
    struct gw_place outer = l->here;
    const json_t *object = json_is_object(value) ? value : NULL;
    struct gw_place at = gw_yaml_place(l->source, value);

    if (at.line > 0) {
        l->here = at;
    }
    if (value != NULL && !json_is_null(value) && object == NULL) {
        gw_schema_error(l, value, path, "expected a mapping of settings, got %s",
                        gw_schema_got(l, value));
    }
    if (object != NULL) {
        check_keys(l, object, rows, path, others);
    }
    for (; rows->name != NULL; rows++) {
        load_row(l, into, object, rows, path);
    }
    l->here = outer;
    return l->diag->errors == errors;
}

bool
gw_set_section(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
               const char *path)
{
    return gw_schema_load(l, field, value, row->rows, path, NULL);
}

bool
gw_set_list(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    struct gw_list *list = field;
    size_t errors = l->diag->errors;

    assert(row->rows != NULL && row->row_size > 0);
    if (!json_is_array(value)) {
        gw_schema_error(l, value, path, "expected a list (each item after a \"- \"), got %s",
                        gw_schema_got(l, value));
        return false;
    }
    list->n = json_array_size(value);
    list->items = gw_arena_alloc(l->arena, list->n * row->row_size);
    for (size_t i = 0; i < list->n; i++) {
        const json_t *item = json_array_get(value, i);
        char here[PATH_SIZE];

        (void)snprintf(here, sizeof(here), "%s[%zu]", path, i);
        if (json_is_null(item)) {
            gw_schema_error(l, value, here, "expected a mapping of settings, got nothing");
        }
        (void)gw_schema_load(l, (char *)list->items + i * row->row_size, item, row->rows, here,
                             NULL);
    }
    return l->diag->errors == errors;
}
