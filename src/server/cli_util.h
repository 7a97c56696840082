/*
 * cli_util.h - options, --help, the manual and tables: what all commands share.
 *
 * A command declares its options as rows; one parser reads them, prints --help and writes the
 * command's section of the manual page: so every command calls it before anything else.
 * `-c FILE` is main.c's and never reaches a command.
 *
 *     struct options { const char *output; bool quiet; };
 *     static const struct gw_option options[] = {
 *         {'o', "output", "FORMAT", GW_OPTION_TEXT, offsetof(struct options, output), "..."},
 *         {'q', "quiet", NULL, GW_OPTION_SWITCH, offsetof(struct options, quiet), "..."},
 *         {0},
 *     };
 *     static const struct gw_usage usage = {
 *         .arguments = "KIND [NAME]", .options = options, .min = 1, .max = 2};
 *
 *     struct options o = {0};
 *     struct gw_words args;
 *     int done = gw_cli_parse(c, &usage, &o, &args);
 *     if (done != GW_CLI_GO) { return done; }
 *     ...
 *     gw_words_fini(&args);
 */
#ifndef GW_SERVER_CLI_UTIL_H
#define GW_SERVER_CLI_UTIL_H

#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/diag.h"
#include "server/cli.h"

/* Texts in order; list is NULL-terminated when n > 0, and NULL before.  The texts are borrowed
 * from argv; the list is heap memory. */
struct gw_words {
    const char **list;
    size_t n;
};
void gw_words_add(struct gw_words *w, const char *text);
void gw_words_fini(struct gw_words *w);

enum gw_option_kind {
    GW_OPTION_SWITCH, /* bool */
    GW_OPTION_TEXT,   /* const char *, the last one given */
    GW_OPTION_LIST,   /* struct gw_words, all that were given; the caller's to fini */
};

/* In the order in which a row is read, not the densest one. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct gw_option {
    char letter;       /* 'o' for -o, or 0 */
    const char *name;  /* "output" for --output; NULL ends the table */
    const char *value; /* "FORMAT"; NULL for a switch */
    enum gw_option_kind kind;
    size_t at;        /* offsetof the field in the command's options struct */
    const char *help; /* one sentence */
};

struct gw_usage {
    const char *arguments;           /* "KIND [NAME]", or "" */
    const char *more;                /* paragraphs for --help and the manual, or NULL */
    const char *examples;            /* lines of shell, or NULL */
    const struct gw_option *options; /* or NULL */
    size_t min, max;                 /* how many arguments; max 0: none */
};
#define GW_CLI_MANY ((size_t)-1)

/* gw_cli_parse() answers this when the command should go on; else the exit code. */
#define GW_CLI_GO (-1)

/* Fills the options struct (zeroed, or with defaults) and args.  Handles --help, the manual and
 * wrong usage.  When it does not answer GW_CLI_GO nothing has to be freed. */
int gw_cli_parse(const struct gw_cli *c, const struct gw_usage *u, void *options,
                 struct gw_words *args);

/* "ksgate NAME: text" on stderr.  fail returns GW_EXIT_FAILED, misuse GW_EXIT_USAGE. */
int gw_cli_fail(const struct gw_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int gw_cli_misuse(const struct gw_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints all findings on stderr, and frees them.  Returns GW_EXIT_FAILED when there are errors
 * among them, else GW_EXIT_OK. */
int gw_cli_findings(struct gw_diag *diag);

/* The same as an array: {severity, message} and, where there are any, file, line, column and hint
 * (the name that was meant).  A new reference; the findings stay. */
json_t *gw_cli_findings_json(const struct gw_diag *diag);

/* Writes it to stdout, whole, and frees it.  GW_EXIT_FAILED (said on stderr) when that fails. */
int gw_cli_print(const struct gw_cli *c, struct gw_buf *text);

/* -o FORMAT */
enum gw_output {
    GW_OUTPUT_TABLE,
    GW_OUTPUT_JSON,
    GW_OUTPUT_YAML
};
#define GW_OUTPUT_OPTION(type, field)                                   \
    {                                                                   \
        'o', "output", "FORMAT", GW_OPTION_TEXT, offsetof(type, field), \
            "How to print it: table (default), json or yaml."           \
    }
/* text NULL: a table.  False: said on stderr; exit with GW_EXIT_USAGE. */
bool gw_cli_output(const struct gw_cli *c, const char *text, enum gw_output *out);

/* The text as JSON.  Bytes that are no UTF-8 (of a file's name, say) become U+FFFD. */
json_t *gw_cli_text_json(struct gw_str text);

/* Prints the value as JSON (indented) or YAML.  Does not take the reference. */
int gw_cli_print_json(const struct gw_cli *c, enum gw_output format, const json_t *value);

/* Rows of cells in aligned columns.  Start with {.columns = n}. */
struct gw_table {
    size_t columns;
    char **cells; /* owned */
    size_t n, size;
};
void gw_table_add(struct gw_table *t, const char *cell); /* copied; NULL prints as "-" */
void gw_table_print(const struct gw_table *t, struct gw_buf *out);
void gw_table_fini(struct gw_table *t);

#endif
