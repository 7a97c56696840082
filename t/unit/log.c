#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int reader;
static int real_stderr;

/* stderr becomes a pipe's end; a pipe keeps what one write() gave together, but this test
 * reads after each line anyway. */
static int
catch_stderr(void **state)
{
    int ends[2];

    (void)state;
    real_stderr = dup(STDERR_FILENO);
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0) {
        return -1;
    }
    reader = ends[0];
    return close(ends[1]);
}

static int
release_stderr(void **state)
{
    (void)state;
    if (dup2(real_stderr, STDERR_FILENO) < 0 || close(real_stderr) != 0) {
        return -1;
    }
    return close(reader);
}

/* What was written since the last call, without its 24 bytes of time at `at`. */
static const char *
written(size_t at)
{
    static char text[1024];

    ssize_t n = read(reader, text, sizeof(text) - 1);
    assert_true(n > (ssize_t)at + 24);
    text[n] = '\0';
    assert_int_equal(text[at + 10], 'T');
    assert_int_equal(text[at + 23], 'Z');
    memmove(text + at, text + at + 24, (size_t)n - at - 24 + 1);
    return text;
}

static void
test_text(void **state)
{
    (void)state;
    gw_log_error("a %s of %d", "b", 7);
    assert_string_equal(written(0), " error ksgate: a b of 7\n");
    gw_log_name("worker-1");
    gw_log_warn("slow");
    assert_string_equal(written(0), " warn  worker-1: slow\n");
    gw_log_info("%s", "\xc3\xa4 \"quoted\"");
    assert_string_equal(written(0), " info  worker-1: \xc3\xa4 \"quoted\"\n");
}

static void
test_a_message_can_not_forge_a_line(void **state)
{
    (void)state;
    gw_log_warn("bad name %s", "x\n2026 error server: \x1b[2Jgone\r");
    assert_string_equal(written(0),
                        " warn  worker-1: bad name x\\n2026 error server: \\x1b[2Jgone\\x0d\n");
}

static void
test_json(void **state)
{
    (void)state;
    assert_false(gw_log_json(true));
    gw_log_info("say \"%s\"\n", "\xff");
    assert_string_equal(written(9), "{\"time\":\"\",\"level\":\"info\",\"part\":\"worker-1\","
                                    "\"message\":\"say \\\"\xef\xbf\xbd\\\"\\n\"}\n");
    assert_true(gw_log_json(false));
}

static void
test_levels(void **state)
{
    (void)state;
    gw_log_debug("not by default");
    gw_log_level(GW_LOG_DEBUG);
    gw_log_debug("now");
    assert_string_equal(written(0), " debug worker-1: now\n");
    gw_log_level(GW_LOG_ERROR);
    gw_log_warn("no");
    gw_log_error("yes");
    assert_string_equal(written(0), " error worker-1: yes\n");
    gw_log_level(GW_LOG_INFO);
}

static void
test_errno_is_kept(void **state)
{
    (void)state;
    errno = ENOENT;
    gw_log_error("it: %s", strerror(errno));
    assert_int_equal(errno, ENOENT);
    assert_string_equal(written(0), " error worker-1: it: No such file or directory\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(test_a_message_can_not_forge_a_line, catch_stderr,
                                        release_stderr),
        cmocka_unit_test_setup_teardown(test_json, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(test_levels, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(test_errno_is_kept, catch_stderr, release_stderr),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
