#include <limits.h>

#include "config/json.h"
#include "config/scalar.h"
#include "config/schema.h"
#include "config/values.h"

typedef void put_fn(struct gw_buf *out, long long value);

static void
put_int(struct gw_buf *out, long long value)
{
    gw_buf_printf(out, "%lld", value);
}

static void
put_percent(struct gw_buf *out, long long value)
{
    gw_buf_printf(out, "%lld%%", value);
}

/* max 0 below a min above it: no upper limit. */
static bool
has_max(const struct gw_setting *row)
{
    return row->max != 0 || row->min < 0;
}

static bool
check_limits(struct gw_loader *l, const json_t *value, const struct gw_setting *row,
             const char *path, long long number, put_fn *put)
{
    bool below = row->min != 0 && number < row->min;
    bool above = has_max(row) && number > row->max;

    if (row->min == 0 && row->max != 0) {
        below = number < 0;
    }
    if (below || above) {
        struct gw_buf text = {0};

        put(&text, number);
        gw_buf_printf(&text, " is %s of ", below ? "below the minimum" : "above the maximum");
        put(&text, below ? row->min : row->max);
        gw_schema_error(l, value, path, "%s", text.p);
        gw_buf_fini(&text);
    }
    return !below && !above;
}

static bool
refuse(struct gw_loader *l, const json_t *value, const char *path, const char *expected)
{
    gw_schema_error(l, value, path, "expected %s, got %s", expected, gw_schema_got(l, value));
    return false;
}

/* A new reference: the value, or what the text of ${NAME} reads as. */
static json_t *
plain_value(struct gw_loader *l, const json_t *value)
{
    const char *problem = NULL;
    json_t *read = NULL;

    if (json_is_string(value) && gw_yaml_is_expanded(l->source, value)) {
        read = gw_scalar_read(gw_json_text(value), &problem);
    }
    return read != NULL ? read : json_incref(gw_json_loose(value));
}

bool
gw_set_bool(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    json_t *plain = plain_value(l, value);
    bool good = json_is_boolean(plain);

    (void)row;
    if (good) {
        *(bool *)field = json_is_true(plain);
    } else {
        (void)refuse(l, value, path, "true or false");
    }
    json_decref(plain);
    return good;
}

bool
gw_set_int(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
           const char *path)
{
    json_t *plain = plain_value(l, value);
    long long number = json_integer_value(plain);
    bool good = json_is_integer(plain);

    json_decref(plain);
    if (!good) {
        return refuse(l, value, path, "a whole number");
    }
    if (!check_limits(l, value, row, path, number, put_int)) {
        return false;
    }
    *(long long *)field = number;
    return true;
}

bool
gw_set_size(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    long long bytes = json_integer_value(value);
    bool good = json_is_string(value) ? gw_parse_size(gw_json_text(value), &bytes)
                                      : json_is_integer(value) && bytes >= 0;

    if (!good) {
        return refuse(l, value, path, "a size such as 64KiB");
    }
    if (bytes == GW_UNLIMITED) {
        if (has_max(row) && row->min >= 0) {
            struct gw_buf most = {0};

            gw_values_put_size(&most, row->max);
            gw_schema_error(l, value, path, "can't be unlimited, the maximum is %s", most.p);
            gw_buf_fini(&most);
            return false;
        }
    } else if (!check_limits(l, value, row, path, bytes, gw_values_put_size)) {
        return false;
    }
    *(long long *)field = bytes;
    return true;
}

bool
gw_set_duration(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
                const char *path)
{
    long long ms = json_integer_value(value);

    if (json_is_integer(value) && ms > 0) {
        gw_schema_error(l, value, path, "%lld has no unit; write %llds or %lldms", ms, ms, ms);
        return false;
    }
    if (json_is_string(value) ? !gw_parse_duration(gw_json_text(value), &ms)
                              : !json_is_integer(value) || ms != 0) {
        return refuse(l, value, path, "a duration such as 10s or 1h30m");
    }
    if (!check_limits(l, value, row, path, ms, gw_values_put_duration)) {
        return false;
    }
    *(long long *)field = ms;
    return true;
}

bool
gw_set_percent(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
               const char *path)
{
    struct gw_str text = gw_json_text(value);
    uint64_t number = 0;

    if (text.n == 0 || text.p[text.n - 1] != '%' ||
        !gw_str_u64((struct gw_str){text.p, text.n - 1}, &number) || number > 100) {
        return refuse(l, value, path, "a percentage from 0% to 100%");
    }
    if (!check_limits(l, value, row, path, (long long)number, put_percent)) {
        return false;
    }
    *(long long *)field = (long long)number;
    return true;
}

/* The text, copied; NULL after an error.  No text is quoted in a message: it may be a
 * secret. */
static const char *
take_text(struct gw_loader *l, const json_t *value, const char *path)
{
    struct gw_str text = gw_json_text(value);

    if (json_is_number(value) || json_is_boolean(value)) {
        gw_schema_error(l, value, path, "expected text, got %s; write it in quotes",
                        gw_schema_got(l, value));
        return NULL;
    }
    if (!json_is_string(value)) {
        (void)refuse(l, value, path, "text");
        return NULL;
    }
    if (gw_str_find(text, '\0') < text.n) {
        gw_schema_error(l, value, path, "text can't hold a NUL byte");
        return NULL;
    }
    return gw_arena_strndup(l->arena, text.p, text.n);
}

bool
gw_set_text(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    const char *text = take_text(l, value, path);

    if (text != NULL && text[0] == '\0' && (row->flags & GW_REQUIRED) != 0) {
        gw_schema_error(l, value, path, "can't be empty");
        return false;
    }
    if (text != NULL) {
        *(const char **)field = text;
    }
    return text != NULL;
}

bool
gw_set_text_list(struct gw_loader *l, void *field, const json_t *value,
                 const struct gw_setting *row, const char *path)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    const char **list = NULL;
    bool good = true;

    (void)row;
    if (json_is_object(value)) {
        return refuse(l, value, path, "a list of texts");
    }
    list = gw_arena_alloc(l->arena, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        bool is_list = json_is_array(value);
        const char *at = is_list ? gw_arena_printf(l->arena, "%s[%zu]", path, i) : path;

        list[i] = take_text(l, is_list ? json_array_get(value, i) : value, at);
        good = good && list[i] != NULL;
    }
    if (good) {
        *(const char *const **)field = list;
    }
    return good;
}

/* The word's index, or -1 after an error. */
static int
find_word(struct gw_loader *l, const json_t *value, const struct gw_setting *row, const char *path)
{
    struct gw_buf text = {0};

    for (int i = 0; row->words[i] != NULL; i++) {
        if (json_is_string(value) && gw_str_eq(gw_json_text(value), gw_str_of(row->words[i]))) {
            gw_buf_fini(&text);
            return i;
        }
        gw_buf_printf(&text, "%s%s", i > 0 ? ", " : "", row->words[i]);
    }
    const char *near =
        json_is_string(value) ? gw_diag_nearest(gw_json_text(value), row->words) : NULL;
    gw_schema_error(l, value, path, "expected one of %s, got %s%s%s%s", text.p,
                    gw_schema_got(l, value), near != NULL ? " (did you mean \"" : "",
                    near != NULL ? near : "", near != NULL ? "\"?)" : "");
    gw_buf_fini(&text);
    return -1;
}

bool
gw_set_word(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    int i = find_word(l, value, row, path);

    if (i >= 0) {
        *(int *)field = i;
    }
    return i >= 0;
}

bool
gw_set_word_set(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
                const char *path)
{
    bool is_list = json_is_array(value);
    size_t n = is_list ? json_array_size(value) : 1;
    int set = 0;
    bool good = true;

    for (size_t k = 0; k < n; k++) {
        const char *at = is_list ? gw_arena_printf(l->arena, "%s[%zu]", path, k) : path;
        int i = find_word(l, is_list ? json_array_get(value, k) : value, row, at);

        good = good && i >= 0;
        set |= i >= 0 ? 1 << i : 0;
    }
    if (good) {
        *(int *)field = set;
    }
    return good;
}

static void
drop(void *value)
{
    json_decref(value);
}

bool
gw_set_json(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    json_t *kept = json_incref(gw_json_loose(value));

    (void)row;
    (void)path;
    gw_arena_defer(l->arena, drop, kept);
    *(json_t **)field = kept;
    return true;
}
