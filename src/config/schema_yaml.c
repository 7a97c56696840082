#include "config/schema_docs.h"

/*
 * The whole as YAML that `ksgate check` accepts as it is: what has a default or is required
 * stands there, the rest behind '#' ("#name: value"; comments are "# text").
 */

#define COLUMNS 96

struct page {
    struct gw_buf *out;
    int indent;
    bool off;  /* behind '#' */
    bool item; /* the next line begins a list's item */
};

/* The row's name, and what stands behind it.  A "- " waits for the first line that is not
 * off, unless all of them are. */
static void
put_line(struct page *p, const struct gw_setting *row, bool off, const char *value)
{
    bool item = p->item && (!off || p->off);

    gw_buf_printf(p->out, "%*s%s%s%s:%s%s\n", item ? p->indent - 2 : p->indent, "", off ? "#" : "",
                  item ? "- " : "", row->name, value == NULL ? "" : " ",
                  value == NULL ? "" : value);
    p->item = p->item && !item;
}

/* A comment, wrapped.  Above a list's item it may not take the item's '-'. */
static void
put_comment(const struct page *p, struct gw_str text)
{
    size_t most = COLUMNS - (size_t)p->indent - 2;

    while (text.n > 0) {
        size_t n = text.n;

        if (n > most) {
            for (n = most; n > 0 && text.p[n] != ' '; n--) {
                /* back to the last space that fits */
            }
            n = n == 0 ? gw_str_find(text, ' ') : n;
        }
        gw_buf_printf(p->out, "%*s# %.*s\n", p->item ? p->indent - 2 : p->indent, "", (int)n,
                      text.p);
        text = gw_str_trim(gw_str_skip(text, n));
    }
}

static void
comment_on(const struct page *p, const struct gw_setting *row)
{
    struct gw_buf text = {0};

    gw_buf_printf(&text, "%s (", row->help == NULL ? "" : row->help);
    gw_docs_put_type(&text, row);
    if (row->min != 0 || row->max != 0) {
        gw_buf_puts(&text, ", ");
        gw_docs_put_limits(&text, row);
    }
    gw_buf_printf(&text, "%s%s)", (row->flags & GW_REQUIRED) != 0 ? "; required" : "",
                  (row->flags & GW_RESTART) != 0 ? "; a change needs a restart" : "");
    put_comment(p, gw_buf_text(&text));
    gw_buf_fini(&text);
}

/* A section that demands something can't stand there empty. */
static bool
demands(const struct gw_setting *row)
{
    for (const struct gw_setting *r = row->rows; r->name != NULL; r++) {
        if ((r->flags & GW_REQUIRED) != 0) {
            return true;
        }
    }
    return false;
}

static void
put_rows(struct page *p, const struct gw_setting *rows)
{
    for (const struct gw_setting *row = rows; row->name != NULL; row++) {
        bool required = (row->flags & GW_REQUIRED) != 0;
        bool list = row->set == gw_set_list;
        const char *value = row->initial == NULL || required ? row->example : row->initial;

        comment_on(p, row);
        if (gw_docs_has_rows(row)) {
            bool off = p->off || (!required && (list || demands(row)));
            struct page below = {p->out, p->indent + (list ? 4 : 2), off, list};

            put_line(p, row, off, NULL);
            put_rows(&below, row->rows);
        } else {
            put_line(p, row, p->off || (row->initial == NULL && !required), value);
        }
    }
}

void
gw_schema_yaml(struct gw_buf *out, const struct gw_setting *rows, int indent)
{
    struct page p = {.out = out, .indent = indent};

    put_rows(&p, rows);
}
