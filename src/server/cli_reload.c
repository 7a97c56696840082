/* cli_reload.c - ksgate reload: as SIGHUP, but with the answer. */
#include <stdio.h>

#include "server/client.h"

struct options {
    struct gw_client_options where;
};

static const struct gw_option options[] = {GW_CLIENT_OPTIONS(struct options, where), {0}};

static const struct gw_usage usage = {
    .arguments = "",
    .options = options,
    .more = "The new file is checked first.  When it is wrong the gateway goes on with the old one "
            "and the\ncommand says what is wrong.  No connection is closed either way.",
};

/* Findings that are only warnings go to stderr, as those of `check` do. */
static void
print_warnings(const struct gw_client_answer *answer)
{
    json_t *json = json_loadb(answer->body.p, answer->body.n, 0, NULL);
    size_t i;
    json_t *line;

    json_array_foreach(json_object_get(json, "warnings"), i, line)
    {
        (void)fprintf(stderr, "%s\n", json_string_value(line));
    }
    json_decref(json);
}

static int
answered(const struct gw_cli *c, const struct gw_client_answer *answer)
{
    struct gw_buf text = {0};

    if (answer->status == 200) {
        print_warnings(answer);
        gw_buf_puts(&text, "reloaded\n");
        return gw_cli_print(c, &text);
    }
    gw_client_problem(answer, &text);
    (void)gw_cli_fail(c, "%s", text.p);
    gw_buf_fini(&text);
    return GW_EXIT_FAILED;
}

int
gw_cli_reload(const struct gw_cli *c)
{
    struct options o = {0};
    struct gw_client client;
    struct gw_client_answer answer;
    struct gw_diag diag = {0};
    struct gw_words args;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    code = gw_cli_client(&client, c, &o.where);
    if (code != GW_CLI_GO) {
        return code;
    }
    if (gw_client_call(&client, "POST", "/-/reload", GW_STR_NONE, GW_STR_NONE, &answer, &diag)) {
        code = answered(c, &answer);
    } else {
        code = gw_cli_fail(c, "%s", gw_diag_first(&diag));
    }
    gw_buf_fini(&answer.body);
    gw_diag_fini(&diag);
    gw_client_options_fini(&o.where);
    return code;
}
