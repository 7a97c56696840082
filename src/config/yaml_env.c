#include <ctype.h>
#include <stdlib.h>

#include "config/json.h"
#include "config/places.h"
#include "config/yaml.h"

struct expansion {
    struct gw_yaml *y;
    struct gw_diag *diag;
};

static bool
is_name(struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (!(isalpha(c) || c == '_' || (i > 0 && isdigit(c)))) {
            return false;
        }
    }
    return s.n > 0;
}

/* Appends the value of what stands between "${" and "}". */
static void
add_variable(const struct expansion *x, struct gw_place at, struct gw_str name, struct gw_buf *out)
{
    struct gw_buf copy = {0};

    if (!is_name(name)) {
        gw_diag_error(x->diag, at,
                      "${%.*s}: not the name of an environment variable (write $${ for a "
                      "literal ${)",
                      GW_STR_ARG(name));
        return;
    }
    gw_buf_str(&copy, name);
    const char *value = getenv(copy.p); /* read at start and reload, in one thread */
    if (value == NULL) {
        gw_diag_error(x->diag, at, "${%s}: this environment variable is not set", copy.p);
    } else {
        gw_buf_puts(out, value);
    }
    gw_buf_fini(&copy);
}

/* Takes what is at the front of the text, which starts with '$'; returns the rest. */
static struct gw_str
expand_dollar(const struct expansion *x, struct gw_place at, struct gw_str text, struct gw_buf *out)
{
    if (gw_str_has_prefix(text, GW_STR("$${"))) {
        gw_buf_puts(out, "${");
        return gw_str_skip(text, 3);
    }
    if (!gw_str_has_prefix(text, GW_STR("${"))) {
        gw_buf_puts(out, "$");
        return gw_str_skip(text, 1);
    }
    text = gw_str_skip(text, 2);
    size_t end = gw_str_find(text, '}');
    if (end == text.n) {
        gw_diag_error(x->diag, at, "\"${\" without its \"}\" (write $${ for a literal ${)");
        return GW_STR_NONE;
    }
    add_variable(x, at, (struct gw_str){text.p, end}, out);
    return gw_str_skip(text, end + 1);
}

static void
expand_text(const struct expansion *x, json_t *value, struct gw_place at)
{
    struct gw_str rest = gw_json_text(value);
    struct gw_spot *spot = gw_places_find(x->y->places, gw_places_id(value));
    struct gw_buf out = {0};

    if (memmem(rest.p, rest.n, "${", 2) == NULL) {
        return;
    }
    while (rest.n > 0) {
        size_t dollar = gw_str_find(rest, '$');

        gw_buf_add(&out, rest.p, dollar);
        rest = gw_str_skip(rest, dollar);
        if (rest.n > 0) {
            rest = expand_dollar(x, at, rest, &out);
        }
    }
    if (json_string_setn(value, out.p == NULL ? "" : out.p, out.n) != 0) {
        gw_diag_error(x->diag, at, "an environment variable in this text is not UTF-8");
    }
    if (spot != NULL) {
        spot->from_env = true;
    }
    gw_buf_fini(&out);
}

/* Goes as deep as the reader let it: 64. */
static void
expand(const struct expansion *x, json_t *value)
{
    const char *name = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (json_is_string(value)) {
        expand_text(x, value, gw_yaml_place(x->y, value));
    }
    json_object_foreach(value, name, member)
    {
        expand(x, member);
    }
    json_array_foreach(value, i, member)
    {
        expand(x, member);
    }
}

bool
gw_yaml_expand_env(struct gw_yaml *y, struct gw_diag *diag)
{
    struct expansion x = {y, diag};
    size_t errors = diag->errors;

    for (size_t i = 0; i < y->n_docs; i++) {
        expand(&x, y->docs[i]);
    }
    return diag->errors == errors;
}

bool
gw_yaml_expand_env_in(struct gw_yaml *y, json_t *value, struct gw_diag *diag)
{
    const struct expansion x = {y, diag};
    size_t errors = diag->errors;

    if (value != NULL) {
        expand(&x, value);
    }
    return diag->errors == errors;
}

bool
gw_yaml_is_expanded(const struct gw_yaml *y, const json_t *value)
{
    const struct gw_spot *spot =
        y == NULL || y->places == NULL ? NULL : gw_places_find(y->places, gw_places_id(value));

    return spot != NULL && spot->from_env;
}
