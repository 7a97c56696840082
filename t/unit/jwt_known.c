/* jwt_known.c - the file of known keys: whether it is believed, and what is only a bad moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/jwt_known.h"

static char dir[] = "/tmp/ksgate-known-XXXXXX";
static struct gw_buf path;

static void
write_text(const char *text)
{
    int fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* Whether there was something, and the doubt. */
static bool
read_it(struct gw_jwt_doubt *doubt)
{
    json_t *root = gw_jwt_known_read(path.p, doubt);
    bool there = root != NULL;

    json_decref(root);
    return there;
}

static void
test_believed(void **state)
{
    struct gw_jwt_doubt doubt;

    (void)state;
    assert_false(read_it(&doubt)); /* there is none */
    assert_null(doubt.why);
    assert_true(gw_jwt_known_write(path.p));
    assert_true(read_it(&doubt));
    assert_null(doubt.why);
    assert_false(doubt.bad || doubt.foreign);
}

static void
test_not_believed(void **state)
{
    struct gw_jwt_doubt doubt;

    (void)state;
    write_text("ksgate-keys 1 0123456789abcdef\n{\"sources\":[]}");
    assert_false(read_it(&doubt));
    assert_true(doubt.bad);
    assert_true(gw_jwt_known_write(path.p));
    assert_int_equal(chmod(path.p, 0620), 0);
    assert_false(read_it(&doubt));
    assert_true(doubt.bad);
    assert_int_equal(unlink(path.p), 0);
    assert_int_equal(mkfifo(path.p, 0600), 0); /* and it does not wait for a writer */
    assert_false(read_it(&doubt));
    assert_true(doubt.bad);
    assert_int_equal(unlink(path.p), 0);
}

/* Without descriptors nothing is known of the file: that is nothing against it. */
static void
test_not_just_now(void **state)
{
    struct gw_jwt_doubt doubt;
    struct rlimit before;

    (void)state;
    assert_true(gw_jwt_known_write(path.p));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool there = read_it(&doubt);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(there);
    assert_non_null(doubt.why);
    assert_false(doubt.bad);
    assert_true(read_it(&doubt));
}

/* Root can look at every user's, and serves by its own alone. */
static void
test_of_another_user(void **state)
{
    struct gw_jwt_doubt doubt;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_true(gw_jwt_known_write(path.p));
    assert_int_equal(chown(path.p, 65534, 65534), 0);
    assert_true(read_it(&doubt));
    assert_null(doubt.why);
    assert_true(doubt.foreign);
}

static int
open_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    gw_buf_printf(&path, "%s/known", dir);
    return 0;
}

static int
close_dir(void **state)
{
    (void)state;
    (void)unlink(path.p);
    gw_buf_fini(&path);
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_believed),
        cmocka_unit_test(test_not_believed),
        cmocka_unit_test(test_not_just_now),
        cmocka_unit_test(test_of_another_user),
    };

    return cmocka_run_group_tests_name("jwt_known", tests, open_dir, close_dir);
}
