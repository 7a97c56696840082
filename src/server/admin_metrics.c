/* admin_metrics.c - /-/metrics: what the modules count, and what the server knows of itself. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/admin.h"
#include "gateway/targets.h"
#include "server/admin_errand.h"
#include "server/admin_health.h"
#include "server/admin_sight.h"

static uint64_t started_ms; /* wall clock */
static atomic_ullong reloads_ok, reloads_failed;
static char *outdated; /* why the last reload has failed; NULL: it has not */
static pthread_mutex_t outdated_lock = PTHREAD_MUTEX_INITIALIZER;

void
gw_admin_init(void)
{
    started_ms = gw_clock_wall_ms();
    gw_admin_set(gw_admin_step);
}

void
gw_admin_reloaded(const char *why)
{
    (void)atomic_fetch_add_explicit(why == NULL ? &reloads_ok : &reloads_failed, 1,
                                    memory_order_relaxed);
    pthread_mutex_lock(&outdated_lock);
    free(outdated);
    outdated = gw_mem_strdup(why);
    pthread_mutex_unlock(&outdated_lock);
}

bool
gw_admin_is_outdated(char **why)
{
    pthread_mutex_lock(&outdated_lock);
    bool is = outdated != NULL;
    if (why != NULL) {
        *why = gw_mem_strdup(outdated);
    }
    pthread_mutex_unlock(&outdated_lock);
    return is;
}

static void
store_metrics(struct gw_buf *out, const struct gw_sync_status *status)
{
    gw_buf_printf(
        out,
        "# HELP ksgate_registry_reachable 1 while the store answers, and does all it is "
        "asked to.\n"
        "# TYPE ksgate_registry_reachable gauge\n"
        "ksgate_registry_reachable %d\n"
        "# HELP ksgate_registry_reconnects_total Connections to Redis beyond the first "
        "ones.\n"
        "# TYPE ksgate_registry_reconnects_total counter\n"
        "ksgate_registry_reconnects_total %llu\n"
        "# HELP ksgate_registry_quarantined What the registry's store holds that can't be used "
        "and is left alone (of a file: when it was last listed).\n"
        "# TYPE ksgate_registry_quarantined gauge\n"
        "ksgate_registry_quarantined %zu\n"
        "# HELP ksgate_registry_gateways Gateways that share the registry and live, as this one "
        "has heard in Redis, itself included (of a file: 1).\n"
        "# TYPE ksgate_registry_gateways gauge\n"
        "ksgate_registry_gateways %zu\n"
        "# HELP ksgate_registry_writes_refused_total Writes that the registry's store itself has "
        "refused: it is full, for example.\n"
        "# TYPE ksgate_registry_writes_refused_total counter\n"
        "ksgate_registry_writes_refused_total %llu\n",
        status->reachable, status->store.reconnects, status->store.quarantined,
        status->store.gateway[0] == '\0' ? 1 : status->store.gateways, status->store.refused);
    if (status->store.n_lists > 0) {
        gw_buf_puts(
            out,
            "# HELP ksgate_registry_lists_total How often all objects were read from Redis, by "
            "the reason.\n"
            "# TYPE ksgate_registry_lists_total counter\n");
    }
    for (size_t i = 0; i < status->store.n_lists; i++) {
        gw_buf_printf(out, "ksgate_registry_lists_total{reason=\"%s\"} %llu\n",
                      status->store.lists[i].why, status->store.lists[i].n);
    }
    uint64_t as_of_ms = gw_admin_registry_as_of_ms(status);
    if (as_of_ms > 0) {
        gw_buf_printf(out,
                      "# HELP ksgate_registry_heard_seconds When Redis last said that there is "
                      "nothing newer; before it has, when the state from disk was saved.\n"
                      "# TYPE ksgate_registry_heard_seconds gauge\n"
                      "ksgate_registry_heard_seconds %.3f\n",
                      (double)as_of_ms / 1000);
    }
}

static void
live_metrics(struct gw_buf *out)
{
    struct gw_control_live live;

    gw_control_live(&live);
    gw_buf_printf(out,
                  "# HELP ksgate_registry_live_revision The last revision that every worker has "
                  "applied.\n"
                  "# TYPE ksgate_registry_live_revision gauge\n"
                  "ksgate_registry_live_revision %llu\n"
                  "# HELP ksgate_registry_checksum Of all objects that every worker routes by: "
                  "gateways that have the same ones have the same number.\n"
                  "# TYPE ksgate_registry_checksum gauge\n"
                  "ksgate_registry_checksum %llu\n",
                  (unsigned long long)live.revision, (unsigned long long)gw_sum_number(&live.sum));
}

static void
registry_metrics(struct gw_buf *out)
{
    static const char *const states[] = {"starting", "stale", "empty", "fresh", NULL};
    struct gw_sync_status status;
    const char *now;

    gw_control_registry_status(&status);
    now = gw_admin_registry_state(&status);
    gw_buf_puts(out, "# HELP ksgate_registry_state 1 for the state that the registry is in.\n"
                     "# TYPE ksgate_registry_state gauge\n");
    for (const char *const *s = states; *s != NULL; s++) {
        gw_buf_printf(out, "ksgate_registry_state{state=\"%s\"} %d\n", *s, strcmp(*s, now) == 0);
    }
    gw_buf_printf(out,
                  "# HELP ksgate_registry_state_since_seconds When that state began.\n"
                  "# TYPE ksgate_registry_state_since_seconds gauge\n"
                  "ksgate_registry_state_since_seconds %.3f\n"
                  "# HELP ksgate_registry_revision The last revision that was applied.\n"
                  "# TYPE ksgate_registry_revision gauge\n"
                  "ksgate_registry_revision %llu\n"
                  "# HELP ksgate_registry_objects How many objects are registered.\n"
                  "# TYPE ksgate_registry_objects gauge\n"
                  "ksgate_registry_objects %zu\n"
                  "# HELP ksgate_registry_objects_flawed How many of them are not used, or not as "
                  "they are written: their status says why.\n"
                  "# TYPE ksgate_registry_objects_flawed gauge\n"
                  "ksgate_registry_objects_flawed %u\n",
                  (double)status.since_ms / 1000, (unsigned long long)status.revision,
                  status.objects, gw_object_flaws());
    live_metrics(out);
    store_metrics(out, &status);
}

static void
server_metrics(struct gw_buf *out)
{
    gw_buf_printf(out,
                  "# HELP ksgate_build_info The version that runs.\n"
                  "# TYPE ksgate_build_info gauge\n"
                  "ksgate_build_info{version=\"%s\"} 1\n"
                  "# HELP ksgate_start_time_seconds When the server process began.\n"
                  "# TYPE ksgate_start_time_seconds gauge\n"
                  "ksgate_start_time_seconds %.3f\n"
                  "# HELP ksgate_config_reloads_total Reloads of the configuration.\n"
                  "# TYPE ksgate_config_reloads_total counter\n"
                  "ksgate_config_reloads_total{result=\"ok\"} %llu\n"
                  "ksgate_config_reloads_total{result=\"failed\"} %llu\n"
                  "# HELP ksgate_config_outdated 1 while the last reload has failed, and what was "
                  "loaded before it is in force.\n"
                  "# TYPE ksgate_config_outdated gauge\n"
                  "ksgate_config_outdated %d\n",
                  PACKAGE_VERSION, (double)started_ms / 1000,
                  atomic_load_explicit(&reloads_ok, memory_order_relaxed),
                  atomic_load_explicit(&reloads_failed, memory_order_relaxed),
                  gw_admin_is_outdated(NULL));
}

enum gw_verdict
gw_admin_metrics(struct gw_admin_call *call)
{
    struct gw_buf out = {0};
    size_t n = 0;
    struct gw_world *const *worlds = gw_world_all(call->req->world, &n);

    server_metrics(&out);
    registry_metrics(&out);
    gw_targets_metrics(&out);
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        if ((*m)->metrics != NULL) {
            (*m)->metrics(&out, worlds, n);
        }
    }
    gw_admin_sight_metrics(call, &out);
    gw_arena_defer(call->req->arena, free, out.p);
    return gw_req_reply(call->req, 200, GW_STR("text/plain; version=0.0.4; charset=utf-8"),
                        gw_buf_text(&out));
}
