/*
 * folder.h - a folder of a test program's own, empty at first, in which it writes files, and which
 * is gone at its end.  Who has several makes and removes them one by one.
 */
#ifndef GW_T_FOLDER_H
#define GW_T_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* An empty folder; its name is good until the next call. */
static inline const char *
temp_folder(void)
{
    static char name[64];

    (void)snprintf(name, sizeof(name), "/tmp/ksgate-unit-XXXXXX");
    assert_non_null(mkdtemp(name));
    return name;
}

/* With all that is in it. */
static inline void
remove_folder(const char *name)
{
    struct gw_buf command = {0};

    assert_true(strncmp(name, "/tmp/ksgate-unit-", 17) == 0);
    gw_buf_printf(&command, "rm -rf '%s'", name);
    assert_int_equal(system(command.p), 0);
    gw_buf_fini(&command);
}

static inline void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The one folder of a group, or of each of its tests, between these two. */
static char folder[64];

static inline int
make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s", temp_folder());
    return 0;
}

static inline int
drop_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* The path of that name below it; good until some more were asked for. */
static inline const char *
in_folder(const char *name)
{
    static char paths[8][160];
    static unsigned n;
    char *path = paths[n++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

#endif
