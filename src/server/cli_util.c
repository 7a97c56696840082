#include "server/cli_util.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/yaml.h"

void
gw_words_add(struct gw_words *w, const char *text)
{
    w->list = gw_mem_resize(w->list, (w->n + 2) * sizeof(*w->list));
    w->list[w->n++] = text;
    w->list[w->n] = NULL;
}

void
gw_words_fini(struct gw_words *w)
{
    free(w->list);
    *w = (struct gw_words){0};
}

static void __attribute__((format(printf, 2, 0)))
say(const struct gw_cli *c, const char *fmt, va_list ap)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, ap) >= 0) {
        (void)fprintf(stderr, "%s %s: %s\n", c->program, c->command->name, text);
        free(text);
    }
}

int
gw_cli_fail(const struct gw_cli *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(c, fmt, ap);
    va_end(ap);
    return GW_EXIT_FAILED;
}

int
gw_cli_misuse(const struct gw_cli *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(c, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "Try '%s %s --help'.\n", c->program, c->command->name);
    return GW_EXIT_USAGE;
}

int
gw_cli_print(const struct gw_cli *c, struct gw_buf *text)
{
    size_t n = text->n == 0 ? 0 : fwrite(text->p, 1, text->n, stdout);
    bool written = n == text->n && fflush(stdout) == 0;

    gw_buf_fini(text);
    return written ? GW_EXIT_OK
                   : gw_cli_fail(c, "standard output can't be written: %s", strerror(errno));
}

bool
gw_cli_output(const struct gw_cli *c, const char *text, enum gw_output *out)
{
    static const char *const names[] = {"table", "json", "yaml", NULL};

    *out = GW_OUTPUT_TABLE;
    if (text == NULL) {
        return true;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum gw_output)i;
            return true;
        }
    }
    (void)gw_cli_misuse(c, "-o %s: the formats are table, json and yaml", text);
    return false;
}

json_t *
gw_cli_text_json(struct gw_str text)
{
    json_t *json = json_stringn(text.p == NULL ? "" : text.p, text.n);
    struct gw_buf escaped = {0};

    if (json == NULL) {
        gw_buf_json(&escaped, text);
        json = json_loadb(escaped.p, escaped.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        gw_buf_fini(&escaped);
    }
    return json;
}

int
gw_cli_print_json(const struct gw_cli *c, enum gw_output format, const json_t *value)
{
    struct gw_buf out = {0};

    if (format == GW_OUTPUT_YAML) {
        gw_yaml_write(&out, value);
    } else {
        char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

        if (text == NULL) {
            return gw_cli_fail(c, "the answer can't be printed as JSON");
        }
        gw_buf_puts(&out, text);
        free(text);
    }
    if (out.n > 0 && out.p[out.n - 1] != '\n') {
        gw_buf_puts(&out, "\n");
    }
    return gw_cli_print(c, &out);
}

void
gw_table_add(struct gw_table *t, const char *cell)
{
    t->cells = gw_mem_room(t->cells, t->n, &t->size, sizeof(char *));
    t->cells[t->n++] = gw_mem_strdup(cell == NULL || *cell == '\0' ? "-" : cell);
}

static size_t
column_width(const struct gw_table *t, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < t->n; i += t->columns) {
        size_t n = strlen(t->cells[i]);

        width = n > width ? n : width;
    }
    return width;
}

void
gw_table_print(const struct gw_table *t, struct gw_buf *out)
{
    size_t *widths = gw_mem_alloc(t->columns * sizeof(*widths));

    assert(t->columns > 0);
    for (size_t i = 0; i < t->columns; i++) {
        widths[i] = column_width(t, i);
    }
    for (size_t i = 0; i < t->n; i++) {
        if ((i + 1) % t->columns == 0) {
            gw_buf_printf(out, "%s\n", t->cells[i]); /* no spaces at the end of a line */
        } else {
            gw_buf_printf(out, "%-*s   ", (int)widths[i % t->columns], t->cells[i]);
        }
    }
    free(widths);
}

void
gw_table_fini(struct gw_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    *t = (struct gw_table){0};
}
