/* cli_explain.c - ksgate explain: what would be decided about a request, and why. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/asker.h"
#include "server/cli_explain.h"
#include "server/cli_objects.h"

struct options {
    const char *output, *as, *host, *token, *request;
    struct gw_words groups, objects, replay;
    bool batch, instead;
    struct gw_client_options client;
};

/* clang-format off */
static const struct gw_option options[] = {
    {0, "as", "USER", GW_OPTION_TEXT, offsetof(struct options, as),
     "Decide for this user; without it and without --token, for an anonymous caller."},
    {0, "group", "GROUP", GW_OPTION_LIST, offsetof(struct options, groups),
     "A group of that user, repeatable; by default system:authenticated, as a token gives it."},
    {0, "token", "TOKEN", GW_OPTION_TEXT, offsetof(struct options, token),
     "Decide for whoever holds this token, which is verified."},
    {0, "host", "HOST", GW_OPTION_TEXT, offsetof(struct options, host),
     "The request's Host, when the URL has none."},
    {0, "request", "ID", GW_OPTION_TEXT, offsetof(struct options, request),
     "What was decided about the request with this id (X-Request-Id), if the gateway still keeps it."},
    {0, "objects", "FILE", GW_OPTION_LIST, offsetof(struct options, objects),
     "Decide offline by the objects in this file or folder, repeatable."},
    {0, "replay", "FILE", GW_OPTION_LIST, offsetof(struct options, replay),
     "What would be decided otherwise about the requests of late with the roles and bindings in this file or folder, repeatable."},
    {0, "instead", NULL, GW_OPTION_SWITCH, offsetof(struct options, instead),
     "With --replay: the files hold all roles and bindings; what is registered beside them counts as deleted."},
    {0, "batch", NULL, GW_OPTION_SWITCH, offsetof(struct options, batch),
     "Read one JSON case per line from standard input and print one JSON line for each."},
    GW_CLIENT_WHERE(struct options, client),
    {0, "token-file", "FILE", GW_OPTION_TEXT, offsetof(struct options, client.token_file),
     "A file that holds your own bearer token for --server."},
    GW_OUTPUT_OPTION(struct options, output),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "[METHOD] URL",
    .options = options,
    .min = 0,
    .max = GW_CLI_MANY,
    .more = "Nothing is sent: the request walks the same steps as a real one, up to where it "
            "would be passed on.\nThe running gateway is asked unless --objects names files; then "
            "-c FILE says by which configuration, and without it all settings have their "
            "defaults.\n\n"
            "A case of --batch is {\"id\", \"method\", \"url\", \"user\": {\"name\", \"groups\"}}; "
            "also \"host\", \"token\", \"headers\" and \"remoteAddr\".  \"attrs\" instead of "
            "method and url asks about what they would have meant: {\"Verb\", \"APIGroup\", "
            "\"Resource\", \"Namespace\", ...}.\nA line that is no case is answered by "
            "{\"error\"}, and the exit code is 1.\n\n"
            "--replay asks again about all decisions that the gateway keeps: by what is registered "
            "now, and by that\nwith the objects of the files in it.  Nothing is changed.  -o json "
            "has all differences: {\"replayed\", \"newlyDenied\",\n\"newlyAllowed\", "
            "\"differences\": [{\"change\", \"count\", \"user\", \"method\", \"url\", ...}]}.",
    .examples = "ksgate explain GET /kapis/iam.kubesphere.io/v1beta1/users --as tom\n"
                "ksgate explain /extensions/devops/ --as tom --objects roles.yaml -o json\n"
                "ksgate explain --request 3f6c0a41d2b94e77\n"
                "ksgate explain --replay new-roles.yaml\n"
                "ksgate explain --objects roles.yaml --batch <cases.jsonl",
};

/* ---- one question ------------------------------------------------------------------------- */

/* The groups that a token gives: all but service accounts and who is anonymous are
 * authenticated users. */
static json_t *
groups_of(const struct options *o)
{
    json_t *list = json_array();

    for (size_t i = 0; i < o->groups.n; i++) {
        json_array_append_new(list, json_string(o->groups.list[i]));
    }
    if (o->groups.n == 0 && strcmp(o->as, "system:anonymous") == 0) {
        json_array_append_new(list, json_string("system:unauthenticated"));
    } else if (o->groups.n == 0 && strstr(o->as, "system:serviceaccount:") != o->as &&
               strstr(o->as, "kubesphere:serviceaccount:") != o->as) {
        json_array_append_new(list, json_string("system:authenticated"));
    }
    return list;
}

/* Takes "http://host" off the front of the URL. */
static const char *
split_host(const char *url, struct gw_str *host)
{
    const char *from = strstr(url, "://");

    if (url[0] == '/' || from == NULL) {
        return url;
    }
    from += 3;
    *host = (struct gw_str){from, strcspn(from, "/?")};
    return from[host->n] == '\0' ? "/" : from + host->n;
}

static json_t *
question_of(const struct options *o, const char *method, const char *url)
{
    struct gw_str host = gw_str_of(o->host);
    json_t *q = json_object();

    url = split_host(url, &host);
    json_object_set_new(q, "method", json_string(method));
    json_object_set_new(q, "url", json_string(url));
    if (host.n > 0) {
        json_object_set_new(q, "host", json_stringn(host.p, host.n));
    }
    if (o->token != NULL) {
        json_object_set_new(q, "token", json_string(o->token));
    }
    if (o->as != NULL) {
        json_object_set_new(q, "user",
                            json_pack("{s:s, s:o}", "name", o->as, "groups", groups_of(o)));
    }
    return q;
}

static int
print_answer(const struct gw_asker *a, const json_t *question, json_t *answer,
             enum gw_output format)
{
    struct gw_buf out = {0};

    if (format != GW_OUTPUT_TABLE) {
        return gw_cli_print_json(a->cli, format, answer);
    }
    gw_explain_table(&out, question, answer);
    return gw_cli_print(a->cli, &out);
}

/* What was decided about one that was sent. */
static int
ask_kept(struct gw_asker *a, const struct options *o, enum gw_output format)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    json_t *kept = NULL;
    int code;

    gw_buf_puts(&target, "/-/apis/ksgate.io/v1/decisions/");
    gw_client_escape(&target, gw_str_of(o->request));
    unsigned status = gw_cli_call(a->cli, &a->client, "GET", target.p, NULL, &kept, &problem);
    if (kept != NULL) {
        code = print_answer(a, kept, kept, format);
    } else {
        code = gw_cli_fail(a->cli, "%s",
                           status == 0 || problem.n == 0 ? "there is no answer" : problem.p);
    }
    json_decref(kept);
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    return code;
}

static int
ask_one(struct gw_asker *a, const struct options *o, const struct gw_words *args,
        enum gw_output format)
{
    const char *url = args->list[args->n - 1];
    json_t *q = question_of(o, args->n == 2 ? args->list[0] : "GET", url);
    char why[512];
    json_t *answer = gw_asker_ask(a, q, why);
    int code = GW_EXIT_FAILED;

    if (answer == NULL) {
        (void)gw_cli_fail(a->cli, "%s", why);
    } else {
        code = print_answer(a, q, answer, format);
    }
    json_decref(answer);
    json_decref(q);
    return code;
}

/* ---- many --------------------------------------------------------------------------------- */

static bool
print_line(json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    bool ok = text != NULL && printf("%s\n", text) > 0;

    free(text);
    json_decref(answer);
    return ok;
}

/* False: the line is no case. */
static bool
answer_line(struct gw_asker *a, const char *line, size_t n)
{
    json_error_t error;
    json_t *q = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    char why[512];
    json_t *answer = NULL;

    if (q == NULL) {
        (void)snprintf(why, sizeof(why), "the line is no JSON: %s", error.text);
    } else {
        answer = gw_asker_ask(a, q, why);
    }
    bool ok = answer != NULL;
    if (!ok) {
        json_t *id = json_object_get(q, "id");

        answer = json_pack("{s:s}", "error", why);
        if (id != NULL) {
            json_object_set(answer, "id", id);
        }
    }
    json_decref(q);
    return print_line(answer) && ok;
}

static bool
is_blank(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0';
}

static int
ask_all(struct gw_asker *a)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    bool ok = true;

    while ((n = getline(&line, &size, stdin)) >= 0) {
        if (!is_blank(line)) {
            ok = answer_line(a, line, (size_t)n) && ok;
        }
    }
    free(line);
    if (ferror(stdin) != 0 || fflush(stdout) != 0) {
        return gw_cli_fail(a->cli, "standard input or output: %s", strerror(errno));
    }
    return ok ? GW_EXIT_OK : GW_EXIT_FAILED;
}

/* ---- the command -------------------------------------------------------------------------- */

/* What goes with nothing else. */
static bool
is_alone(const struct options *o, const struct gw_words *args)
{
    return !o->batch && args->n == 0 && o->as == NULL && o->groups.n == 0 && o->token == NULL &&
           o->host == NULL && o->objects.n == 0;
}

static int
check_usage(const struct gw_cli *c, const struct options *o, const struct gw_words *args)
{
    if (o->batch && (o->as != NULL || o->groups.n > 0 || o->token != NULL || o->host != NULL)) {
        return gw_cli_misuse(c, "with --batch each case says who asks, and for which host");
    }
    if (o->batch && args->n > 0 && o->objects.n == 0) {
        return gw_cli_misuse(c, "with --batch the cases are read from standard input");
    }
    if (o->request != NULL && (!is_alone(o, args) || o->replay.n > 0)) {
        return gw_cli_misuse(c, "--request asks about a request that was sent: it goes with no URL "
                                "and no other question");
    }
    if (o->replay.n > 0 && !is_alone(o, args)) {
        return gw_cli_misuse(c, "--replay asks about requests that were sent: it goes with no URL "
                                "and no other question");
    }
    if (o->instead && o->replay.n == 0) {
        return gw_cli_misuse(c, "--instead goes with --replay");
    }
    if (o->request != NULL || o->replay.n > 0) {
        return GW_CLI_GO;
    }
    if (!o->batch && args->n == 0) {
        return gw_cli_misuse(c, "URL is missing");
    }
    if (!o->batch && args->n > 2) {
        return gw_cli_misuse(c, "too many arguments: %s", args->list[2]);
    }
    if (o->as != NULL && o->token != NULL) {
        return gw_cli_misuse(c, "--as and --token can't be used together");
    }
    if (o->groups.n > 0 && o->as == NULL) {
        return gw_cli_misuse(c, "--group goes with --as");
    }
    return GW_CLI_GO;
}

static int
open_asker(struct gw_asker *a, const struct gw_cli *c, struct options *o, struct gw_words *args)
{
    /* "--objects A B --batch": where no URL is expected, more words are more files. */
    for (size_t i = 0; o->batch && i < args->n; i++) {
        gw_words_add(&o->objects, args->list[i]);
    }
    if (o->objects.n > 0) {
        return gw_asker_open(a, c, o->objects.list);
    }
    *a = (struct gw_asker){.cli = c};
    return gw_cli_client(&a->client, c, &o->client);
}

static int
run(struct gw_asker *a, const struct options *o, const struct gw_words *args, enum gw_output format)
{
    const struct gw_replay_options replay = {
        .files = &o->replay, .instead = o->instead, .format = format};

    if (replay.files->n > 0) {
        return gw_cli_replay(a->cli, &a->client, &replay);
    }
    return o->request != NULL ? ask_kept(a, o, format)
           : o->batch         ? ask_all(a)
                              : ask_one(a, o, args, format);
}

int
gw_cli_explain(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_words args;
    struct gw_asker a;
    enum gw_output format;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    code = gw_cli_output(c, o.output, &format) ? check_usage(c, &o, &args) : GW_EXIT_USAGE;
    if (code == GW_CLI_GO) {
        code = open_asker(&a, c, &o, &args);
        if (code == GW_CLI_GO) {
            code = run(&a, &o, &args, format);
            gw_asker_close(&a);
        }
        gw_client_options_fini(&o.client);
    }
    gw_words_fini(&o.groups);
    gw_words_fini(&o.objects);
    gw_words_fini(&o.replay);
    gw_words_fini(&args);
    return code;
}
