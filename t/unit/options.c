/* options.c - what is read of a command line, and what is refused with which exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "server/cli_help.h"
#include "server/cli_util.h"

struct options {
    const char *output;
    bool quiet;
    struct gw_words files;
};

/* clang-format off */
static const struct gw_option rows[] = {
    {'o', "output", "FORMAT", GW_OPTION_TEXT, offsetof(struct options, output), "How to print."},
    {'q', "quiet", NULL, GW_OPTION_SWITCH, offsetof(struct options, quiet), "Says less."},
    {'f', "file", "FILE", GW_OPTION_LIST, offsetof(struct options, files), "What to read."},
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "KIND [NAME]", .options = rows, .min = 1, .max = 2, .examples = "one\ntwo"};

static int
run(const struct gw_cli *c)
{
    (void)c;
    return GW_EXIT_OK;
}

static const struct gw_command command = {"test", "Tests.", run, false};

#define WORDS_MAX 8

static int
parse(const char *const *words, struct options *o, struct gw_words *args)
{
    char text[WORDS_MAX][32] = {"test"};
    char *argv[WORDS_MAX + 1] = {text[0]};
    struct gw_cli c = {.program = "ksgate", .command = &command, .argc = 1, .argv = argv};

    for (; *words != NULL; words++) {
        strncpy(text[c.argc], *words, sizeof(text[0]) - 1);
        argv[c.argc] = text[c.argc];
        c.argc++;
    }
    return gw_cli_parse(&c, &usage, o, args);
}

static const struct {
    const char *words[WORDS_MAX];
    int code;
    int n_args, n_files;
    bool quiet, output;
} cases[] = {
    {{"es", NULL}, GW_CLI_GO, 1, 0, false, false},
    {{"es", "devops", "-q", NULL}, GW_CLI_GO, 2, 0, true, false},
    {{"-q", "es", "--output", "yaml", NULL}, GW_CLI_GO, 1, 0, true, true},
    {{"es", "--output=yaml", NULL}, GW_CLI_GO, 1, 0, false, true},
    {{"es", "-oyaml", NULL}, GW_CLI_GO, 1, 0, false, true},
    {{"es", "-f", "a", "-fb", "--file=c", "--file", NULL}, GW_EXIT_USAGE, 0, 0, false, false},
    {{"es", "-f", "a", "-fb", "--file=c", NULL}, GW_CLI_GO, 1, 3, false, false},
    {{"es", "-f", "-", NULL}, GW_CLI_GO, 1, 1, false, false},
    {{"-", NULL}, GW_CLI_GO, 1, 0, false, false},
    {{"--", "-q", "--output", NULL}, GW_CLI_GO, 2, 0, false, false},
    {{NULL}, GW_EXIT_USAGE, 0, 0, false, false},                      /* too few */
    {{"a", "b", "c", NULL}, GW_EXIT_USAGE, 0, 0, false, false},       /* too many */
    {{"es", "--quiet=yes", NULL}, GW_EXIT_USAGE, 0, 0, false, false}, /* a switch has no value */
    {{"es", "-qx", NULL}, GW_EXIT_USAGE, 0, 0, false, false},
    {{"es", "--outptu", "x", NULL}, GW_EXIT_USAGE, 0, 0, false, false},
    {{"es", "-x", NULL}, GW_EXIT_USAGE, 0, 0, false, false},
    {{"es", "-o", NULL}, GW_EXIT_USAGE, 0, 0, false, false}, /* the value is missing */
};

static void
test_command_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct options o = {0};
        struct gw_words args;
        int code = parse(cases[i].words, &o, &args);

        assert_int_equal(code, cases[i].code);
        assert_int_equal(args.n, cases[i].n_args);
        assert_int_equal(o.files.n, cases[i].n_files);
        if (code == GW_CLI_GO) {
            assert_int_equal(o.quiet, cases[i].quiet);
            assert_int_equal(o.output != NULL, cases[i].output);
            gw_words_fini(&args);
            gw_words_fini(&o.files);
        }
    }
}

static void
test_the_manual_has_every_option(void **state)
{
    char name[] = "test";
    char *argv[] = {name, NULL};
    struct gw_buf manual = {0};
    struct gw_cli c = {
        .program = "ksgate", .command = &command, .manual = &manual, .argc = 1, .argv = argv};
    struct options o = {0};
    struct gw_words args;

    (void)state;
    assert_int_equal(gw_cli_parse(&c, &usage, &o, &args), GW_EXIT_OK);
    assert_non_null(strstr(manual.p, ".SS ksgate test [options] KIND [NAME]\n"));
    assert_non_null(strstr(manual.p, ".B \\-o, \\-\\-output \\fIFORMAT\\fR\nHow to print.\n"));
    assert_non_null(strstr(manual.p, ".B \\-q, \\-\\-quiet\nSays less.\n"));
    assert_non_null(strstr(manual.p, "one\ntwo\n"));
    gw_buf_fini(&manual);
}

static void
test_columns_are_aligned(void **state)
{
    struct gw_table t = {.columns = 2};
    struct gw_buf out = {0};

    (void)state;
    gw_table_add(&t, "NAME");
    gw_table_add(&t, "AGE");
    gw_table_add(&t, "devops-long");
    gw_table_add(&t, NULL);
    gw_table_print(&t, &out);
    assert_string_equal(out.p, "NAME          AGE\ndevops-long   -\n");
    gw_table_fini(&t);
    gw_buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_lines),
        cmocka_unit_test(test_the_manual_has_every_option),
        cmocka_unit_test(test_columns_are_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
