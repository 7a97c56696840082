/*
 * snapshot.h - the last good state on disk.
 *
 * One text file: a line that names the format, the length and the XXH3-64 of what follows; a
 * line with epoch, revision, time and how many are orphans; one line of JSON for each object.  It
 * is written beside the old one, synced and renamed, so that there is a whole one at any moment.
 */
#ifndef GW_REGISTRY_SNAPSHOT_H
#define GW_REGISTRY_SNAPSHOT_H

#include "registry/files.h"

/* Start with {0}. */
struct gw_snapshot {
    char *epoch;  /* owned */
    char *former; /* the same; epoch of the store before; NULL: there was none */
    uint64_t revision;
    uint64_t saved_ms; /* wall clock */
    struct gw_objects objects;
    size_t orphans; /* the first so many of them (known.h) */
};

/* GW_SNAPSHOT_BROKEN: the diag says why, and nothing of the file is used.  If it could be read, it
 * is "PATH.refused" now: the next state that is saved would replace what somebody may want to look
 * at, or what is another program's. */
enum gw_snapshot_result {
    GW_SNAPSHOT_LOADED,
    GW_SNAPSHOT_NONE,
    GW_SNAPSHOT_BROKEN
};

enum gw_snapshot_result gw_snapshot_load(struct gw_snapshot *s, const char *path,
                                         struct gw_diag *diag);

/* Any thread: objects are immutable.  Makes the folder when it is missing.  False and errno. */
bool gw_snapshot_save(const struct gw_snapshot *s, const char *path);

void gw_snapshot_fini(struct gw_snapshot *s);

/* Makes the folder of a file, and those above it, with mode 0750.  False and errno. */
bool gw_snapshot_folder(const char *path);

#endif
