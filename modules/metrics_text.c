/* metrics_text.c - what all workers counted together, as Prometheus reads it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "modules/metrics_counts.h"

/* clang-format off */
static const char *const class_names[GW_METRICS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const route_names[GW_METRICS_ROUTES] = {
    [GW_ROUTE_CORE] = "core",
    [GW_ROUTE_EXTENSIONS] = "extensions",
    [GW_ROUTE_CONSOLE] = "console",
    [GW_ROUTE_ADMIN] = "admin",
    [GW_N_ROUTES] = "none",
};
/* clang-format on */

/* The workers whose counts are added up. */
struct all {
    struct gw_buf *out;
    struct gw_metrics_counts **list;
    size_t n;
};

/* The sum of the counter that is at this place in each worker's counts. */
static unsigned long long
sum(const struct all *a, size_t at)
{
    unsigned long long total = 0;

    for (size_t i = 0; i < a->n; i++) {
        total +=
            gw_counter_read((const atomic_ullong *)(const void *)((const char *)a->list[i] + at));
    }
    return total;
}

#define AT(field) offsetof(struct gw_metrics_counts, field)

static void
family(struct gw_buf *out, const char *name, const char *type, const char *help)
{
    gw_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As a label's value: backslash, quote and line end are escaped. */
static void
put_label(struct gw_buf *out, struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') {
            gw_buf_puts(out, "\\n");
            continue;
        }
        if (s.p[i] == '\\' || s.p[i] == '"') {
            gw_buf_puts(out, "\\");
        }
        gw_buf_add(out, &s.p[i], 1);
    }
}

/* name: of an extension, or "extension\nversion". */
static void
put_extension(struct gw_buf *out, struct gw_str name)
{
    struct gw_str version = name;

    gw_buf_puts(out, "extension=\"");
    put_label(out, gw_str_cut(&version, '\n'));
    if (version.n > 0) {
        gw_buf_puts(out, "\",version=\"");
        put_label(out, version);
    }
    gw_buf_puts(out, "\"");
}

static void
put_requests(struct gw_buf *out, const char *route, struct gw_str extension,
             const unsigned long long *classes)
{
    for (unsigned k = 0; k < GW_METRICS_CLASSES; k++) {
        if (classes[k] > 0) {
            gw_buf_printf(out, "ksgate_requests_total{route=\"%s\",code=\"%s\",", route,
                          class_names[k]);
            put_extension(out, extension);
            gw_buf_printf(out, "} %llu\n", classes[k]);
        }
    }
}

static void
add_counts(struct gw_map *sums, struct gw_str name, const unsigned long long *counts)
{
    unsigned long long *all = gw_map_get(sums, name);

    if (all == NULL) {
        all = gw_mem_alloc(GW_METRICS_OF_EXTENSION * sizeof(*all));
        gw_map_put(sums, name, all);
    }
    for (unsigned k = 0; k < GW_METRICS_OF_EXTENSION; k++) {
        all[k] += counts[k];
    }
}

/* Of one worker, added to what is there under the same names. */
static void
add_extensions(struct gw_map *sums, const struct gw_metrics_counts *c)
{
    unsigned n = atomic_load_explicit(&c->n_extensions, memory_order_acquire);
    char name[GW_METRICS_NAME];
    unsigned long long counts[GW_METRICS_OF_EXTENSION];

    for (unsigned i = 0; i < n; i++) {
        if (gw_metrics_extension_read(&c->extensions[i], name, counts)) {
            add_counts(sums, gw_str_of(name), counts);
        }
    }
    if (gw_metrics_extension_read(&c->extensions[GW_METRICS_EXTENSIONS], name, counts)) {
        add_counts(sums, GW_STR("(other)"), counts);
    }
}

/* Only of those that ever had to be taken over from. */
static void
write_fallbacks(struct gw_buf *out, const struct gw_map *sums)
{
    struct gw_str name;
    void *counts = NULL;
    size_t at = 0;

    family(out, "ksgate_version_fallbacks_total", "counter",
           "Requests for a version of an extension that another one had to take over.");
    while (gw_map_next(sums, &at, &name, &counts)) {
        unsigned long long n = ((const unsigned long long *)counts)[GW_METRICS_FALLBACKS];

        if (n > 0) {
            gw_buf_puts(out, "ksgate_version_fallbacks_total{");
            put_extension(out, name);
            gw_buf_printf(out, "} %llu\n", n);
        }
    }
}

static void
write_requests(const struct all *a)
{
    struct gw_map *sums = gw_map_new();
    struct gw_str name;
    void *counts = NULL;
    size_t at = 0;

    family(
        a->out, "ksgate_requests_total", "counter",
        "Requests by route, class of status code (none: the client got none), extension and, where "
        "its spec tells them apart, version.");
    for (unsigned r = 0; r < GW_METRICS_ROUTES; r++) {
        unsigned long long of_route[GW_METRICS_CLASSES];

        for (unsigned k = 0; k < GW_METRICS_CLASSES; k++) {
            of_route[k] = sum(a, AT(route[r].requests[k]));
        }
        put_requests(a->out, route_names[r], GW_STR(""), of_route);
    }
    for (size_t i = 0; i < a->n; i++) {
        add_extensions(sums, a->list[i]);
    }
    while (gw_map_next(sums, &at, &name, &counts)) {
        put_requests(a->out, route_names[GW_ROUTE_EXTENSIONS], name, counts);
    }
    write_fallbacks(a->out, sums);
    gw_map_free(sums, free);
}

static void
write_durations(const struct all *a)
{
    const char *name = "ksgate_request_duration_seconds";

    family(a->out, name, "histogram",
           "From a request's first byte to the last of its answer, tunnels included.");
    for (unsigned r = 0; r < GW_METRICS_ROUTES; r++) {
        unsigned long long total = 0;

        for (size_t b = 0; b <= GW_METRICS_BOUNDS; b++) {
            char label[32] = "+Inf"; /* in seconds */

            if (b < GW_METRICS_BOUNDS) {
                (void)snprintf(label, sizeof(label), "%g", (double)gw_metrics_bounds[b] / 1e6);
            }
            total += sum(a, AT(route[r].slower[b]));
            gw_buf_printf(a->out, "%s_bucket{route=\"%s\",le=\"%s\"} %llu\n", name, route_names[r],
                          label, total);
        }
        gw_buf_printf(a->out, "%s_sum{route=\"%s\"} %.6f\n%s_count{route=\"%s\"} %llu\n", name,
                      route_names[r], (double)sum(a, AT(route[r].sum_us)) / 1e6, name,
                      route_names[r], total);
    }
}

static void
write_bytes(const struct all *a)
{
    family(a->out, "ksgate_received_bytes_total", "counter", "Bytes of requests' bodies.");
    for (unsigned r = 0; r < GW_METRICS_ROUTES; r++) {
        gw_buf_printf(a->out, "ksgate_received_bytes_total{route=\"%s\"} %llu\n", route_names[r],
                      sum(a, AT(route[r].received)));
    }
    family(a->out, "ksgate_sent_bytes_total", "counter", "Bytes of answers' bodies.");
    for (unsigned r = 0; r < GW_METRICS_ROUTES; r++) {
        gw_buf_printf(a->out, "ksgate_sent_bytes_total{route=\"%s\"} %llu\n", route_names[r],
                      sum(a, AT(route[r].sent)));
    }
}

static void
write_errors(const struct all *a)
{
    family(a->out, "ksgate_errors_total", "counter", "Requests that failed, by the error's name.");
    for (int e = GW_ERR_OK + 1; e < GW_METRICS_ERRORS; e++) {
        gw_buf_printf(a->out, "ksgate_errors_total{error=\"%s\"} %llu\n",
                      gw_err_name((enum gw_err)e), sum(a, AT(errors[e])));
    }
    family(a->out, "ksgate_decisions_total", "counter", "Requests that were allowed or denied.");
    gw_buf_printf(a->out,
                  "ksgate_decisions_total{decision=\"allow\"} %llu\n"
                  "ksgate_decisions_total{decision=\"deny\"} %llu\n",
                  sum(a, AT(allowed)), sum(a, AT(denied)));
}

static unsigned long long
sum_stat(struct gw_world *const *worlds, size_t n, size_t at)
{
    unsigned long long total = 0;

    for (size_t i = 0; i < n; i++) {
        const char *stats = (const char *)gw_world_stats(worlds[i]);
        total += gw_counter_read((const atomic_ullong *)(const void *)(stats + at));
    }
    return total;
}

static void
write_counter(struct gw_buf *out, struct gw_world *const *worlds, size_t n, size_t at,
              const char *name, const char *help)
{
    family(out, name, "counter", help);
    gw_buf_printf(out, "%s %llu\n", name, sum_stat(worlds, n, at));
}

/* A worker's own may be below zero for a moment: what one opened another may close. */
static void
write_gauge(struct gw_buf *out, struct gw_world *const *worlds, size_t n, size_t at,
            const char *name, const char *help)
{
    long long total = 0;

    for (size_t i = 0; i < n; i++) {
        const char *stats = (const char *)gw_world_stats(worlds[i]);
        total += atomic_load_explicit((const atomic_llong *)(const void *)(stats + at),
                                      memory_order_relaxed);
    }
    family(out, name, "gauge", help);
    gw_buf_printf(out, "%s %lld\n", name, total);
}

static void
write_tunnels(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    static const char *const ends[] = {
#define X(name) #name,
        GW_TUNNEL_ENDS(X)
#undef X
    };
    const size_t first = offsetof(struct gw_world_stats, tunnel_ends);

    family(out, "ksgate_tunnels_ended_total", "counter", "Tunnels, by how they ended.");
    for (size_t i = 0; i < GW_N_TUNNEL_ENDS; i++) {
        gw_buf_printf(out, "ksgate_tunnels_ended_total{end=\"%s\"} %llu\n", ends[i],
                      sum_stat(worlds, n, first + i * sizeof(atomic_ullong)));
    }
    family(out, "ksgate_tunnel_bytes_total", "counter", "Bytes in tunnels, from and to clients.");
    gw_buf_printf(out,
                  "ksgate_tunnel_bytes_total{direction=\"in\"} %llu\n"
                  "ksgate_tunnel_bytes_total{direction=\"out\"} %llu\n",
                  sum_stat(worlds, n, offsetof(struct gw_world_stats, tunnel_in)),
                  sum_stat(worlds, n, offsetof(struct gw_world_stats, tunnel_out)));
}

static void
write_workers(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
#define STAT(field) offsetof(struct gw_world_stats, field)
    static const struct {
        size_t at;
        const char *name, *help;
    } counters[] = {
        {STAT(accepted), "ksgate_connections_accepted_total", "Client connections accepted."},
        {STAT(refused), "ksgate_connections_refused_total",
         "Client connections over limits.connections_per_client."},
        {STAT(shed), "ksgate_connections_shed_total",
         "Client connections, idle or late, closed to make room (limits.connections, open files)."},
        {STAT(timed_out), "ksgate_connections_timed_out_total",
         "Idle client connections closed by timeouts.idle."},
        {STAT(cut), "ksgate_connections_cut_total",
         "Client connections closed since the end of an answer was not taken in time."},
        {STAT(full), "ksgate_connections_full_total",
         "Times that limits.connections was reached and none was idle."},
        {STAT(out_of_files), "ksgate_out_of_files_total",
         "Times that no file descriptor was left, for a client or a backend."},
        {STAT(backend_shed), "ksgate_backend_connections_shed_total",
         "Idle connections to backends closed to make room (open files)."},
        {STAT(dials), "ksgate_backend_dials_total", "Connections to backends begun."},
        {STAT(dial_failures), "ksgate_backend_dial_failures_total", "Of these, not made."},
        {STAT(reuses), "ksgate_backend_reuses_total", "Requests on a pooled connection."},
        {STAT(retries), "ksgate_backend_retries_total", "Requests tried again."},
        {STAT(retries_refused), "ksgate_backend_retries_refused_total",
         "Requests that were not tried again, since too many were at the moment (retry.budget)."},
        {STAT(ejections), "ksgate_endpoint_ejections_total",
         "Times that a worker left an endpoint alone, with others in its place."},
        {STAT(breaker_opens), "ksgate_endpoint_breaker_opens_total",
         "Times that a worker sent nothing to an endpoint that let requests wait in vain."},
        {STAT(spliced), "ksgate_spliced_bytes_total",
         "Bytes that went from one socket to another without being copied."},
        {STAT(pending_total), "ksgate_backend_pending_total", "Requests that had to wait."},
        {STAT(lookups), "ksgate_dns_lookups_total", "Names of backends looked up."},
        {STAT(lookup_failures), "ksgate_dns_failures_total", "Of these, without an address."},
        {STAT(watch_events), "ksgate_watch_events_total",
         "Events sent to those who watch registered objects."},
        {STAT(watches_too_slow), "ksgate_watches_too_slow_total",
         "Watches of registered objects ended by limits.watch_backlog."},
    };
    static const struct {
        size_t at;
        const char *name, *help;
    } gauges[] = {
        {STAT(connections), "ksgate_connections", "Client connections now."},
        {STAT(idle), "ksgate_connections_idle", "Of these, between two requests."},
        {STAT(requests), "ksgate_requests_active", "Requests now."},
        {STAT(tunnels), "ksgate_tunnels", "Tunnels now."},
        {STAT(backend_connections), "ksgate_backend_connections", "Backend connections now."},
        {STAT(backend_idle), "ksgate_backend_connections_idle", "Of these, in pools."},
        {STAT(ejected), "ksgate_endpoints_ejected",
         "Endpoints left alone because their requests failed, counted for each worker."},
        {STAT(pending), "ksgate_backend_pending", "Requests that wait for a backend connection."},
        {STAT(watches), "ksgate_watches", "Watches of registered objects now."},
    };
#undef STAT
    family(out, "ksgate_workers", "gauge", "Worker threads.");
    gw_buf_printf(out, "ksgate_workers %zu\n", n);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        write_counter(out, worlds, n, counters[i].at, counters[i].name, counters[i].help);
    }
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        write_gauge(out, worlds, n, gauges[i].at, gauges[i].name, gauges[i].help);
    }
}

static void
write_memory(struct gw_buf *out)
{
    static const char *const names[] = {
#define X(name) #name,
        GW_POOLS(X)
#undef X
    };

    family(out, "ksgate_memory_bytes", "gauge",
           "Memory in use, of what there may be much of; the rest of the process is not counted.");
    for (int i = 0; i < GW_N_POOLS; i++) {
        gw_buf_printf(out, "ksgate_memory_bytes{pool=\"%s\"} %lld\n", names[i],
                      gw_pool_bytes((enum gw_pool)i));
    }
}

void
gw_metrics_text(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    struct all a = {
        .out = out, .list = gw_mem_alloc(n * sizeof(struct gw_metrics_counts *)), .n = n};

    for (size_t i = 0; i < n; i++) {
        a.list[i] = gw_metrics_counts(worlds[i]);
    }
    write_requests(&a);
    write_durations(&a);
    write_bytes(&a);
    write_errors(&a);
    write_workers(out, worlds, n);
    write_tunnels(out, worlds, n);
    write_memory(out);
    free(a.list);
}
