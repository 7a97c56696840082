/* cli_delete.c - ksgate delete: by kind and name, or all that stands in files. */
#include <stdlib.h>

#include "registry/files.h"
#include "server/cli_objects.h"

struct options {
    struct gw_words files;
    const char *ns;
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
    GW_CLIENT_OPTIONS(struct options, where),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "KIND NAME... | -f FILE...",
    .options = options,
    .max = GW_CLI_MANY,
    .examples = "ksgate delete es devops\nksgate delete -f extension.yaml",
};

/* False: said on stderr. */
static bool
delete_one(const struct gw_cli *c, const struct gw_client *client, const struct options *o,
           const struct gw_kind *kind, const char *ns, const char *name)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    struct gw_buf line = {0};
    json_t *answer = NULL;
    unsigned status;
    bool ok;

    gw_cli_object_path(&target, kind, gw_str_of(ns), gw_str_of(name));
    status = gw_cli_call(c, client, "DELETE", target.p, NULL, &answer, &problem);
    ok = status == 200 || (status == 404 && o->ignore_missing);
    if (status == 200) {
        gw_cli_object_name(&line, kind, name);
        gw_buf_puts(&line, " deleted\n");
    } else if (!ok && problem.n > 0) {
        (void)gw_cli_fail(c, "%s", problem.p);
    }
    ok = gw_cli_print(c, &line) == GW_EXIT_OK && ok;
    json_decref(answer);
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    return ok;
}

/* The last is deleted first: what refers to another stands behind it in a file. */
static int
delete_files(const struct gw_cli *c, const struct gw_client *client, const struct options *o)
{
    struct gw_diag diag = {0};
    struct gw_object **objects = NULL;
    size_t n = 0;
    bool readable = gw_objects_read(o->files.list, &objects, &n, &diag);
    bool ok = readable;

    (void)gw_cli_findings(&diag);
    if (!readable) {
        (void)gw_cli_fail(c, "nothing was deleted");
    }
    for (size_t i = n; i > 0; i--) {
        const struct gw_object *object = objects[i - 1];

        if (readable) {
            ok = delete_one(c, client, o, object->kind, object->ns, object->name) && ok;
        }
        gw_object_unref(objects[i - 1]);
    }
    free(objects);
    return ok ? GW_EXIT_OK : GW_EXIT_FAILED;
}

static int
delete_named(const struct gw_cli *c, const struct gw_client *client, const struct options *o,
             const struct gw_words *args)
{
    const struct gw_kind *kind = gw_cli_kind(c, args->list[0]);
    bool ok = true;

    if (kind == NULL) {
        return GW_EXIT_USAGE;
    }
    if (kind->namespaced && o->ns == NULL) {
        return gw_cli_misuse(c, "%s belong to namespaces: say -n NAMESPACE", kind->plural);
    }
    for (size_t i = 1; i < args->n; i++) {
        ok = delete_one(c, client, o, kind, o->ns, args->list[i]) && ok;
    }
    return ok ? GW_EXIT_OK : GW_EXIT_FAILED;
}

static int
run(const struct gw_cli *c, struct options *o, const struct gw_words *args)
{
    struct gw_client client;
    int code;

    if ((o->files.n > 0) == (args->n > 0)) {
        return gw_cli_misuse(c, "say what to delete: either KIND NAME or -f FILE");
    }
    if (args->n == 1) {
        return gw_cli_misuse(c, "say which: %s NAME", args->list[0]);
    }
    code = gw_cli_client(&client, c, &o->where);
    if (code != GW_CLI_GO) {
        return code;
    }
    return o->files.n > 0 ? delete_files(c, &client, o) : delete_named(c, &client, o, args);
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
