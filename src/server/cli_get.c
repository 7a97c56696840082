/* cli_get.c - ksgate get: registered objects, as a table, JSON or YAML. */
#include <stdio.h>
#include <stdlib.h>

#include "server/cli_columns.h"
#include "server/cli_objects.h"

struct options {
    const char *output, *ns, *selector;
    struct gw_client_options where;
};

/* clang-format off */
static const struct gw_option options[] = {
    GW_OUTPUT_OPTION(struct options, output),
    {'n', "namespace", "NAME", GW_OPTION_TEXT, offsetof(struct options, ns),
     "Only objects of this namespace."},
    {'l', "selector", "LABELS", GW_OPTION_TEXT, offsetof(struct options, selector),
     "Only objects with these labels: NAME=VALUE,NAME!=VALUE,NAME,!NAME."},
    GW_CLIENT_OPTIONS(struct options, where),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "KIND [NAME]",
    .options = options,
    .min = 1,
    .max = 2,
    .more = "A kind is named as in YAML, in the singular or plural, in any case, with .GROUP "
            "behind it where\ntwo groups have it, or by its short name: es (ExtensionService), ep "
            "(Endpoint), ns\n(Namespace), cm (ConfigMap), ws (Workspace).",
    .examples = "ksgate get es\nksgate get endpoints -l kubesphere.io/extension-ref=devops\n"
                "ksgate get role -n project-a -o yaml",
};

/* What is asked. */
struct asking {
    const struct gw_cli *cli;
    const struct gw_client *client;
    const struct gw_kind *kind;
    struct gw_str ns, name, selector;
};

/* One object; NULL: said on stderr. */
static json_t *
ask_one(const struct asking *a)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    json_t *json = NULL;

    gw_cli_object_path(&target, a->kind, a->ns, a->name);
    (void)gw_cli_call(a->cli, a->client, "GET", target.p, NULL, &json, &problem);
    if (problem.n > 0) {
        (void)gw_cli_fail(a->cli, "%s", problem.p);
    }
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    return json;
}

static json_t *
ask(const struct asking *a)
{
    return a->name.n > 0 ? ask_one(a) : gw_cli_list(a->cli, a->client, a->kind, a->ns, a->selector);
}

static int
print_table(const struct asking *a, json_t *answer)
{
    json_t *one = a->name.n > 0 ? json_pack("[O]", answer) : NULL;
    json_t *items = one != NULL ? one : json_object_get(answer, "items");
    struct gw_buf out = {0};

    if (json_array_size(items) == 0) {
        (void)fprintf(stderr, "no %s are registered%s%.*s\n", a->kind->plural,
                      a->ns.n > 0 ? " in namespace " : "", GW_STR_ARG(a->ns));
    } else {
        gw_cli_columns(&out, a->kind, items, a->kind->namespaced && a->ns.n == 0);
    }
    json_decref(one);
    return gw_cli_print(a->cli, &out);
}

/* With the keys in order, as kubectl has it: apiVersion, kind, metadata, spec. */
static int
print_sorted(const struct asking *a, enum gw_output format, const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *sorted = text == NULL ? NULL : json_loads(text, 0, NULL);
    int code = gw_cli_print_json(a->cli, format, sorted == NULL ? answer : sorted);

    json_decref(sorted);
    free(text);
    return code;
}

static int
run(struct asking *a, enum gw_output format)
{
    json_t *answer = ask(a);
    int code;

    if (answer == NULL) {
        return GW_EXIT_FAILED;
    }
    code = format == GW_OUTPUT_TABLE ? print_table(a, answer) : print_sorted(a, format, answer);
    json_decref(answer);
    return code;
}

int
gw_cli_get(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_client client;
    struct gw_words args;
    enum gw_output format;
    struct asking a = {.cli = c, .client = &client};
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    a.ns = gw_str_of(o.ns);
    a.name = args.n > 1 ? gw_str_of(args.list[1]) : GW_STR_NONE;
    a.selector = gw_str_of(o.selector);
    a.kind = gw_cli_kind(c, args.list[0]);
    gw_words_fini(&args);
    if (a.kind == NULL || !gw_cli_output(c, o.output, &format)) {
        return GW_EXIT_USAGE;
    }
    if (a.name.n > 0 && a.kind->namespaced && a.ns.n == 0) {
        return gw_cli_misuse(c, "%s belong to namespaces: say -n NAMESPACE", a.kind->plural);
    }
    code = gw_cli_client(&client, c, &o.where);
    if (code == GW_CLI_GO) {
        code = run(&a, format);
    }
    gw_client_options_fini(&o.where);
    return code;
}
