#include "server/cli_help.h"

#include <stdio.h>

/* "-o, --output FORMAT" */
static void
option_words(struct gw_buf *out, const struct gw_option *o)
{
    if (o->letter != 0) {
        gw_buf_printf(out, "-%c, ", o->letter);
    } else {
        gw_buf_puts(out, "    ");
    }
    gw_buf_printf(out, "--%s%s%s", o->name, o->value == NULL ? "" : " ",
                  o->value == NULL ? "" : o->value);
}

static const struct gw_option shared[] = {
    {'c', "config", "FILE", GW_OPTION_TEXT, 0, "The configuration file."},
    {'h', "help", NULL, GW_OPTION_SWITCH, 0, "Prints this."},
    {0},
};

static void
add_options(struct gw_table *t, const struct gw_option *options)
{
    for (const struct gw_option *o = options; o != NULL && o->name != NULL; o++) {
        struct gw_buf words = {0};

        gw_buf_puts(&words, "  ");
        option_words(&words, o);
        gw_table_add(t, words.p);
        gw_table_add(t, o->help);
        gw_buf_fini(&words);
    }
}

static void
indented(struct gw_buf *out, const char *lines)
{
    struct gw_str rest = gw_str_of(lines);

    while (rest.n > 0) {
        struct gw_str line = gw_str_cut(&rest, '\n');

        gw_buf_printf(out, "  %.*s\n", GW_STR_ARG(line));
    }
}

int
gw_cli_help(const struct gw_cli *c, const struct gw_usage *u)
{
    struct gw_buf out = {0};
    struct gw_table options = {.columns = 2};

    gw_buf_printf(&out, "usage: %s %s%s%s%s\n\n%s\n", c->program, c->command->name,
                  u->options != NULL ? " [options]" : "", *u->arguments == '\0' ? "" : " ",
                  u->arguments, c->command->about);
    if (u->more != NULL) {
        gw_buf_printf(&out, "\n%s\n", u->more);
    }
    gw_buf_puts(&out, "\noptions:\n");
    add_options(&options, u->options);
    add_options(&options, shared);
    gw_table_print(&options, &out);
    gw_table_fini(&options);
    if (u->examples != NULL) {
        gw_buf_puts(&out, "\nexamples:\n");
        indented(&out, u->examples);
    }
    return gw_cli_print(c, &out);
}

int
gw_cli_overview(const char *program)
{
    static const struct gw_command none = {.name = "--help"};
    struct gw_cli c = {.program = program, .command = &none};
    struct gw_buf out = {0};
    struct gw_table commands = {.columns = 2};

    gw_buf_printf(&out,
                  "usage: %s [-c FILE] COMMAND [arguments]\n\n"
                  "The API gateway in front of a KubeSphere platform and its extensions.\n\n"
                  "commands:\n",
                  program);
    for (const struct gw_command *d = gw_commands; d->name != NULL; d++) {
        if (!d->hidden) {
            struct gw_buf name = {0};

            gw_buf_printf(&name, "  %s", d->name);
            gw_table_add(&commands, name.p);
            gw_table_add(&commands, d->about);
            gw_buf_fini(&name);
        }
    }
    gw_table_print(&commands, &out);
    gw_table_fini(&commands);
    gw_buf_printf(&out,
                  "\nThe configuration is read from %s unless -c names another file.\n"
                  "'%s COMMAND --help' says more.  Exit codes: 0 fine, 1 failed, 2 wrong usage.\n",
                  GW_CLI_CONFIG, program);
    return gw_cli_print(&c, &out);
}

/* Text for roff: a backslash, a leading dot or quote, and '-' would mean something else. */
static void
roff(struct gw_buf *out, const char *text)
{
    bool line_start = true;

    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            gw_buf_puts(out, "\\&");
        }
        if (*text == '\\') {
            gw_buf_puts(out, "\\e");
        } else if (*text == '-') {
            gw_buf_puts(out, "\\-");
        } else {
            gw_buf_add(out, text, 1);
        }
        line_start = *text == '\n';
    }
}

/* Paragraphs are set apart by an empty line. */
static void
roff_paragraphs(struct gw_buf *out, const char *text)
{
    struct gw_str rest = gw_str_of(text);

    while (rest.n > 0) {
        struct gw_str line = gw_str_cut(&rest, '\n');
        struct gw_buf copy = {0};

        gw_buf_str(&copy, line);
        if (line.n == 0) {
            gw_buf_puts(out, ".PP\n");
        } else {
            roff(out, copy.p);
            gw_buf_puts(out, "\n");
        }
        gw_buf_fini(&copy);
    }
}

static void
roff_options(struct gw_buf *out, const struct gw_option *options)
{
    for (const struct gw_option *o = options; o != NULL && o->name != NULL; o++) {
        gw_buf_puts(out, ".TP\n.B ");
        if (o->letter != 0) {
            gw_buf_printf(out, "\\-%c, ", o->letter);
        }
        gw_buf_puts(out, "\\-\\-");
        roff(out, o->name);
        if (o->value != NULL) {
            gw_buf_printf(out, " \\fI%s\\fR", o->value);
        }
        gw_buf_puts(out, "\n");
        roff(out, o->help);
        gw_buf_puts(out, "\n");
    }
}

void
gw_cli_manual(const struct gw_cli *c, const struct gw_usage *u)
{
    gw_buf_printf(c->manual, ".SS %s %s%s%s", c->program, c->command->name,
                  u->options != NULL ? " [options]" : "", *u->arguments == '\0' ? "" : " ");
    roff(c->manual, u->arguments);
    gw_buf_puts(c->manual, "\n");
    roff(c->manual, c->command->about);
    gw_buf_puts(c->manual, "\n");
    if (u->more != NULL) {
        gw_buf_puts(c->manual, ".PP\n");
        roff_paragraphs(c->manual, u->more);
    }
    roff_options(c->manual, u->options);
    if (u->examples != NULL) {
        gw_buf_puts(c->manual, ".PP\n.EX\n");
        roff(c->manual, u->examples);
        gw_buf_puts(c->manual, "\n.EE\n");
    }
}

void
gw_cli_manual_page(struct gw_buf *out, const char *program)
{
    gw_buf_printf(out,
                  ".\\\" Made by `ksgate schema --man`; the words are in the commands' tables.\n"
                  ".TH KSGATE 1 \"\" \"ksgate " PACKAGE_VERSION "\" \"User Commands\"\n"
                  ".SH NAME\nksgate \\- the API gateway of a KubeSphere platform\n"
                  ".SH SYNOPSIS\n.B %s\n[\\fB\\-c\\fR \\fIFILE\\fR] \\fICOMMAND\\fR "
                  "[\\fIarguments\\fR]\n"
                  ".SH DESCRIPTION\n"
                  "One command runs the gateway, checks its configuration, and asks and changes a "
                  "running one.\n"
                  ".SH OPTIONS\nOf all commands:\n",
                  program);
    roff_options(out, shared);
    gw_buf_puts(out, ".SH COMMANDS\n");
    for (const struct gw_command *d = gw_commands; d->name != NULL; d++) {
        char name[32];
        char *argv[] = {name, NULL};
        struct gw_cli c = {
            .program = program, .command = d, .manual = out, .argc = 1, .argv = argv};

        if (!d->hidden) {
            (void)snprintf(name, sizeof(name), "%s", d->name);
            (void)d->run(&c);
        }
    }
    gw_buf_puts(out, ".SH EXIT STATUS\n0: fine.  1: failed.  2: wrong usage.\n.SH FILES\n.TP\n.I ");
    roff(out, "/etc/ksgate/ksgate.yaml");
    gw_buf_puts(out, "\nThe configuration, unless \\fB\\-c\\fR names another file "
                     "(the folder is the build's sysconfdir).\n.TP\n.I ");
    roff(out, "/run/ksgate/admin.sock");
    gw_buf_puts(out, "\nThe admin interface of a running gateway (setting admin.socket).\n");
}
