/* snapshot.c - the last good state: whole, or not used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "registry/snapshot.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

static char path[128];

static int
set_up(void **state)
{
    (void)make_folder(state);
    (void)snprintf(path, sizeof(path), "%s/a/b/snapshot", folder);
    return 0;
}

static void
save(size_t n)
{
    struct gw_snapshot s = {.epoch = gw_mem_strdup("e1"),
                            .former = n == 0 ? NULL : gw_mem_strdup("e0"),
                            .revision = 77,
                            .saved_ms = 123456,
                            .orphans = n / 3};

    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "o%zu", i);
        gw_objects_add(&s.objects, config_map(name, "x\\n\\u00e4"));
    }
    assert_true(gw_snapshot_save(&s, path));
    gw_snapshot_fini(&s);
}

static enum gw_snapshot_result
load(struct gw_snapshot *s, const char *expected)
{
    struct gw_diag diag = {0};

    *s = (struct gw_snapshot){0};
    enum gw_snapshot_result result = gw_snapshot_load(s, path, &diag);
    assert_words("text", gw_diag_first(&diag), expected);
    gw_diag_fini(&diag);
    return result;
}

static void
test_none(void **state)
{
    struct gw_snapshot s;

    (void)state;
    assert_int_equal(load(&s, ""), GW_SNAPSHOT_NONE);
}

static void
test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 3000};
    struct gw_snapshot s;
    struct stat st;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        save(sizes[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600); /* it holds secrets */
        assert_int_equal(load(&s, ""), GW_SNAPSHOT_LOADED);
        assert_string_equal(s.epoch, "e1");
        assert_string_equal(s.former == NULL ? "none" : s.former, sizes[i] == 0 ? "none" : "e0");
        assert_int_equal(s.revision, 77);
        assert_int_equal(s.saved_ms, 123456);
        assert_int_equal(s.objects.n, sizes[i]);
        assert_int_equal(s.orphans, sizes[i] / 3);
        if (sizes[i] > 0) {
            assert_string_equal(value_of(s.objects.items[sizes[i] - 1]), "x\n\xc3\xa4");
        }
        gw_snapshot_fini(&s);
    }
}

/* Each byte that is changed, and each length that is cut, is found. */
static void
test_broken(void **state)
{
    struct gw_snapshot s;
    char text[2000];

    (void)state;
    save(2);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    assert_in_range(n, 200, sizeof(text) - 1);
    for (size_t i = 0; i < n * 2; i++) {
        f = fopen(path, "w");
        assert_non_null(f);
        if (i < n) {
            text[i] ^= 1;
            assert_int_equal(fwrite(text, 1, n, f), n);
            text[i] ^= 1;
        } else {
            assert_int_equal(fwrite(text, 1, i - n, f), i - n);
        }
        assert_int_equal(fclose(f), 0);
        if (load(&s, "the last state is not used") != GW_SNAPSHOT_BROKEN) {
            fail_msg("byte %zu of %zu", i, n);
        }
        assert_int_equal(s.objects.n, 0);
    }
}

/* One that is whole, but can't be ours. */
static void
test_more_lost_than_there_are(void **state)
{
    static const size_t orphans[] = {2, SIZE_MAX, (size_t)INT64_MAX, (size_t)INT64_MAX + 1};
    struct gw_snapshot s;

    (void)state;
    for (size_t i = 0; i < sizeof(orphans) / sizeof(orphans[0]); i++) {
        struct gw_snapshot bad = {.epoch = gw_mem_strdup("e1"), .orphans = orphans[i]};

        gw_objects_add(&bad.objects, config_map("a", "1"));
        assert_true(gw_snapshot_save(&bad, path));
        gw_snapshot_fini(&bad);
        assert_int_equal(load(&s, "fewer objects than it says"), GW_SNAPSHOT_BROKEN);
        assert_int_equal(s.objects.n, 0);
    }
}

/* What is refused is kept, byte for byte, whatever it is; and the next state has its place. */
static void
test_set_aside(void **state)
{
    static const char *const texts[] = {"", "ksgate-snapshot 2 5 0000\nhello",
                                        "root:x:0:0:root:/root:/bin/bash\n", "ksgate-snap"};
    struct gw_snapshot s;
    char aside[160];
    char text[64];

    (void)state;
    (void)snprintf(aside, sizeof(aside), "%s.refused", path);
    save(2); /* makes the folder */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(path, texts[i]);
        assert_int_equal(load(&s, "it is not a snapshot of this version; the file is "),
                         GW_SNAPSHOT_BROKEN);
        assert_int_equal(load(&s, ""), GW_SNAPSHOT_NONE);
        FILE *f = fopen(aside, "r");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof(text), f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(n, strlen(texts[i]));
        assert_memory_equal(text, texts[i], n);
        save(1);
        assert_int_equal(load(&s, ""), GW_SNAPSHOT_LOADED);
        gw_snapshot_fini(&s);
    }
    assert_int_equal(unlink(aside), 0);
    assert_int_equal(mkdir(aside, 0700), 0); /* in the way */
    write_file(path, "");
    assert_int_equal(load(&s, "can't be renamed"), GW_SNAPSHOT_BROKEN);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(rmdir(aside), 0);
}

static void
test_old_one_stays(void **state)
{
    struct gw_snapshot s;
    struct gw_snapshot empty = {0};

    (void)state;
    save(2);
    struct gw_buf blocked = {0};
    gw_buf_printf(&blocked, "%s.new", path);
    assert_int_equal(mkdir(blocked.p, 0700), 0);
    assert_false(gw_snapshot_save(&empty, path));
    assert_int_equal(load(&s, ""), GW_SNAPSHOT_LOADED);
    assert_int_equal(s.objects.n, 2);
    gw_snapshot_fini(&s);
    assert_int_equal(rmdir(blocked.p), 0);
    gw_buf_fini(&blocked);
}

static void
test_unreadable(void **state)
{
    struct gw_snapshot s;
    char keep[128];

    (void)state;
    memcpy(keep, path, sizeof(keep));
    memcpy(path, folder, sizeof(folder));
    assert_int_equal(load(&s, "can't be read: Is a directory"), GW_SNAPSHOT_BROKEN);
    (void)snprintf(path, sizeof(path), "%s/pipe", folder); /* into which nobody writes */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(load(&s, "can't be read: it is no regular file"), GW_SNAPSHOT_BROKEN);
    memcpy(path, keep, sizeof(path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_old_one_stays),
        cmocka_unit_test(test_more_lost_than_there_are),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_set_aside),
    };

    return cmocka_run_group_tests_name("snapshot", tests, set_up, drop_folder);
}
