/*
 * copy.h - all objects of one store into another: from a file to Redis, and back.
 *
 * What the other store has already is compared first.  Unless it may be replaced, one object that
 * differs is enough for nothing to be written.  Each write is conditional on what was compared, so
 * nobody's change in the meantime is lost: it is counted, and a second run shows it.  Names, uids
 * and times of creation stay; revisions are the other store's own.  Leases begin anew.
 */
#ifndef GW_REGISTRY_COPY_H
#define GW_REGISTRY_COPY_H

#include "base/map.h"
#include "registry/files.h"
#include "registry/place.h"

struct gw_copy_options {
    bool replace;         /* objects that differ */
    bool prune;           /* delete what the source does not have; not with the next one */
    bool skip_unreadable; /* of the source; else any of it is enough for nothing to be written */
    bool dry_run;
};

enum gw_copy_op {
    GW_COPY_CREATE,
    GW_COPY_REPLACE,
    GW_COPY_DELETE,
    GW_COPY_SAME,
    GW_COPY_N
};

struct gw_copy {
    struct gw_copy_options options;
    const struct gw_place_of_store *from, *to;
    size_t n[GW_COPY_N];     /* objects; written (dry run: that would be) */
    size_t differ;           /* and may not be replaced */
    size_t extra;            /* the source does not have, and which may stay */
    size_t failed;           /* were changed meanwhile, or could not be written */
    char first_failure[400]; /* names it, and says why */
    struct gw_buf names;     /* of those that differ, a line each, the first ten */
};

/* Runs an event loop of its own until all is done.  False: see diag; what was written before is in
 * n[].  Start c with {.options}; gw_copy_fini() in either case. */
bool gw_copy_run(struct gw_copy *c, const struct gw_place_of_store *from,
                 const struct gw_place_of_store *to, struct gw_diag *diag);
void gw_copy_fini(struct gw_copy *c);

#endif
