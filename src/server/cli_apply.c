/* cli_apply.c - ksgate apply: what stands in the files is what shall be registered. */
#include <stdlib.h>

#include "registry/claim_index.h"
#include "registry/files.h"
#include "server/cli_outcomes.h"
#include "server/endpoint_status.h"

struct options {
    struct gw_words files;
    bool dry_run, together;
    const char *output;
    struct gw_client_options where;
};

/* clang-format off */
static const struct gw_option options[] = {
    {'f', "file", "FILE", GW_OPTION_LIST, offsetof(struct options, files),
     "A file, a folder (its *.yaml, *.yml and *.json), or - for standard input; many times."},
    {0, "dry-run", NULL, GW_OPTION_SWITCH, offsetof(struct options, dry_run),
     "Asks the gateway what would happen, and changes nothing."},
    {0, "together", NULL, GW_OPTION_SWITCH, offsetof(struct options, together),
     "All in one step: all are written or none, and no request is decided by some of them."},
    GW_OUTPUT_OPTION(struct options, output),
    GW_CLIENT_OPTIONS(struct options, where),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "-f FILE...",
    .options = options,
    .max = GW_CLI_MANY,
    .more =
        "Files hold YAML documents or JSON, also Kubernetes Lists.  All are checked before the "
        "first is\nwritten.  An object replaces the one that is there; one that names a "
        "metadata.resourceVersion\nis taken only if nobody has changed it since.  By a token it "
        "takes the verbs get, and create\nor update.  --together takes at most "
        "1000 objects, over the admin socket.\n-o json and yaml print one document: `items`, "
        "each with kind, name and\nresult (created, configured, unchanged or failed), and with "
        "the Status of what failed.",
    .examples = "ksgate apply -f extension.yaml\nksgate apply -f /etc/ksgate/objects.d --dry-run\n"
                "ksgate apply -f extension.yaml -o json",
};

/* Without what the gateway and its registry add, which a dry run of all together does not have, nor
 * the answer to a write. */
static json_t *
as_written(const struct gw_kind *kind, const json_t *object)
{
    json_t *copy = json_deep_copy(object);
    json_t *metadata = json_object_get(copy, "metadata");

    (void)json_object_del(metadata, "creationTimestamp");
    (void)json_object_del(metadata, "resourceVersion");
    (void)json_object_del(metadata, "uid");
    gw_endpoint_status_strip(kind, copy);
    return copy;
}

static const char *
outcome(const struct gw_kind *kind, unsigned status, const json_t *before, const json_t *after)
{
    if (status == 201) {
        return "created";
    }
    json_t *was = as_written(kind, before);
    json_t *is = as_written(kind, after);
    bool same = json_equal(was, is) != 0;

    json_decref(was);
    json_decref(is);
    return same ? "unchanged" : "configured";
}

static struct gw_outcome_of
whose(const struct gw_object *o)
{
    return (struct gw_outcome_of){.kind = o->kind, .ns = o->ns, .name = o->name};
}

/* As it is there now; NULL: it is not, or *failure says why nobody knows. */
static json_t *
get_now(const struct gw_client *client, const struct gw_object *o, json_t **failure)
{
    struct gw_buf target = {0};
    json_t *now = NULL;

    gw_cli_object_path(&target, o->kind, gw_str_of(o->ns), gw_str_of(o->name));
    if (gw_cli_try(client, "GET", target.p, NULL, &now, failure) == 404) {
        json_decref(*failure);
        *failure = NULL;
    }
    gw_buf_fini(&target);
    return now;
}

/* What is not there is created, and what is there replaced: with the right to the one or the other.
 * Somebody may have created it meanwhile; one of a revision is taken for no other.  The status, and
 * *after or *failure. */
static unsigned
write_one(const struct gw_client *client, const struct gw_object *o, bool there, bool dry_run,
          json_t **after, json_t **failure)
{
    struct gw_buf one = {0};
    struct gw_buf all = {0};
    json_t *json = gw_object_json(o);
    const char *query = dry_run ? "?dryRun=All" : "";
    unsigned status = 409;

    gw_cli_object_path(&one, o->kind, gw_str_of(o->ns), gw_str_of(o->name));
    gw_cli_object_path(&all, o->kind, gw_str_of(o->ns), GW_STR_NONE);
    gw_buf_puts(&one, query);
    gw_buf_puts(&all, query);
    if (!there && o->revision == 0) {
        status = gw_cli_try(client, "POST", all.p, json, after, failure);
    }
    if (status == 409) {
        json_decref(*failure);
        *failure = NULL;
        status = gw_cli_try(client, "PUT", one.p, json, after, failure);
    }
    json_decref(json);
    gw_buf_fini(&one);
    gw_buf_fini(&all);
    return status;
}

static void
apply_one(struct gw_outcomes *out, const struct gw_client *client, const struct gw_object *o)
{
    const struct gw_outcome_of of = whose(o);
    json_t *failure = NULL;
    json_t *before = get_now(client, o, &failure);
    json_t *after = NULL;
    unsigned status = 0;

    if (failure == NULL) {
        status = write_one(client, o, before != NULL, out->dry_run, &after, &failure);
    }
    if (failure != NULL) {
        gw_outcome_fail(out, &of, failure);
    } else {
        gw_outcome_add(out, &of, outcome(o->kind, status, before, after));
    }
    json_decref(before);
    json_decref(after);
}

static void
say_all(struct gw_outcomes *out, struct gw_object *const *objects, const json_t *before,
        const json_t *after)
{
    for (size_t i = 0; i < json_array_size(before); i++) {
        const struct gw_outcome_of of = whose(objects[i]);
        const json_t *was = json_array_get(before, i);

        gw_outcome_add(out, &of,
                       outcome(objects[i]->kind, json_is_null(was) ? 201 : 200, was,
                               json_array_get(after, i)));
    }
}

/* In one request: the gateway writes all or none. */
static void
apply_together(struct gw_outcomes *out, const struct gw_client *client,
               struct gw_object *const *objects, size_t n)
{
    json_t *items = json_array();
    json_t *before = json_array();
    json_t *after = NULL;
    json_t *failure = NULL;

    for (size_t i = 0; failure == NULL && i < n; i++) {
        json_t *now = get_now(client, objects[i], &failure);

        (void)json_array_append_new(before, now == NULL ? json_null() : now);
        (void)json_array_append_new(items, gw_object_json(objects[i]));
    }
    json_t *list = json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "List", "items", items);
    if (failure == NULL) {
        (void)gw_cli_try(client, "POST", out->dry_run ? "/-/apply?dryRun=All" : "/-/apply", list,
                         &after, &failure);
    }
    if (failure != NULL) {
        gw_outcomes_fail_all(out, "nothing was written: ", failure);
    } else {
        say_all(out, objects, before, json_object_get(after, "items"));
    }
    json_decref(list);
    json_decref(before);
    json_decref(after);
}

static void
apply_objects(struct gw_outcomes *out, const struct options *o, const struct gw_client *client,
              struct gw_object *const *objects, size_t n)
{
    if (n == 0) {
        gw_outcomes_fail_by(out, "no objects were found there");
    } else if (o->together) {
        apply_together(out, client, objects, n);
    } else {
        for (size_t i = 0; i < n; i++) {
            apply_one(out, client, objects[i]);
        }
    }
}

static int
run(const struct gw_cli *c, struct options *o, enum gw_output format)
{
    struct gw_outcomes out = {.cli = c, .format = format, .dry_run = o->dry_run};
    struct gw_client client;
    struct gw_diag diag = {0};
    struct gw_object **objects = NULL;
    size_t n = 0;
    int code = gw_outcomes_client(&out, &client, &o->where);

    if (code != GW_CLI_GO) {
        return code;
    }
    bool readable = gw_objects_read(o->files.list, &objects, &n, &diag);
    gw_claim_index_warn(objects, n, &diag);
    gw_outcomes_findings(&out, &diag);
    if (readable) {
        apply_objects(&out, o, &client, objects, n);
    } else {
        gw_outcomes_fail_by(&out, "nothing was changed");
    }
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(objects[i]);
    }
    free(objects);
    return gw_outcomes_end(&out);
}

int
gw_cli_apply(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    enum gw_output format;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    for (size_t i = 0; i < args.n; i++) { /* `-f a.yaml b.yaml`: what a shell makes of -f *.yaml */
        gw_words_add(&o.files, args.list[i]);
    }
    gw_words_fini(&args);
    if (o.files.n == 0) {
        code = gw_cli_misuse(c, "say what to apply: -f FILE");
    } else {
        code = gw_cli_output(c, o.output, &format) ? run(c, &o, format) : GW_EXIT_USAGE;
    }
    gw_words_fini(&o.files);
    gw_client_options_fini(&o.where);
    return code;
}
