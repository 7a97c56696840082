/* cli_registry_copy.c - ksgate registry copy: from the file to Redis, and back. */
#include "registry/copy.h"
#include "server/cli_registry.h"

static void
say_counts(struct gw_buf *out, const struct gw_copy *c)
{
    static const char *const words[] = {"created", "replaced", "deleted", "unchanged"};

    for (size_t i = 0; i < GW_COPY_N; i++) {
        gw_buf_printf(out, "%s%zu %s", i == 0 ? "" : ", ", c->n[i], words[i]);
    }
    gw_buf_puts(out, c->options.dry_run ? " (dry run)\n" : "\n");
    if (c->extra > 0) {
        gw_buf_printf(out, "%zu that only %s has were left there; --prune deletes them\n", c->extra,
                      c->to->text);
    }
}

/* The lines of c->names. */
static json_t *
names_json(const struct gw_copy *c)
{
    struct gw_str rest = gw_buf_text(&c->names);
    json_t *names = json_array();

    while (rest.n > 0) {
        struct gw_str name = gw_str_trim(gw_str_cut(&rest, '\n'));

        if (name.n > 0) {
            (void)json_array_append_new(names, gw_cli_text_json(name));
        }
    }
    return names;
}

/* Nothing was written when any differ that may not be replaced; a dry run counts all the same. */
static json_int_t
written(const struct gw_copy *c, size_t n)
{
    return c->differ > 0 && !c->options.dry_run ? 0 : (json_int_t)n;
}

static json_t *
copy_json(const struct gw_copy *c)
{
    json_t *json = json_pack(
        "{s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "from",
        gw_cli_text_json(gw_str_of(c->from->text)), "to", gw_cli_text_json(gw_str_of(c->to->text)),
        "dryRun", c->options.dry_run, "created", written(c, c->n[GW_COPY_CREATE]), "replaced",
        written(c, c->n[GW_COPY_REPLACE]), "deleted", written(c, c->n[GW_COPY_DELETE]), "unchanged",
        (json_int_t)c->n[GW_COPY_SAME], "onlyThere", (json_int_t)c->extra, "differ",
        (json_int_t)c->differ, "differing", names_json(c), "failed", (json_int_t)c->failed);

    if (c->failed > 0) {
        (void)json_object_set_new(json, "firstFailure",
                                  gw_cli_text_json(gw_str_of(c->first_failure)));
    }
    return json;
}

static int
say(const struct gw_cli *cli, const struct gw_copy *c, enum gw_output format)
{
    struct gw_buf out = {0};
    int code = GW_EXIT_OK;

    if (format != GW_OUTPUT_TABLE) {
        json_t *json = copy_json(c);

        code = gw_cli_print_json(cli, format, json);
        json_decref(json);
    }
    if (c->differ > 0) {
        (void)gw_cli_fail(cli,
                          "%s has %zu object%s that differ%s from those of %s; nothing was "
                          "written (--replace replaces them):\n%.*s%s",
                          c->to->text, c->differ, c->differ == 1 ? "" : "s",
                          c->differ == 1 ? "s" : "", c->from->text, (int)c->names.n, c->names.p,
                          c->differ > 10 ? "  ..." : "");
        return GW_EXIT_FAILED;
    }
    if (format == GW_OUTPUT_TABLE) {
        say_counts(&out, c);
        code = gw_cli_print(cli, &out);
    }
    if (c->failed > 0) {
        (void)gw_cli_fail(cli, "%zu were not written, the first: %s", c->failed, c->first_failure);
        code = GW_EXIT_FAILED;
    }
    return code;
}

static int
run(const struct gw_cli *cli, const struct gw_registry_copy_options *o,
    const struct gw_place_of_store *from, const struct gw_place_of_store *to, enum gw_output format)
{
    struct gw_copy c = {.options = {.replace = o->replace,
                                    .prune = o->prune,
                                    .skip_unreadable = o->skip_unreadable,
                                    .dry_run = o->dry_run}};
    struct gw_diag diag = {0};
    bool ok = gw_copy_run(&c, from, to, &diag);
    int code = diag.errors > 0 ? gw_cli_findings(&diag) : say(cli, &c, format);

    gw_diag_fini(&diag);
    gw_copy_fini(&c);
    return ok ? code : GW_EXIT_FAILED;
}

int
gw_cli_registry_copy(const struct gw_cli *c, const struct gw_registry_copy_options *o,
                     enum gw_output format)
{
    struct gw_place_of_store from;
    struct gw_place_of_store to;
    struct gw_diag diag = {0};

    if (o->from == NULL || o->to == NULL) {
        return gw_cli_misuse(c, "copy needs --from STORE and --to STORE");
    }
    if (o->prune && o->skip_unreadable) {
        return gw_cli_misuse(c, "--prune and --skip-unreadable exclude each other: what can't be "
                                "read in the source would be deleted");
    }
    bool ok = gw_store_place_read(&from, o->from, o->from_password_file, o->from_prefix, &diag) &&
              gw_store_place_read(&to, o->to, o->to_password_file, o->to_prefix, &diag);
    if (!ok) {
        (void)gw_cli_misuse(c, "%s", gw_diag_first(&diag));
        gw_diag_fini(&diag);
        return GW_EXIT_USAGE;
    }
    return run(c, o, &from, &to, format);
}
