#include <stdlib.h>

#include "config/json.h"
#include "config/scalar.h"
#include "config/yaml.h"

static void
write_indent(struct gw_buf *out, int indent)
{
    gw_buf_printf(out, "%*s", indent, "");
}

/* As a block ("|") a text must have no tabs or other controls, some text in its first line
 * that does not begin with a space, and no line ends but "\n". */
static bool
is_block(struct gw_str text)
{
    if (text.n == 0 || text.p[0] == ' ' || text.p[0] == '\n' || gw_str_find(text, '\n') == text.n) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c != '\n' && (c < 0x20 || c > 0x7e)) {
            return false;
        }
    }
    return true;
}

static void
write_block(struct gw_buf *out, struct gw_str text, int indent)
{
    bool ends = text.p[text.n - 1] == '\n';
    bool ends_twice = ends && text.p[text.n - 2] == '\n'; /* the first byte is no '\n' */

    gw_buf_puts(out, ends_twice ? "|+\n" : ends ? "|\n" : "|-\n");
    while (text.n > 0) {
        struct gw_str line = gw_str_cut(&text, '\n');

        if (line.n > 0) {
            write_indent(out, indent);
        }
        gw_buf_str(out, line);
        gw_buf_puts(out, "\n");
    }
}

static void
write_text(struct gw_buf *out, struct gw_str text, int indent)
{
    if (is_block(text)) {
        write_block(out, text, indent);
        return;
    }
    if (gw_scalar_is_plain_text(text)) {
        gw_buf_str(out, text);
    } else {
        gw_buf_json(out, text);
    }
    gw_buf_puts(out, "\n");
}

static void
write_scalar(struct gw_buf *out, const json_t *value, int indent)
{
    if (json_is_string(value)) {
        write_text(out, gw_json_text(value), indent);
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY); /* numbers, true, null, [] and {} */
    gw_buf_puts(out, text == NULL ? "null" : text);
    gw_buf_puts(out, "\n");
    free(text);
}

static bool
has_parts(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void write_list(struct gw_buf *out, const json_t *list, int indent, bool begun);

/* begun: the first line has its indent already, and "- " behind it. */
static void
write_object(struct gw_buf *out, const json_t *object, int indent, bool begun)
{
    const char *name = NULL;
    size_t n = 0;
    json_t *member = NULL;

    json_object_keylen_foreach(gw_json_loose(object), name, n, member)
    {
        struct gw_str key = {name, n};

        write_indent(out, begun ? 0 : indent);
        begun = false;
        if (gw_scalar_is_plain_text(key)) {
            gw_buf_str(out, key);
        } else {
            gw_buf_json(out, key);
        }
        gw_buf_puts(out, has_parts(member) ? ":\n" : ": ");
        if (!has_parts(member)) {
            write_scalar(out, member, indent + 2);
        } else if (json_is_object(member)) {
            write_object(out, member, indent + 2, false);
        } else {
            write_list(out, member, indent, false); /* as kubectl does: "-" below the key */
        }
    }
}

static void
write_list(struct gw_buf *out, const json_t *list, int indent, bool begun)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        write_indent(out, begun ? 0 : indent);
        begun = false;
        gw_buf_puts(out, "- ");
        if (!has_parts(item)) {
            write_scalar(out, item, indent + 2);
        } else if (json_is_object(item)) {
            write_object(out, item, indent + 2, true);
        } else {
            write_list(out, item, indent + 2, true);
        }
    }
}

void
gw_yaml_write(struct gw_buf *out, const json_t *value)
{
    if (!has_parts(value)) {
        write_scalar(out, value, 2);
    } else if (json_is_object(value)) {
        write_object(out, value, 0, false);
    } else {
        write_list(out, value, 0, false);
    }
}
