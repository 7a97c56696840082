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

static int
say(const struct gw_cli *cli, const struct gw_copy *c)
{
    struct gw_buf out = {0};

    if (c->differ > 0) {
        (void)gw_cli_fail(cli,
                          "%s has %zu object%s that differ%s from those of %s; nothing was "
                          "written (--replace replaces them):\n%.*s%s",
                          c->to->text, c->differ, c->differ == 1 ? "" : "s",
                          c->differ == 1 ? "s" : "", c->from->text, (int)c->names.n, c->names.p,
                          c->differ > 10 ? "  ..." : "");
        return GW_EXIT_FAILED;
    }
    say_counts(&out, c);
    int code = gw_cli_print(cli, &out);
    if (c->failed > 0) {
        (void)gw_cli_fail(cli, "%zu were not written, the first: %s", c->failed, c->first_failure);
        code = GW_EXIT_FAILED;
    }
    return code;
}

static int
run(const struct gw_cli *cli, const struct gw_registry_copy_options *o,
    const struct gw_place_of_store *from, const struct gw_place_of_store *to)
{
    struct gw_copy c = {.options = {.replace = o->replace,
                                    .prune = o->prune,
                                    .skip_unreadable = o->skip_unreadable,
                                    .dry_run = o->dry_run}};
    struct gw_diag diag = {0};
    bool ok = gw_copy_run(&c, from, to, &diag);
    int code = diag.errors > 0 ? gw_cli_findings(&diag) : say(cli, &c);

    gw_diag_fini(&diag);
    gw_copy_fini(&c);
    return ok ? code : GW_EXIT_FAILED;
}

int
gw_cli_registry_copy(const struct gw_cli *c, const struct gw_registry_copy_options *o)
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
    return run(c, o, &from, &to);
}
