/* cli_apply.c - ksgate apply: what stands in the files is what shall be registered. */
#include <stdlib.h>

#include "registry/claim_index.h"
#include "registry/files.h"
#include "server/cli_objects.h"

struct options {
    struct gw_words files;
    bool dry_run, together;
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
        "takes the verbs get, and create\nor update.  --together takes at most 1000 objects, over "
        "the admin socket.",
    .examples = "ksgate apply -f extension.yaml\nksgate apply -f /etc/ksgate/objects.d --dry-run",
};

static void
say(struct gw_buf *out, const struct gw_object *o, const char *what, bool dry_run)
{
    gw_cli_object_name(out, o->kind, o->name);
    gw_buf_printf(out, " %s%s\n", what, dry_run ? " (dry run)" : "");
}

static const char *
outcome(unsigned status, const json_t *before, const json_t *after)
{
    if (status == 201) {
        return "created";
    }
    return json_equal(before, after) ? "unchanged" : "configured";
}

/* What is not there is created, and what is there replaced: with the right to the one or the other.
 * Somebody may have created it meanwhile; one of a revision is taken for no other.  The status, and
 * *after or *problem. */
static unsigned
write_one(const struct gw_cli *c, const struct gw_client *client, const struct gw_object *o,
          bool there, bool dry_run, json_t **after, struct gw_buf *problem)
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
        status = gw_cli_call(c, client, "POST", all.p, json, after, problem);
    }
    if (status == 409) {
        gw_buf_reset(problem);
        status = gw_cli_call(c, client, "PUT", one.p, json, after, problem);
    }
    json_decref(json);
    gw_buf_fini(&one);
    gw_buf_fini(&all);
    return status;
}

/* False: said on stderr. */
static bool
apply_one(const struct gw_cli *c, const struct gw_client *client, const struct gw_object *o,
          bool dry_run, struct gw_buf *out)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    struct gw_buf name = {0};
    json_t *before = NULL;
    json_t *after = NULL;
    unsigned status;

    gw_cli_object_path(&target, o->kind, gw_str_of(o->ns), gw_str_of(o->name));
    status = gw_cli_call(c, client, "GET", target.p, NULL, &before, &problem);
    if (status == 404) {
        gw_buf_reset(&problem);
    }
    if (status == 200 || status == 404) {
        status = write_one(c, client, o, status == 200, dry_run, &after, &problem);
    }
    if (after != NULL) {
        say(out, o, outcome(status, before, after), dry_run);
    } else if (problem.n > 0) {
        gw_cli_object_name(&name, o->kind, o->name);
        (void)gw_cli_fail(c, "%s: %s", name.p, problem.p);
    }
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    gw_buf_fini(&name);
    json_decref(before);
    json_decref(after);
    return status == 200 || status == 201;
}

static int
apply_all(const struct gw_cli *c, const struct options *o, const struct gw_client *client,
          struct gw_object *const *objects, size_t n)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        struct gw_buf line = {0};

        ok = apply_one(c, client, objects[i], o->dry_run, &line) && ok;
        ok = gw_cli_print(c, &line) == GW_EXIT_OK && ok; /* each as soon as it is true */
    }
    if (n == 0) {
        return gw_cli_fail(c, "no objects were found there");
    }
    return ok ? GW_EXIT_OK : GW_EXIT_FAILED;
}

/* As it is there now; NULL: it is not, or *ok is false and that was said. */
static json_t *
get_now(const struct gw_cli *c, const struct gw_client *client, const struct gw_object *o, bool *ok)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    json_t *now = NULL;

    gw_cli_object_path(&target, o->kind, gw_str_of(o->ns), gw_str_of(o->name));
    unsigned status = gw_cli_call(c, client, "GET", target.p, NULL, &now, &problem);
    if (status != 200 && status != 404) {
        *ok = false;
        if (problem.n > 0) {
            (void)gw_cli_fail(c, "%s", problem.p);
        }
    }
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    return now;
}

static int
say_all(const struct gw_cli *c, const struct options *o, struct gw_object *const *objects,
        const json_t *before, const json_t *after)
{
    struct gw_buf lines = {0};

    for (size_t i = 0; i < json_array_size(before); i++) {
        const json_t *was = json_array_get(before, i);

        say(&lines, objects[i],
            outcome(json_is_null(was) ? 201 : 200, was, json_array_get(after, i)), o->dry_run);
    }
    return gw_cli_print(c, &lines);
}

/* In one request: the gateway writes all or none. */
static int
apply_together(const struct gw_cli *c, const struct options *o, const struct gw_client *client,
               struct gw_object *const *objects, size_t n)
{
    json_t *items = json_array();
    json_t *before = json_array();
    json_t *after = NULL;
    struct gw_buf problem = {0};
    bool ok = true;
    int code = GW_EXIT_FAILED;

    for (size_t i = 0; ok && i < n; i++) {
        json_t *now = get_now(c, client, objects[i], &ok);

        (void)json_array_append_new(before, now == NULL ? json_null() : now);
        (void)json_array_append_new(items, gw_object_json(objects[i]));
    }
    json_t *list = json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "List", "items", items);
    if (ok) {
        (void)gw_cli_call(c, client, "POST", o->dry_run ? "/-/apply?dryRun=All" : "/-/apply", list,
                          &after, &problem);
    }
    if (after != NULL) {
        code = say_all(c, o, objects, before, json_object_get(after, "items"));
    } else if (problem.n > 0) {
        code = gw_cli_fail(c, "nothing was written: %s", problem.p);
    }
    gw_buf_fini(&problem);
    json_decref(list);
    json_decref(before);
    json_decref(after);
    return code;
}

static int
run(const struct gw_cli *c, struct options *o)
{
    struct gw_client client;
    struct gw_diag diag = {0};
    struct gw_object **objects = NULL;
    size_t n = 0;
    bool readable = gw_objects_read(o->files.list, &objects, &n, &diag);
    int code;

    gw_claim_index_warn(objects, n, &diag);
    (void)gw_cli_findings(&diag);
    code = readable ? gw_cli_client(&client, c, &o->where) : gw_cli_fail(c, "nothing was changed");
    if (code == GW_CLI_GO) {
        code = n > 0 && o->together ? apply_together(c, o, &client, objects, n)
                                    : apply_all(c, o, &client, objects, n);
    }
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(objects[i]);
    }
    free(objects);
    return code;
}

int
gw_cli_apply(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    for (size_t i = 0; i < args.n; i++) { /* `-f a.yaml b.yaml`: what a shell makes of -f *.yaml */
        gw_words_add(&o.files, args.list[i]);
    }
    gw_words_fini(&args);
    code = o.files.n == 0 ? gw_cli_misuse(c, "say what to apply: -f FILE") : run(c, &o);
    gw_words_fini(&o.files);
    gw_client_options_fini(&o.where);
    return code;
}
