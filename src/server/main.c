/* main.c - finds the command, and -c FILE wherever it stands. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "registry/object.h"
#include "server/admin_call.h"
#include "server/cli_help.h"

#define PROGRAM "ksgate"

static int
no_such_command(const char *typed)
{
    struct gw_words names = {0};
    const char *near;

    for (const struct gw_command *d = gw_commands; d->name != NULL; d++) {
        if (!d->hidden) {
            gw_words_add(&names, d->name);
        }
    }
    near = gw_diag_nearest(gw_str_of(typed), names.list);
    gw_words_fini(&names);
    if (near != NULL) {
        (void)fprintf(stderr, PROGRAM ": there is no command '%s' (did you mean '%s'?)\n", typed,
                      near);
    } else {
        (void)fprintf(stderr, PROGRAM ": there is no command '%s'\n", typed);
    }
    (void)fprintf(stderr, "Try '" PROGRAM " --help'.\n");
    return GW_EXIT_USAGE;
}

/* The file of "-c FILE", "-cFILE", "--config FILE" or "--config=FILE"; *words: how many words of
 * argv that takes.  NULL: it is something else (*words 0), or the file is missing. */
static const char *
config_option(char *const *argv, int left, int *words)
{
    const char *word = argv[0];
    bool separate = strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0;

    if (separate) {
        *words = left > 1 ? 2 : 1;
        return left > 1 ? argv[1] : NULL;
    }
    if (strncmp(word, "--config=", sizeof("--config=") - 1) == 0) {
        *words = 1;
        return word + sizeof("--config=") - 1;
    }
    *words = word[0] == '-' && word[1] == 'c' ? 1 : 0;
    return *words == 1 ? word + 2 : NULL;
}

/* Takes -c FILE out of argv, which keeps all other words in order.  False: FILE is missing. */
static bool
take_config(struct gw_cli *c, int argc, char **argv)
{
    int kept = 1;

    for (int i = 1; i < argc;) {
        int words = 0;
        const char *file;

        if (strcmp(argv[i], "--") == 0) { /* all that follows are arguments */
            while (i < argc) {
                argv[kept++] = argv[i++];
            }
            break;
        }
        file = config_option(&argv[i], argc - i, &words);
        if (words == 0) {
            argv[kept++] = argv[i++];
            continue;
        }
        if (file == NULL || *file == '\0') {
            return false;
        }
        c->config = file;
        c->config_given = true;
        i += words;
    }
    argv[kept] = NULL;
    c->argc = kept - 1;
    c->argv = argv + 1;
    return true;
}

static int
run(struct gw_cli *c)
{
    const char *name = c->argc > 0 ? c->argv[0] : "--help";

    if (c->argc == 0) {
        (void)gw_cli_overview(PROGRAM);
        return GW_EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return gw_cli_overview(PROGRAM);
    }
    if (strcmp(name, "--version") == 0) {
        static char version[] = "version";

        c->argv[0] = version;
    }
    for (const struct gw_command *d = gw_commands; d->name != NULL; d++) {
        if (strcmp(c->argv[0], d->name) == 0) {
            c->command = d;
            return d->run(c);
        }
    }
    return no_such_command(name);
}

int
main(int argc, char **argv)
{
    struct gw_cli c = {.program = PROGRAM, .config = GW_CLI_CONFIG};

    gw_object_on_check(gw_views_check);
    gw_admin_init();
    json_object_seed(0); /* once, before there are threads */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!take_config(&c, argc, argv)) {
        (void)fprintf(stderr, PROGRAM ": -c needs a file\nTry '" PROGRAM " --help'.\n");
        return GW_EXIT_USAGE;
    }
    return run(&c);
}
