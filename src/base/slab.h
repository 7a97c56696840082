/*
 * slab.h - small objects of one kind, close together.
 *
 * What is touched for each message of thousands of connections (a session, a connection to a
 * backend, a tunnel) shares pages and begins with a cache line.  From malloc() each would have a
 * page of its own, between the blocks of the requests, and where a page is costs more to find than
 * its bytes cost to read.
 *
 * One thread.  A chunk of which nothing is in use is given back, but for one.
 */
#ifndef GW_BASE_SLAB_H
#define GW_BASE_SLAB_H

#include <stddef.h>

#define GW_SLAB_ALIGN ((size_t)64)
#define GW_SLAB_MAX   ((size_t)1024) /* bytes of an object */

struct gw_slab_chunk;

struct gw_slab {
    size_t size;                /* of an object, rounded up */
    struct gw_slab_chunk *open; /* those that have room, in no order */
};

/* size: 1 to GW_SLAB_MAX. */
void gw_slab_init(struct gw_slab *s, size_t size);

/* Zeroed.  Never NULL. */
void *gw_slab_take(struct gw_slab *s);
void gw_slab_give(struct gw_slab *s, void *p);

/* All were given back. */
void gw_slab_fini(struct gw_slab *s);

#endif
