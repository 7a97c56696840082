/* follow.c - a file has changed: by whatever means, told once, and never put off for ever. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/follow.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

static struct event_base *base;
static struct gw_arena *arena;
static struct gw_follow *follow;
static unsigned told;
static char told_paths[256];

static void
make_subfolder(const char *name)
{
    assert_int_equal(mkdir(in_folder(name), 0700), 0);
}

static void
make_link(const char *to, const char *name)
{
    assert_int_equal(symlink(to, in_folder(name)), 0);
}

static void
rename_to(const char *from, const char *to)
{
    assert_int_equal(rename(in_folder(from), in_folder(to)), 0);
}

static void
on_changed(void *owner, const char *paths)
{
    assert_ptr_equal(owner, &told);
    told++;
    (void)snprintf(told_paths, sizeof(told_paths), "%s", paths);
}

/* Names below the folder, up to NULL. */
static void
follow_these(const char *const *names)
{
    struct gw_named *list = NULL;

    for (; *names != NULL; names++) {
        gw_named_add(&list, arena, gw_arena_printf(arena, "%s/%s", folder, *names));
    }
    gw_follow_use(follow, list);
}

static void
follow_one(const char *name)
{
    follow_these((const char *const[]){name, NULL});
}

static int
set_up(void **state)
{
    (void)state;
    told = 0;
    told_paths[0] = '\0';
    arena = gw_arena_new();
    base = event_base_new();
    (void)make_folder(state);
    follow = gw_follow_new(base, on_changed, &told);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_follow_free(follow);
    event_base_free(base);
    (void)drop_folder(state);
    gw_arena_free(arena);
    gw_arena_trim();
    return 0;
}

static void
wait_for(unsigned n, const char *name)
{
    WAIT_FOR(base, told >= n);
    assert_int_equal(told, n);
    assert_string_equal(told_paths, in_folder(name));
}

/* A change that counts comes after what must not: if that had been told, there were one too many.
 */
static void
test_what_is_in_it_counts(void **state)
{
    (void)state;
    write_file(in_folder("key"), "one");
    write_file(in_folder("other"), "x");
    follow_one("key");
    write_file(in_folder("key"), "one"); /* the same again */
    write_file(in_folder("other"), "y");
    assert_int_equal(chmod(in_folder("key"), 0640), 0);
    for (int i = 0; i < 10; i++) {
        turn(base);
    }
    assert_int_equal(told, 0);
    write_file(in_folder("key"), "two");
    wait_for(1, "key");
}

static void
test_by_rename(void **state)
{
    (void)state;
    write_file(in_folder("key"), "one");
    follow_one("key");
    write_file(in_folder("key.new"), "two");
    rename_to("key.new", "key");
    wait_for(1, "key");
    write_file(in_folder("key.new"), "three");
    rename_to("key.new", "key");
    wait_for(2, "key");
}

/* kubelet: key -> ..data/key, ..data -> ..1; then ..data is replaced, and ..1 removed. */
static void
swap_data(const char *fresh, const char *stale, const char *text)
{
    make_subfolder(fresh);
    write_file(in_folder(gw_arena_printf(arena, "%s/key", fresh)), text);
    make_link(fresh, "..data_tmp");
    rename_to("..data_tmp", "..data");
    if (stale != NULL) {
        assert_int_equal(unlink(in_folder(gw_arena_printf(arena, "%s/key", stale))), 0);
        assert_int_equal(rmdir(in_folder(stale)), 0);
    }
}

static void
test_by_kubernetes(void **state)
{
    (void)state;
    swap_data("..1", NULL, "one");
    make_link("..data/key", "key");
    follow_one("key");
    swap_data("..2", "..1", "two");
    wait_for(1, "key");
    swap_data("..3", "..2", "three");
    wait_for(2, "key");
}

/* What it leads to lies elsewhere, and is written to there; then a link between is another one. */
static void
test_links(void **state)
{
    (void)state;
    make_subfolder("a");
    make_subfolder("b");
    make_subfolder("c");
    write_file(in_folder("a/key"), "one");
    write_file(in_folder("b/key"), "other");
    make_link("../a", "c/way");
    make_link("c/way/key", "key");
    follow_one("key");
    write_file(in_folder("a/key"), "two");
    wait_for(1, "key");
    make_link("../b", "c/next");
    rename_to("c/next", "c/way");
    wait_for(2, "key");
    write_file(in_folder("b/key"), "three");
    wait_for(3, "key");
}

static void
test_gone_and_back(void **state)
{
    (void)state;
    write_file(in_folder("key"), "one");
    follow_one("key");
    assert_int_equal(unlink(in_folder("key")), 0);
    wait_for(1, "key");
    write_file(in_folder("key"), "one");
    wait_for(2, "key");
}

/* Between the settings' being read and gw_follow_use(). */
static void
test_changed_meanwhile(void **state)
{
    struct gw_named *list = NULL;

    (void)state;
    write_file(in_folder("key"), "one");
    gw_named_add(&list, arena, gw_arena_printf(arena, "%s/key", folder));
    write_file(in_folder("key"), "two");
    gw_follow_use(follow, list);
    wait_for(1, "key");
}

static void
test_several(void **state)
{
    (void)state;
    write_file(in_folder("a"), "one");
    write_file(in_folder("b"), "one");
    write_file(in_folder("c"), "one");
    follow_these((const char *const[]){"a", "b", "a", "c", NULL});
    write_file(in_folder("a"), "two");
    write_file(in_folder("c"), "two");
    WAIT_FOR(base, told > 0);
    assert_string_equal(told_paths, gw_arena_printf(arena, "%s/a, %s/c", folder, folder));
    follow_one("b"); /* the others are nobody's business any more */
    write_file(in_folder("a"), "three");
    write_file(in_folder("b"), "two");
    wait_for(2, "b");
}

static void
write_on(evutil_socket_t fd, short what, void *arg)
{
    unsigned *n = arg;

    (void)fd;
    (void)what;
    write_file(in_folder("log"), ++*n % 2 == 0 ? "a" : "b");
    if (*n % 4 == 0) {
        write_file(in_folder("key"), gw_arena_printf(arena, "%u", *n));
    }
}

/* Others write all the time, and so does who writes the file itself. */
static void
test_busy(void **state)
{
    const struct timeval often = {.tv_usec = 2000};
    unsigned n = 0;

    (void)state;
    write_file(in_folder("key"), "one");
    follow_one("key");
    struct event *writer = event_new(base, -1, EV_PERSIST, write_on, &n);
    event_add(writer, &often);
    WAIT_FOR(base, told > 1);
    event_free(writer);
}

/* A pipe has nothing to read, and looking at it must not wait for it. */
static void
test_no_file(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    struct gw_file_look look = gw_file_look_at(in_folder("pipe"));
    assert_int_equal(look.error, ENOTSUP);
    look = gw_file_look_at(folder);
    assert_int_equal(look.error, ENOTSUP);
    look = gw_file_look_at(in_folder("none"));
    assert_int_equal(look.error, ENOENT);
    follow_these((const char *const[]){NULL});                   /* none at all */
    assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 1); /* nothing to wait for */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_what_is_in_it_counts),
        TEST(test_by_rename),
        TEST(test_by_kubernetes),
        TEST(test_links),
        TEST(test_gone_and_back),
        TEST(test_changed_meanwhile),
        TEST(test_several),
        TEST(test_busy),
        TEST(test_no_file),
#undef TEST
    };

    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
