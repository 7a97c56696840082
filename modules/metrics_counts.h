/*
 * metrics_counts.h - what each worker counts of its requests.
 *
 * Written by the worker alone, without a lock; read by whoever answers /-/metrics.
 */
#ifndef GW_MODULES_METRICS_COUNTS_H
#define GW_MODULES_METRICS_COUNTS_H

#include "gateway/module.h"
#include "modules/counter.h"

#define GW_METRICS_EXTENSIONS 1000 /* with a series of their own, per worker */
#define GW_METRICS_PLACES     2048 /* of the table that finds them; a power of two */
#define GW_METRICS_NAME       256  /* bytes of a name, with its end */
#define GW_METRICS_BOUNDS     14   /* of durations */

enum {
    GW_METRICS_ROUTES = GW_N_ROUTES + 1, /* the last: refused before a route was found */
    GW_METRICS_CLASSES = 6,              /* of status codes; 0: the client got none */
};

enum {
#define X(name, status, reason, text) GW_METRICS_ERROR_##name,
    GW_ERRORS(X)
#undef X
    GW_METRICS_ERRORS
};

struct gw_metrics_extension {
    char name[GW_METRICS_NAME]; /* written before n_extensions says that it is there */
    atomic_ullong requests[GW_METRICS_CLASSES];
};

/* One worker's.  No pointers: it is given back as it is. */
struct gw_metrics_counts {
    struct gw_metrics_route {
        atomic_ullong requests[GW_METRICS_CLASSES]; /* without those of an extension */
        atomic_ullong received, sent;
        atomic_ullong slower[GW_METRICS_BOUNDS + 1]; /* durations by their bucket */
        atomic_ullong sum_us;
    } route[GW_METRICS_ROUTES];
    atomic_ullong errors[GW_METRICS_ERRORS];
    atomic_ullong allowed, denied;
    unsigned short places[GW_METRICS_PLACES]; /* the worker's own: index + 1; 0: free */
    atomic_uint n_extensions;
    struct gw_metrics_extension extensions[GW_METRICS_EXTENSIONS + 1]; /* the last: all others */
};

/* The upper bounds of the buckets, in microseconds. */
extern const uint64_t gw_metrics_bounds[GW_METRICS_BOUNDS];

struct gw_metrics_counts *gw_metrics_counts(struct gw_world *w);

/* The module's share of /-/metrics. */
void gw_metrics_text(struct gw_buf *out, struct gw_world *const *worlds, size_t n);

#endif
