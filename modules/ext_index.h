/*
 * ext_index.h - one worker's extensions and their backends.
 *
 * What a request needs stands ready in a gw_ext_route, made when something of the extension
 * changes.  It is counted: a request keeps the one it found until it ends, and with it the
 * endpoints that it may still be tried on.  One thread.
 */
#ifndef GW_MODULES_EXT_INDEX_H
#define GW_MODULES_EXT_INDEX_H

#include "modules/ext_spec.h"

struct gw_split;

#define GW_EXT_PREFIX "/extensions/"

struct gw_ext_registered;

/* One piece of memory, and a short one: with 100 000 of them each cache line counts. */
struct gw_ext_route {
    unsigned refs;
    unsigned n_endpoints;
    unsigned max_connections, max_pending; /* this worker's shares */
    struct gw_str name;                    /* what stands before it is GW_EXT_PREFIX */
    const struct gw_ext_spec *spec;        /* NULL: only backends are there so far */
    struct gw_world *world;                /* borrowed: it outlives its requests */
    unsigned *weights;                     /* one each; NULL: all alike */
    long long *turns;               /* of the policy round_robin, one each; NULL: of another */
    struct gw_split *split;         /* its versions (ext_sides.h); NULL: none are told apart */
    struct gw_ext_service *service; /* a reference; NULL: see spec */
    struct gw_ext_registered *registered; /* the index's */
    struct gw_endpoint *endpoints[];      /* a reference each */
};

/* "/extensions/name" */
static inline struct gw_str
gw_ext_route_prefix(const struct gw_ext_route *r)
{
    size_t n = sizeof(GW_EXT_PREFIX) - 1;

    return (struct gw_str){r->name.p - n, r->name.n + n};
}

extern const struct gw_view gw_ext_view;

/* Borrowed until the next change; NULL: no such extension. */
struct gw_ext_route *gw_ext_index_find(const struct gw_world *world, struct gw_str name);

/* For whom it is, also while it can't be used: NULL, it is not there. */
const struct gw_ext_audience *gw_ext_index_audience(const struct gw_world *world,
                                                    struct gw_str name);

/* The backend that registered itself under this key ("ksgate.io/Endpoint//name"); NULL: none.
 * Borrowed until the next change. */
const struct gw_ext_backend *gw_ext_index_backend(const struct gw_world *world, const char *key);

/* Are there any that not everybody may know of? */
bool gw_ext_index_has_restricted(const struct gw_world *world);

void gw_ext_route_unref(struct gw_ext_route *r); /* NULL is fine */

#endif
