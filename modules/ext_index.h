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

struct gw_ext_route {
    unsigned refs;
    struct gw_world *world;             /* borrowed: it outlives its requests */
    const struct gw_ext_piece *service; /* a reference */
    struct gw_endpoint **endpoints;     /* a reference each */
    unsigned *weights;                  /* one each; NULL: all alike */
    unsigned n_endpoints;
    unsigned max_connections, max_pending; /* this worker's shares */
    long long *turns; /* of the policy round_robin, one each; NULL: of another */
};

extern const struct gw_view gw_ext_view;

/* Borrowed until the next change; NULL: no such extension. */
struct gw_ext_route *gw_ext_index_find(const struct gw_world *world, struct gw_str name);

void gw_ext_route_unref(struct gw_ext_route *r); /* NULL is fine */

#endif
