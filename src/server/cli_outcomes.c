#include "server/cli_outcomes.h"

/* The object's names, and its result. */
static json_t *
item(const struct gw_outcome_of *object, const char *result)
{
    const struct gw_kind *k = object->kind;
    json_t *json = json_object();
    struct gw_buf version = {0};

    gw_buf_printf(&version, "%s%s%s", k->group, k->group[0] == '\0' ? "" : "/", k->version);
    (void)json_object_set_new(json, "apiVersion", json_string(version.p));
    (void)json_object_set_new(json, "kind", json_string(k->kind));
    if (k->namespaced && object->ns != NULL) {
        (void)json_object_set_new(json, "namespace", gw_cli_text_json(gw_str_of(object->ns)));
    }
    (void)json_object_set_new(json, "name", gw_cli_text_json(gw_str_of(object->name)));
    (void)json_object_set_new(json, "result", json_string(result));
    gw_buf_fini(&version);
    return json;
}

static void
keep(struct gw_outcomes *o, json_t *json)
{
    o->items = o->items == NULL ? json_array() : o->items;
    (void)json_array_append_new(o->items, json);
}

void
gw_outcome_add(struct gw_outcomes *o, const struct gw_outcome_of *object, const char *result)
{
    struct gw_buf line = {0};

    if (o->format != GW_OUTPUT_TABLE) {
        keep(o, item(object, result));
        return;
    }
    gw_cli_object_name(&line, object->kind, object->name);
    gw_buf_printf(&line, " %s%s\n", result, o->dry_run ? " (dry run)" : "");
    o->failed = gw_cli_print(o->cli, &line) != GW_EXIT_OK || o->failed;
}

static const char *
message_of(const json_t *status)
{
    const char *text = json_string_value(json_object_get(status, "message"));

    return text == NULL ? "" : text;
}

void
gw_outcome_fail(struct gw_outcomes *o, const struct gw_outcome_of *object, json_t *status)
{
    struct gw_buf name = {0};

    gw_cli_object_name(&name, object->kind, object->name);
    (void)gw_cli_fail(o->cli, "%s: %s", name.p, message_of(status));
    gw_buf_fini(&name);
    o->failed = true;
    if (o->format == GW_OUTPUT_TABLE) {
        json_decref(status);
        return;
    }
    json_t *json = item(object, "failed");
    (void)json_object_set_new(json, "error", status);
    keep(o, json);
}

void
gw_outcomes_fail_all(struct gw_outcomes *o, const char *before, json_t *status)
{
    (void)gw_cli_fail(o->cli, "%s%s", before, message_of(status));
    o->failed = true;
    json_decref(o->error);
    o->error = status;
}

void
gw_outcomes_fail_by(struct gw_outcomes *o, const char *words)
{
    gw_outcomes_fail_all(o, "", gw_cli_status(gw_str_of(words), 0));
}

/* With its place. */
static json_t *
status_of_first(const struct gw_diag *diag)
{
    struct gw_buf text = {0};
    json_t *status;

    for (size_t i = 0; i < diag->n && text.n == 0; i++) {
        if (diag->findings[i].severity == GW_ERROR) {
            gw_diag_place(diag->findings[i].place, &text);
            gw_buf_puts(&text, diag->findings[i].text);
        }
    }
    status = gw_cli_status(gw_buf_text(&text), 0);
    gw_buf_fini(&text);
    return status;
}

int
gw_outcomes_client(struct gw_outcomes *o, struct gw_client *out, struct gw_client_options *where)
{
    struct gw_diag diag = {0};
    int code = gw_cli_client_found(out, o->cli, where, &diag);

    if (code == GW_EXIT_FAILED) {
        o->failed = true;
        o->error = status_of_first(&diag);
        code = gw_outcomes_end(o);
    }
    (void)gw_cli_findings(&diag);
    return code;
}

void
gw_outcomes_findings(struct gw_outcomes *o, struct gw_diag *diag)
{
    o->failed = o->failed || diag->errors > 0;
    if (o->format != GW_OUTPUT_TABLE && diag->n > 0) {
        json_decref(o->findings);
        o->findings = gw_cli_findings_json(diag);
    }
    (void)gw_cli_findings(diag);
}

int
gw_outcomes_end(struct gw_outcomes *o)
{
    json_t *json = json_pack("{s:b, s:o}", "dryRun", o->dry_run, "items",
                             o->items == NULL ? json_array() : o->items);
    int code = GW_EXIT_OK;

    if (o->findings != NULL) {
        (void)json_object_set_new(json, "findings", o->findings);
    }
    if (o->error != NULL) {
        (void)json_object_set_new(json, "error", o->error);
    }
    if (o->format != GW_OUTPUT_TABLE) {
        code = gw_cli_print_json(o->cli, o->format, json);
    }
    json_decref(json);
    o->items = o->findings = o->error = NULL;
    return o->failed ? GW_EXIT_FAILED : code;
}
