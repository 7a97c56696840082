/* notice.c - who is told of a write to a database's -wal file, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "registry/notice.h"
#include "t/lib/folder.h"
#include "t/lib/no_inotify.h"
#include "t/lib/registry_watcher.h"

static struct event_base *base;
static char database[80], wal[96];
static unsigned told;

static void
tell(void *arg)
{
    assert_ptr_equal(arg, &told);
    told++;
}

static void
write_to(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int
setup(void **state)
{
    (void)state;
    told = 0;
    base = event_base_new();
    (void)make_folder(state);
    (void)snprintf(database, sizeof(database), "%s/registry.db", folder);
    (void)snprintf(wal, sizeof(wal), "%s-wal", database);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    (void)drop_folder(state);
    event_base_free(base);
    return 0;
}

/* What is there to be told is told by then. */
static void
settle(void)
{
    for (int i = 0; i < 5; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

static void
a_write_is_told_of(void **state)
{
    (void)state;
    write_to(wal);
    struct gw_notice *n = gw_notice_new(base, database, tell, &told);
    assert_true(gw_notice_watch(n));
    settle();
    assert_int_equal(told, 0);
    write_to(wal);
    WAIT_FOR(base, told > 0);
    settle();
    unsigned before = told;
    assert_true(gw_notice_watch(n)); /* the same file: no second telling */
    write_to(wal);
    WAIT_FOR(base, told > before);
    settle();
    assert_int_equal(told, before + 1);
    write_to(database); /* a checkpoint */
    settle();
    assert_int_equal(told, before + 1);
    gw_notice_free(n);
}

static void
a_file_that_is_not_there_can_not_be_watched(void **state)
{
    (void)state;
    struct gw_notice *n = gw_notice_new(base, database, tell, &told);
    assert_false(gw_notice_watch(n));
    write_to(wal);
    assert_true(gw_notice_watch(n));
    write_to(wal);
    WAIT_FOR(base, told > 0);
    gw_notice_free(n);
}

static void
another_file_of_the_name_is_watched_when_it_is_asked_for(void **state)
{
    (void)state;
    write_to(wal);
    struct gw_notice *n = gw_notice_new(base, database, tell, &told);
    assert_true(gw_notice_watch(n));
    assert_int_equal(unlink(wal), 0);
    write_to(wal);
    settle();
    told = 0;
    write_to(wal);
    settle();
    assert_int_equal(told, 0);
    assert_true(gw_notice_watch(n));
    write_to(wal);
    WAIT_FOR(base, told > 0);
    gw_notice_free(n);
}

static void
without_inotify_it_says_so(void **state)
{
    static struct no_inotify all;

    (void)state;
    write_to(wal);
    no_inotify_begin(&all);
    struct gw_notice *n = gw_notice_new(base, database, tell, &told);
    bool watched = gw_notice_watch(n);
    gw_notice_free(n);
    no_inotify_end(&all);
    assert_false(watched);
    gw_notice_free(NULL);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_told_of),
        TEST(a_file_that_is_not_there_can_not_be_watched),
        TEST(another_file_of_the_name_is_watched_when_it_is_asked_for),
        TEST(without_inotify_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
