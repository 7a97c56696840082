#include "config/schema_docs.h"

/* JSON Schema, draft 2020-12, for editors. */

/* What a value of each kind may look like; the same rules as in the parsers. */
#define SIZE_PATTERN     "^(unlimited|[0-9]+ *([KMGT]iB?|[kMGT]B|B)?)$"
#define DURATION_PATTERN "^(0|(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
#define PERCENT_PATTERN  "^(100|[0-9]{1,2})%$"

static json_t *
of_type(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *
text_like(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *
one_of_words(const char *const *words)
{
    json_t *list = json_array();

    for (; *words != NULL; words++) {
        (void)json_array_append_new(list, json_string(*words));
    }
    return json_pack("{s:o}", "enum", list);
}

static json_t *
whole_number(const struct gw_setting *row)
{
    json_t *made = of_type("integer");

    if (row->min != 0 || row->max != 0) {
        (void)json_object_set_new(made, "minimum", json_integer(row->min));
        if (row->max != 0 || row->min < 0) {
            (void)json_object_set_new(made, "maximum", json_integer(row->max));
        }
    }
    return made;
}

static json_t *
form_of(const struct gw_setting *row)
{
    if (row->set == gw_set_section) {
        return gw_schema_json(row->rows);
    }
    if (row->set == gw_set_list) {
        return json_pack("{s:s, s:o}", "type", "array", "items", gw_schema_json(row->rows));
    }
    if (row->set == gw_set_bool) {
        return of_type("boolean");
    }
    if (row->set == gw_set_int) {
        return whole_number(row);
    }
    if (row->set == gw_set_size) {
        return json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 0,
                         text_like(SIZE_PATTERN));
    }
    if (row->set == gw_set_duration) {
        return json_pack("{s:[{s:i}, o]}", "anyOf", "const", 0, text_like(DURATION_PATTERN));
    }
    if (row->set == gw_set_percent) {
        return text_like(PERCENT_PATTERN);
    }
    if (row->set == gw_set_text || row->set == gw_set_file) {
        return of_type("string");
    }
    if (row->set == gw_set_text_list || row->set == gw_set_file_list) {
        return json_pack("{s:[o, {s:s, s:o}]}", "anyOf", of_type("string"), "type", "array",
                         "items", of_type("string"));
    }
    if (row->set == gw_set_word_set) {
        return json_pack("{s:[o, {s:s, s:o}]}", "anyOf", one_of_words(row->words), "type", "array",
                         "items", one_of_words(row->words));
    }
    return row->set == gw_set_word ? one_of_words(row->words) : json_object();
}

static json_t *
describe(const struct gw_setting *row)
{
    struct gw_diag diag = {0};
    struct gw_yaml y = {0};
    json_t *form = form_of(row);

    if (row->help != NULL) {
        (void)json_object_set_new(form, "description", json_string(row->help));
    }
    if (row->initial != NULL && gw_yaml_read(&y, "initial", gw_str_of(row->initial), &diag) &&
        y.n_docs == 1) {
        (void)json_object_set(form, "default", y.docs[0]);
    }
    gw_yaml_fini(&y);
    gw_diag_fini(&diag);
    return form;
}

json_t *
gw_schema_json(const struct gw_setting *rows)
{
    json_t *properties = json_object();
    json_t *required = json_array();

    for (; rows->name != NULL; rows++) {
        (void)json_object_set_new(properties, rows->name, describe(rows));
        if ((rows->flags & GW_REQUIRED) != 0) {
            (void)json_array_append_new(required, json_string(rows->name));
        }
    }
    json_t *made = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                             "additionalProperties", 0);
    if (json_array_size(required) > 0) {
        (void)json_object_set(made, "required", required);
    }
    json_decref(required);
    return made;
}
