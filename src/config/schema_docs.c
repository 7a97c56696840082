#include "config/schema_docs.h"

#include "config/values.h"

/* clang-format off */
static const struct {
    gw_set_fn *set;
    const char *words;
} types[] = {
    {gw_set_bool,      "true or false"},
    {gw_set_int,       "a whole number"},
    {gw_set_size,      "a size"},
    {gw_set_duration,  "a duration"},
    {gw_set_percent,   "a percentage"},
    {gw_set_text,      "text"},
    {gw_set_text_list, "a list of texts"},
    {gw_set_file,      "a file, watched"},
    {gw_set_file_list, "a list of files, watched"},
    {gw_set_section,   "a section"},
    {gw_set_list,      "a list of sections"},
    {gw_set_json,      "any value"},
};
/* clang-format on */

bool
gw_docs_has_rows(const struct gw_setting *row)
{
    return row->rows != NULL;
}

void
gw_docs_put_type(struct gw_buf *out, const struct gw_setting *row)
{
    if (row->type != NULL) {
        gw_buf_puts(out, row->type);
        return;
    }
    if (row->set == gw_set_word || row->set == gw_set_word_set) {
        const char *first = row->set == gw_set_word ? "one of " : "a list of ";

        for (size_t i = 0; row->words[i] != NULL; i++) {
            gw_buf_printf(out, "%s%s", i == 0 ? first : ", ", row->words[i]);
        }
        return;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].set == row->set) {
            gw_buf_puts(out, types[i].words);
            return;
        }
    }
    gw_buf_puts(out, "a value");
}

static void
put_number(struct gw_buf *out, const struct gw_setting *row, long long number)
{
    if (row->set == gw_set_size) {
        gw_values_put_size(out, number);
    } else if (row->set == gw_set_duration) {
        gw_values_put_duration(out, number);
    } else {
        gw_buf_printf(out, "%lld%s", number, row->set == gw_set_percent ? "%" : "");
    }
}

void
gw_docs_put_limits(struct gw_buf *out, const struct gw_setting *row)
{
    bool has_max = row->max != 0 || row->min < 0;

    if (row->min == 0 && row->max == 0) {
        return;
    }
    gw_buf_puts(out, has_max ? "" : "at least ");
    put_number(out, row, row->min);
    if (has_max) {
        gw_buf_puts(out, " to ");
        put_number(out, row, row->max);
    }
}

/* ---- Markdown: docs/reference/ ---- */

/* A cell of a table: a '|' or a line break would end it. */
static void
put_cell(struct gw_buf *out, struct gw_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|') {
            gw_buf_puts(out, "\\|");
        } else {
            gw_buf_add(out, text.p[i] == '\n' ? " " : &text.p[i], 1);
        }
    }
}

static void
put_default(struct gw_buf *out, const struct gw_setting *row)
{
    if ((row->flags & GW_REQUIRED) != 0) {
        gw_buf_puts(out, "*required*");
    } else if (row->initial != NULL) {
        gw_buf_puts(out, "`");
        put_cell(out, gw_str_of(row->initial));
        gw_buf_puts(out, "`");
    }
}

static void
put_meaning(struct gw_buf *out, const struct gw_setting *row)
{
    put_cell(out, gw_str_of(row->help));
    if (row->example != NULL) {
        gw_buf_puts(out, " Example: `");
        put_cell(out, gw_str_of(row->example));
        gw_buf_puts(out, "`.");
    }
    if ((row->flags & GW_RESTART) != 0) {
        gw_buf_puts(out, " A change needs a restart.");
    }
}

static void
put_row(struct gw_buf *out, const struct gw_setting *row)
{
    struct gw_buf words = {0};

    gw_docs_put_type(&words, row);
    if (row->min != 0 || row->max != 0) {
        gw_buf_puts(&words, ", ");
        gw_docs_put_limits(&words, row);
    }
    gw_buf_printf(out, "| `%s` | ", row->name);
    put_cell(out, gw_buf_text(&words));
    gw_buf_puts(out, " | ");
    put_default(out, row);
    gw_buf_puts(out, " | ");
    put_meaning(out, row);
    gw_buf_puts(out, " |\n");
    gw_buf_fini(&words);
}

void
gw_schema_markdown(struct gw_buf *out, const struct gw_setting *rows, const char *path)
{
    if (path[0] != '\0') {
        gw_buf_printf(out, "## `%s`\n\n", path);
    }
    gw_buf_puts(out, "| setting | takes | default | meaning |\n|---|---|---|---|\n");
    for (const struct gw_setting *row = rows; row->name != NULL; row++) {
        put_row(out, row);
    }
    for (const struct gw_setting *row = rows; row->name != NULL; row++) {
        struct gw_buf below = {0};

        if (gw_docs_has_rows(row)) {
            gw_buf_printf(&below, "%s%s%s%s", path, path[0] == '\0' ? "" : ".", row->name,
                          row->set == gw_set_list ? "[]" : "");
            gw_buf_puts(out, "\n");
            gw_schema_markdown(out, row->rows, below.p);
        }
        gw_buf_fini(&below);
    }
}
