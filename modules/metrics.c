/*
 * metrics.c - what is counted of requests, and the workers' own counts.
 *
 * Each worker counts for itself, and only it; whoever asks for /-/metrics adds up.  Names that
 * become labels are bounded: those of registered extensions, and after GW_METRICS_EXTENSIONS the
 * rest is one series.
 */
#include "modules/metrics_counts.h"

const uint64_t gw_metrics_bounds[GW_METRICS_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
};

static const char state_key;

struct gw_metrics_counts *
gw_metrics_counts(struct gw_world *w)
{
    return gw_world_state(w, &state_key, sizeof(struct gw_metrics_counts));
}

/* Makes the counts before any other thread looks for them. */
static void *
open_view(struct gw_world *world)
{
    struct gw_metrics_counts *c = gw_metrics_counts(world);

    c->world = world;
    return c;
}

static void
close_view(void *index)
{
    (void)index; /* the world's */
}

static const struct gw_view view = {
    .name = "metrics",
    .kinds = (const char *const[]){NULL},
    .open = open_view,
    .close = close_view,
};

/* ---- counting -------------------------------------------------------------------------------- */

static enum gw_verdict
count(struct gw_req *req, const void *conf)
{
    const struct gw_decision *d = &req->decision;
    struct gw_metrics_counts *c = gw_world_index(req->world, &view);
    unsigned class = d->status / 100 < GW_METRICS_CLASSES ? d->status / 100 : 0;
    size_t bound = 0;

    (void)conf;
    if (d->series.n > 0) {
        gw_counter_add(&gw_metrics_extension(c, d->series)->counts[class], 1);
    } else {
        gw_counter_add(&c->route[d->route].requests[class], 1);
    }
    if (d->wanted.n > 0) {
        gw_counter_add(&gw_metrics_extension(c, d->wanted)->counts[GW_METRICS_FALLBACKS], 1);
    }
    while (bound < GW_METRICS_BOUNDS && d->end_us > gw_metrics_bounds[bound]) {
        bound++;
    }
    gw_counter_add(&c->route[d->route].slower[bound], 1);
    gw_counter_add(&c->route[d->route].sum_us, d->end_us);
    gw_counter_add(&c->route[d->route].received, d->bytes_in);
    gw_counter_add(&c->route[d->route].sent, d->bytes_out);
    if (req->err != GW_ERR_OK) {
        gw_counter_add(&c->errors[req->err], 1);
    }
    if (d->allowed != GW_UNDECIDED) {
        gw_counter_add(d->allowed == GW_ALLOWED ? &c->allowed : &c->denied, 1);
    }
    return GW_NEXT;
}

static void
stop(struct gw_world *world)
{
    gw_wheel_cancel(&gw_metrics_counts(world)->sweep);
}

const struct gw_module gw_mod_metrics = {
    .name = "metrics",
    .about = "Counts requests by route, status, extension and error, for Prometheus.",
    .routes = GW_ON_ALL,
    .views = (const struct gw_view *const[]){&view, NULL},
    .on = {[GW_LOG] = count},
    .stop = stop,
    .metrics = gw_metrics_text,
};
