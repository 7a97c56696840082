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
    /* of an extension or version: its requests by class, and those that others have taken over */
    GW_METRICS_FALLBACKS = GW_METRICS_CLASSES,
    GW_METRICS_OF_EXTENSION,
};

enum {
#define X(name, status, reason, text) GW_METRICS_ERROR_##name,
    GW_ERRORS(X)
#undef X
    GW_METRICS_ERRORS
};

struct gw_metrics_extension {
    atomic_uint version;      /* odd: nobody's */
    unsigned short next_free; /* the worker's own: index + 1; 0: none */
    union {
        atomic_char shared[GW_METRICS_NAME];
        char own[GW_METRICS_NAME]; /* for the worker, who alone writes it */
    } name;
    atomic_ullong counts[GW_METRICS_OF_EXTENSION];
};

/* One worker's.  It owns nothing: it is given back as it is. */
struct gw_metrics_counts {
    struct gw_world *world;
    struct gw_timer sweep; /* looks for extensions that are gone */
    struct gw_metrics_route {
        atomic_ullong requests[GW_METRICS_CLASSES]; /* without those of an extension */
        atomic_ullong received, sent;
        atomic_ullong slower[GW_METRICS_BOUNDS + 1]; /* durations by their bucket */
        atomic_ullong sum_us;
    } route[GW_METRICS_ROUTES];
    atomic_ullong errors[GW_METRICS_ERRORS];
    atomic_ullong allowed, denied;
    struct gw_metrics_place {
        unsigned short index;    /* + 1; 0: free */
        unsigned short tag;      /* of its name's hash: others need not be compared */
    } places[GW_METRICS_PLACES]; /* the worker's own */
    unsigned short free;         /* the first of the free ones: index + 1; 0: none */
    unsigned n_live;
    atomic_uint n_extensions; /* so many places have been used, at least once */
    struct gw_metrics_extension extensions[GW_METRICS_EXTENSIONS + 1]; /* the last: all others */
};

/* The upper bounds of the buckets, in microseconds. */
extern const uint64_t gw_metrics_bounds[GW_METRICS_BOUNDS];

struct gw_metrics_counts *gw_metrics_counts(struct gw_world *w);

/* The counts of the registered extension of this name, or of one of its versions ("name\nversion",
 * split.h); of all others, when there are too many, or
 * it is no longer registered.  The worker only. */
struct gw_metrics_extension *gw_metrics_extension(struct gw_metrics_counts *c, struct gw_str name);
/* Anyone.  False: it is nobody's, or changes hands just now. */
bool gw_metrics_extension_read(const struct gw_metrics_extension *x, char name[GW_METRICS_NAME],
                               unsigned long long counts[GW_METRICS_OF_EXTENSION]);

/* The module's share of /-/metrics. */
void gw_metrics_text(struct gw_buf *out, struct gw_world *const *worlds, size_t n);

#endif
