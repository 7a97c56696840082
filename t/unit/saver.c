/* saver.c - how often snapshots are written: often, and of very many objects less so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "registry/saver.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

#define SMALL   3
#define LARGE   100000 /* no machine writes them in 10 ms */
#define LEAST   1000
#define LONGEST 60000

static char path[128];

static int
set_up(void **state)
{
    (void)make_folder(state);
    (void)snprintf(path, sizeof(path), "%s/snapshot", folder);
    return 0;
}

static struct gw_snapshot
snapshot_of(size_t n)
{
    struct gw_snapshot s = {.epoch = gw_mem_strdup("e1"), .revision = n, .saved_ms = 1};
    struct gw_object *o = config_map("o", "x");

    for (size_t i = 0; i < n; i++) {
        gw_objects_add(&s.objects, gw_object_ref(o));
    }
    gw_object_unref(o);
    return s;
}

static void
save(struct gw_saver *s, struct event_base *base, size_t n)
{
    struct gw_snapshot snapshot = snapshot_of(n);

    gw_saver_save(s, &snapshot);
    assert_true(gw_saver_is_busy(s));
    assert_in_range(gw_saver_rest_ms(s), LEAST,
                    LONGEST); /* nobody asks again at once, all the while */
    while (gw_saver_is_busy(s)) {
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    }
}

static size_t
saved(void)
{
    struct gw_snapshot s = {0};
    struct gw_diag diag = {0};

    assert_int_equal(gw_snapshot_load(&s, path, &diag), GW_SNAPSHOT_LOADED);
    size_t n = s.objects.n;
    gw_snapshot_fini(&s);
    gw_diag_fini(&diag);
    return n;
}

/* Where there is none, the first one does not wait: until it is there, a gateway that is killed
 * knows nothing when it starts again. */
static void
test_first(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_saver *s;

    (void)state;
    (void)unlink(path);
    s = gw_saver_open(path, base, NULL, NULL);
    assert_int_equal(gw_saver_rest_ms(s), 0);
    save(s, base, SMALL);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    gw_saver_close(s, NULL);
    s = gw_saver_open(path, base, NULL, NULL);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    gw_saver_close(s, NULL);
    event_base_free(base);
}

/* The rest is that of the last one: a registry that has become small is saved often again. */
static void
test_rests(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_saver *s = gw_saver_open(path, base, NULL, NULL);

    (void)state;
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    save(s, base, SMALL);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    save(s, base, LARGE);
    assert_in_range(gw_saver_rest_ms(s), LEAST + 1, LONGEST);
    assert_int_equal(saved(), LARGE);
    save(s, base, SMALL);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    gw_saver_close(s, NULL);
    event_base_free(base);
}

/* While one is being written, the rest is that of the one before; and the last one is written at
 * once. */
static void
test_last(void **state)
{
    struct event_base *base = event_base_new();
    struct gw_saver *s = gw_saver_open(path, base, NULL, NULL);
    struct gw_snapshot large = snapshot_of(LARGE);
    struct gw_snapshot last = snapshot_of(SMALL);

    (void)state;
    gw_saver_save(s, &large);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    gw_saver_close(s, &last);
    assert_int_equal(saved(), SMALL);
    event_base_free(base);
}

static void
count(void *owner)
{
    ++*(unsigned *)owner;
}

/* The owner is told, so that it tries again although nothing changes; but not as often as else. */
static void
test_fails(void **state)
{
    struct event_base *base = event_base_new();
    unsigned failures = 0;
    char aside[160];

    (void)state;
    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    struct gw_saver *s = gw_saver_open(path, base, count, &failures);
    assert_int_equal(mkdir(aside, 0700), 0); /* in the way */
    save(s, base, SMALL);
    assert_int_equal(failures, 1);
    assert_in_range(gw_saver_rest_ms(s), LEAST + 1, LONGEST);
    assert_int_equal(rmdir(aside), 0);
    save(s, base, SMALL);
    assert_int_equal(failures, 1);
    assert_int_equal(gw_saver_rest_ms(s), LEAST);
    gw_saver_close(s, NULL);
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_fails),
    };

    return cmocka_run_group_tests(tests, set_up, drop_folder);
}
