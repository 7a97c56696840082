/* cli_findings.c - what is wrong with something that a person wrote: as lines, and as JSON. */
#include <stdlib.h>

#include "server/cli_util.h"

int
gw_cli_findings(struct gw_diag *diag)
{
    struct gw_buf text = {0};
    int code = diag->errors > 0 ? GW_EXIT_FAILED : GW_EXIT_OK;

    gw_diag_format(diag, &text);
    if (text.n > 0) {
        (void)fwrite(text.p, 1, text.n, stderr);
    }
    gw_buf_fini(&text);
    gw_diag_fini(diag);
    return code;
}

/* `NAME` of a text's (did you mean "NAME"?), which all who guess a name write in this way. */
static struct gw_str
hint_of(struct gw_str text)
{
    static const char words[] = "(did you mean \"";
    const char *at = text.n == 0 ? NULL : memmem(text.p, text.n, words, sizeof(words) - 1);

    if (at == NULL) {
        return GW_STR_NONE;
    }
    struct gw_str rest = gw_str_skip(text, (size_t)(at - text.p) + sizeof(words) - 1);
    return (struct gw_str){rest.p, gw_str_find(rest, '"')};
}

static json_t *
finding_json(const struct gw_finding *f)
{
    struct gw_str hint = hint_of(gw_str_of(f->text));
    json_t *json = json_object();

    if (f->place.file != NULL) {
        (void)json_object_set_new(json, "file", json_string(f->place.file));
    }
    if (f->place.line > 0) {
        (void)json_object_set_new(json, "line", json_integer(f->place.line));
    }
    if (f->place.line > 0 && f->place.column > 0) {
        (void)json_object_set_new(json, "column", json_integer(f->place.column));
    }
    (void)json_object_set_new(json, "severity",
                              json_string(f->severity == GW_ERROR ? "error" : "warning"));
    (void)json_object_set_new(json, "message", gw_cli_text_json(gw_str_of(f->text)));
    if (hint.n > 0) {
        (void)json_object_set_new(json, "hint", gw_cli_text_json(hint));
    }
    return json;
}

json_t *
gw_cli_findings_json(const struct gw_diag *diag)
{
    const struct gw_finding **sorted = gw_diag_sorted(diag);
    json_t *list = json_array();

    for (size_t i = 0; i < diag->n; i++) {
        (void)json_array_append_new(list, finding_json(sorted[i]));
    }
    free(sorted);
    return list;
}
