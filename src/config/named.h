/*
 * named.h - files that settings name (gw_set_file), and what was in them when the setting was read.
 *
 * So that a change is seen whatever it was done by: a rename, a write in place, another link on the
 * way, as Kubernetes does it, or other rights.
 */
#ifndef GW_CONFIG_NAMED_H
#define GW_CONFIG_NAMED_H

#include "base/arena.h"

/* A keyed hash of a file's bytes; or why they can't be read. */
struct gw_file_look {
    uint64_t hash[2];
    int error; /* an errno; 0: it was read */
};

struct gw_named {
    struct gw_named *next;
    const char *path;
    struct gw_file_look look;
};

/* Reads it: 1 MiB of it at most, and nothing but a file. */
struct gw_file_look gw_file_look_at(const char *path);

static inline bool
gw_file_looks_same(const struct gw_file_look *a, const struct gw_file_look *b)
{
    return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1] && a->error == b->error;
}

/* Before whoever needs the file reads it: then no change in between is missed.  The path is
 * borrowed; each stands in the list once. */
void gw_named_add(struct gw_named **list, struct gw_arena *a, const char *path);

#endif
