/* cli_delete.c - ksgate delete: by kind and name, or all that stands in files. */
#include <stdlib.h>

#include "registry/files.h"
#include "server/cli_outcomes.h"

struct options {
    struct gw_words files;
    const char *ns, *output;
    bool ignore_missing;
    struct gw_client_options where;
};

/* clang-format off */
static const struct gw_option options[] = {
    {'f', "file", "FILE", GW_OPTION_LIST, offsetof(struct options, files),
     "Deletes what stands in the file, folder or - for standard input; many times."},
    {'n', "namespace", "NAME", GW_OPTION_TEXT, offsetof(struct options, ns),
     "The namespace of the objects."},
    {0, "ignore-not-found", NULL, GW_OPTION_SWITCH, offsetof(struct options, ignore_missing),
     "What is not there is no failure."},
    GW_OUTPUT_OPTION(struct options, output),
    GW_CLIENT_OPTIONS(struct options, where),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "KIND NAME... | -f FILE...",
    .options = options,
    .max = GW_CLI_MANY,
    .more =
        "-o json and yaml print one document: `items`, each with kind, name and result (deleted, "
        "missing\nor failed), and with the Status of what failed.",
    .examples = "ksgate delete es devops\nksgate delete -f extension.yaml",
};

static void
delete_one(struct gw_outcomes *out, const struct gw_client *client, const struct options *o,
           const struct gw_outcome_of *object)
{
    struct gw_buf target = {0};
    json_t *answer = NULL;
    json_t *failure = NULL;

    gw_cli_object_path(&target, object->kind, gw_str_of(object->ns), gw_str_of(object->name));
    unsigned status = gw_cli_try(client, "DELETE", target.p, NULL, &answer, &failure);
    if (failure == NULL) {
        gw_outcome_add(out, object, "deleted");
    } else if (status != 404 || !o->ignore_missing) {
        gw_outcome_fail(out, object, failure);
        failure = NULL;
    } else if (out->format != GW_OUTPUT_TABLE) { /* people are not told: nothing has changed */
        gw_outcome_add(out, object, "missing");
    }
    json_decref(answer);
    json_decref(failure);
    gw_buf_fini(&target);
}

/* The last is deleted first: what refers to another stands behind it in a file. */
static void
delete_files(struct gw_outcomes *out, const struct gw_client *client, const struct options *o)
{
    struct gw_diag diag = {0};
    struct gw_object **objects = NULL;
    size_t n = 0;
    bool readable = gw_objects_read(o->files.list, &objects, &n, &diag);

    gw_outcomes_findings(out, &diag);
    if (!readable) {
        gw_outcomes_fail_by(out, "nothing was deleted");
    }
    for (size_t i = n; i > 0; i--) {
        const struct gw_object *object = objects[i - 1];
        const struct gw_outcome_of of = {object->kind, object->ns, object->name};

        if (readable) {
            delete_one(out, client, o, &of);
        }
        gw_object_unref(objects[i - 1]);
    }
    free(objects);
}

static int
delete_named(struct gw_outcomes *out, const struct gw_client *client, const struct options *o,
             const struct gw_words *args)
{
    const struct gw_kind *kind = gw_cli_kind(out->cli, args->list[0]);

    if (kind == NULL) {
        return GW_EXIT_USAGE;
    }
    if (kind->namespaced && o->ns == NULL) {
        return gw_cli_misuse(out->cli, "%s belong to namespaces: say -n NAMESPACE", kind->plural);
    }
    for (size_t i = 1; i < args->n; i++) {
        const struct gw_outcome_of of = {kind, o->ns, args->list[i]};

        delete_one(out, client, o, &of);
    }
    return GW_CLI_GO;
}

static int
run(const struct gw_cli *c, struct options *o, const struct gw_words *args)
{
    struct gw_outcomes out = {.cli = c};
    struct gw_client client;
    int code;

    if (!gw_cli_output(c, o->output, &out.format)) {
        return GW_EXIT_USAGE;
    }
    if ((o->files.n > 0) == (args->n > 0)) {
        return gw_cli_misuse(c, "say what to delete: either KIND NAME or -f FILE");
    }
    if (args->n == 1) {
        return gw_cli_misuse(c, "say which: %s NAME", args->list[0]);
    }
    code = gw_outcomes_client(&out, &client, &o->where);
    if (code == GW_CLI_GO && o->files.n > 0) {
        delete_files(&out, &client, o);
    } else if (code == GW_CLI_GO) {
        code = delete_named(&out, &client, o, args);
    }
    return code == GW_CLI_GO ? gw_outcomes_end(&out) : code;
}

int
gw_cli_delete(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    code = run(c, &o, &args);
    gw_words_fini(&args);
    gw_words_fini(&o.files);
    gw_client_options_fini(&o.where);
    return code;
}
