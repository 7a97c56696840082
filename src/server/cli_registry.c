/* cli_registry.c - ksgate registry: the store itself, beside any gateway. */
#include "server/cli_registry.h"
#include "registry/store.h"

struct options {
    struct gw_registry_copy_options copy;
    struct gw_registry_check_options check;
    const char *output;
};

/* clang-format off */
static const struct gw_option options[] = {
    {0, "from", "STORE", GW_OPTION_TEXT, offsetof(struct options, copy.from),
     "copy: what is read: sqlite:PATH, redis://[USER@]HOST[:PORT][/DB] or unix:PATH[?user=USER&db=N]."},
    {0, "to", "STORE", GW_OPTION_TEXT, offsetof(struct options, copy.to),
     "copy: what is written; a SQLite file is made when it is not there."},
    {0, "from-password-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, copy.from_password_file),
     "A file that holds the password of the Redis that is read."},
    {0, "to-password-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, copy.to_password_file),
     "A file that holds the password of the Redis that is written."},
    {0, "from-prefix", "PREFIX", GW_OPTION_TEXT, offsetof(struct options, copy.from_prefix),
     "What its keys begin with there (registry.redis.prefix)."},
    {0, "to-prefix", "PREFIX", GW_OPTION_TEXT, offsetof(struct options, copy.to_prefix),
     "What the keys are to begin with."},
    {0, "replace", NULL, GW_OPTION_SWITCH, offsetof(struct options, copy.replace),
     "copy: objects that are there already and differ are replaced."},
    {0, "prune", NULL, GW_OPTION_SWITCH, offsetof(struct options, copy.prune),
     "copy: objects that are not in the source are deleted; not when it has none at all."},
    {0, "skip-unreadable", NULL, GW_OPTION_SWITCH, offsetof(struct options, copy.skip_unreadable),
     "copy: what can't be read in the source is left out; else nothing is written when there is any."},
    {0, "dry-run", NULL, GW_OPTION_SWITCH, offsetof(struct options, copy.dry_run),
     "copy: says what would be done, and changes nothing."},
    {0, "password-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, check.password_file),
     "check: a file that holds the password of the Redis."},
    {0, "prefix", "PREFIX", GW_OPTION_TEXT, offsetof(struct options, check.prefix),
     "check: what its keys begin with (registry.redis.prefix)."},
    {0, "repair", NULL, GW_OPTION_SWITCH, offsetof(struct options, check.repair),
     "check: mends what can be mended."},
    {0, "save", "FILE", GW_OPTION_TEXT, offsetof(struct options, check.save),
     "check: where entries that can't be read are written before they are removed (registry-removed.jsonl)."},
    {'o', "output", "FORMAT", GW_OPTION_TEXT, offsetof(struct options, output),
     "check, copy: how to print it: table (default), json or yaml."},
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "check STORE|copy|script",
    .options = options,
    .min = 1,
    .max = 2,
    .more = "`registry copy` copies all objects of one store into another, from a SQLite file to "
            "Redis or back; gateways\nmay run on both.  Uids and times of creation stay, leases "
            "begin anew.  If the other store has an object\nthat differs, nothing is written "
            "unless --replace is given.\n\n"
            "`registry check` reads all that a store holds, beside gateways that run on it, and "
            "says what is not in order:\nentries that can't be read, leases of nothing, endpoints "
            "without a lease, objects that claim what another\none has, a revision that is too "
            "low, a damaged file.  The exit code is 1 when there is any.  --repair mends what can "
            "be mended.\n\n"
            "`registry script` prints the Lua script by which all writes to a Redis registry are "
            "made.\nServices that write it themselves load this script; docs/reference/ describes "
            "its arguments.",
    .examples = "ksgate registry copy --from sqlite:/var/lib/ksgate/registry.db --to "
                "redis://ksgate@redis:6379/0 --dry-run\n"
                "ksgate registry check sqlite:/var/lib/ksgate/registry.db\n"
                "ksgate registry script | redis-cli -x script load",
};

static int
script(const struct gw_cli *c)
{
    struct gw_buf out = {0};

    gw_buf_puts(&out, gw_store_redis_script);
    return gw_cli_print(c, &out);
}

static int
run(const struct gw_cli *c, struct options *o, const char *what, const char *store)
{
    static const char *const known[] = {"check", "copy", "script", NULL};
    enum gw_output format;

    if (!gw_cli_output(c, o->output, &format)) {
        return GW_EXIT_USAGE;
    }
    if (strcmp(what, "check") == 0) {
        if (store == NULL) {
            return gw_cli_misuse(c, "check needs a STORE: sqlite:PATH, redis://HOST or unix:PATH");
        }
        o->check.store = store;
        o->check.save = o->check.save == NULL ? "registry-removed.jsonl" : o->check.save;
        return gw_cli_registry_check(c, &o->check, format);
    }
    if (store != NULL) {
        return gw_cli_misuse(c, "too many arguments: %s", store);
    }
    if (strcmp(what, "copy") == 0) {
        return gw_cli_registry_copy(c, &o->copy, format);
    }
    if (strcmp(what, "script") == 0) {
        return format == GW_OUTPUT_TABLE ? script(c)
                                         : gw_cli_misuse(c, "the script is Lua: it has no -o");
    }
    const char *near = gw_diag_nearest(gw_str_of(what), known);
    if (near == NULL) {
        return gw_cli_misuse(c, "there is no `registry %s`", what);
    }
    return gw_cli_misuse(c, "there is no `registry %s` (did you mean `registry %s`?)", what, near);
}

int
gw_cli_registry(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code == GW_CLI_GO) {
        code = run(c, &o, args.list[0], args.n > 1 ? args.list[1] : NULL);
        gw_words_fini(&args);
    }
    return code;
}
