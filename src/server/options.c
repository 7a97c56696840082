/* options.c - the one parser of all commands' options (cli_util.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/cli_help.h"
#include "server/cli_util.h"

/* What is being read. */
struct reader {
    const struct gw_cli *cli;
    const struct gw_usage *usage;
    char *options; /* the command's struct */
    struct gw_words *args;
    int at; /* in argv */
};

static const struct gw_option *
by_letter(const struct gw_usage *u, char letter)
{
    for (const struct gw_option *o = u->options; o != NULL && o->name != NULL; o++) {
        if (o->letter == letter) {
            return o;
        }
    }
    return NULL;
}

static const struct gw_option *
by_name(const struct gw_usage *u, struct gw_str name)
{
    for (const struct gw_option *o = u->options; o != NULL && o->name != NULL; o++) {
        if (gw_str_eq(name, gw_str_of(o->name))) {
            return o;
        }
    }
    return NULL;
}

static int
no_such_option(const struct reader *r, struct gw_str name)
{
    struct gw_words names = {0};
    const char *near;

    gw_words_add(&names, "help");
    gw_words_add(&names, "config");
    for (const struct gw_option *o = r->usage->options; o != NULL && o->name != NULL; o++) {
        gw_words_add(&names, o->name);
    }
    near = gw_diag_nearest(name, names.list);
    gw_words_fini(&names);
    return near == NULL ? gw_cli_misuse(r->cli, "there is no option %s", r->cli->argv[r->at])
                        : gw_cli_misuse(r->cli, "there is no option --%.*s (did you mean --%s?)",
                                        GW_STR_ARG(name), near);
}

/* given: the value after '=' or right after the letter; NULL: the next word, if one is needed. */
static int
set(struct reader *r, const struct gw_option *o, const char *given)
{
    void *field = r->options + o->at;
    const char *word = r->cli->argv[r->at];

    if (o->kind == GW_OPTION_SWITCH) {
        if (given != NULL) {
            return gw_cli_misuse(r->cli, "%s: --%s takes no value", word, o->name);
        }
        *(bool *)field = true;
        return GW_CLI_GO;
    }
    if (given == NULL) {
        if (r->at + 1 >= r->cli->argc) {
            return gw_cli_misuse(r->cli, "%s needs a value: %s", word, o->value);
        }
        given = r->cli->argv[++r->at];
    }
    if (o->kind == GW_OPTION_LIST) {
        gw_words_add(field, given);
    } else {
        *(const char **)field = given;
    }
    return GW_CLI_GO;
}

static int
long_option(struct reader *r, const char *word)
{
    struct gw_str rest = gw_str_of(word + 2);
    struct gw_str name = gw_str_cut(&rest, '=');
    const struct gw_option *o = by_name(r->usage, name);

    return o == NULL ? no_such_option(r, name) : set(r, o, rest.p);
}

static int
short_option(struct reader *r, const char *word)
{
    const struct gw_option *o = by_letter(r->usage, word[1]);

    if (o == NULL) {
        return no_such_option(r, gw_str_of(word + 1));
    }
    return set(r, o, word[2] == '\0' ? NULL : word + 2);
}

static int
read_words(struct reader *r)
{
    bool only_arguments = false;

    for (r->at = 1; r->at < r->cli->argc; r->at++) {
        const char *word = r->cli->argv[r->at];
        int done = GW_CLI_GO;

        if (only_arguments || word[0] != '-' || word[1] == '\0') {
            gw_words_add(r->args, word);
        } else if (strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            return gw_cli_help(r->cli, r->usage);
        } else {
            done = word[1] == '-' ? long_option(r, word) : short_option(r, word);
        }
        if (done != GW_CLI_GO) {
            return done;
        }
    }
    return GW_CLI_GO;
}

static int
check_count(const struct reader *r)
{
    const struct gw_usage *u = r->usage;

    if (r->args->n < u->min) {
        return gw_cli_misuse(r->cli, "too few arguments; it takes %s", u->arguments);
    }
    if (r->args->n > u->max) {
        return gw_cli_misuse(r->cli, "'%s' is one argument too many; it takes %s",
                             r->args->list[u->max], u->max == 0 ? "none" : u->arguments);
    }
    return GW_CLI_GO;
}

static void
free_lists(struct reader *r)
{
    gw_words_fini(r->args);
    for (const struct gw_option *o = r->usage->options; o != NULL && o->name != NULL; o++) {
        if (o->kind == GW_OPTION_LIST) {
            void *field = r->options + o->at;

            gw_words_fini(field);
        }
    }
}

int
gw_cli_parse(const struct gw_cli *c, const struct gw_usage *u, void *options, struct gw_words *args)
{
    struct reader r = {c, u, options, args, 1};
    int done;

    *args = (struct gw_words){0};
    if (c->manual != NULL) {
        gw_cli_manual(c, u);
        return GW_EXIT_OK;
    }
    done = read_words(&r);
    if (done == GW_CLI_GO) {
        done = check_count(&r);
    }
    if (done != GW_CLI_GO) {
        free_lists(&r);
    }
    return done;
}
