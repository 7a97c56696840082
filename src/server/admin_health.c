/* admin_health.c - alive, ready, version, reload. */
#include "server/admin_health.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/conf.h"
#include "modules/jwt_status.h"
#include "server/admin_errand.h"
#include "server/admin_sight.h"

enum gw_verdict
gw_admin_healthz(struct gw_admin_call *call)
{
    return gw_req_reply(call->req, 200, GW_STR("text/plain; charset=utf-8"), GW_STR("ok\n"));
}

/* "empty" is a state of its own: a registry that is known and holds nothing, on purpose. */
const char *
gw_admin_registry_state(const struct gw_sync_status *status)
{
    switch (status->state) {
    case GW_SYNC_STARTING:
        return "starting";
    case GW_SYNC_STALE:
        return "stale";
    case GW_SYNC_FRESH:
        return status->objects == 0 ? "empty" : "fresh";
    }
    return "starting";
}

uint64_t
gw_admin_registry_as_of_ms(const struct gw_sync_status *status)
{
    bool is_redis = status->store.n_lists > 0;

    if (!is_redis || status->store.heard_ms > 0) {
        return status->store.heard_ms;
    }
    return status->state == GW_SYNC_STARTING ? 0 : status->loaded_ms;
}

/* Those that share the store, as this one has heard of them. */
static json_t *
gateways_json(const struct gw_store_status *store)
{
    json_t *list = json_array();

    for (size_t i = 0; i < store->n_fleet; i++) {
        const struct gw_fleet_member *m = &store->fleet[i];
        struct gw_buf since = {0};
        struct gw_buf heard = {0};

        gw_clock_rfc3339(&since, m->since_ms);
        gw_clock_rfc3339(&heard, m->heard_ms);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:b, s:b, s:I, s:s, s:s}", "id", m->id, "self",
                            strcmp(m->id, store->gateway) == 0, "live", store->lives[i], "revision",
                            (json_int_t)m->revision, "since", since.p, "heard", heard.p));
        gw_buf_fini(&since);
        gw_buf_fini(&heard);
    }
    return list;
}

static void
add_as_of(json_t *registry, uint64_t wall_ms)
{
    struct gw_buf as_of = {0};

    if (wall_ms > 0) {
        gw_clock_rfc3339(&as_of, wall_ms);
        (void)json_object_set_new(registry, "asOf", json_string(as_of.p));
    }
    gw_buf_fini(&as_of);
}

/* Why it is stale may name hosts, and how much there is tells one tenant of the others. */
static json_t *
registry_json(const struct gw_sync_status *status, bool is_operator)
{
    struct gw_buf since = {0};
    json_t *json;

    gw_clock_rfc3339(&since, status->since_ms);
    json = json_pack("{s:s, s:s}", "state", gw_admin_registry_state(status), "since", since.p);
    if (status->state == GW_SYNC_STALE) {
        add_as_of(json, gw_admin_registry_as_of_ms(status));
    }
    if (is_operator) {
        struct gw_control_live live;
        char sum[GW_SUM_TEXT];

        gw_control_live(&live);
        gw_sum_text(&live.sum, sum);
        (void)json_object_set_new(
            json, "live",
            json_pack("{s:I, s:s}", "revision", (json_int_t)live.revision, "checksum", sum));
        (void)json_object_set_new(json, "revision", json_integer((json_int_t)status->revision));
        (void)json_object_set_new(json, "objects", json_integer((json_int_t)status->objects));
        if (status->store.gateway[0] != '\0') {
            (void)json_object_set_new(json, "gateways", gateways_json(&status->store));
        }
        if (status->store.fleet_trouble[0] != '\0') {
            (void)json_object_set_new(json, "gatewaysUnknown",
                                      json_string(status->store.fleet_trouble));
        }
    }
    if (is_operator && status->store.refused_for[0] != '\0') {
        struct gw_buf at = {0};

        gw_clock_rfc3339(&at, status->store.refused_ms);
        (void)json_object_set_new(
            json, "writesRefused",
            json_pack("{s:s, s:s}", "at", at.p, "reason", status->store.refused_for));
        gw_buf_fini(&at);
    }
    if (is_operator && status->text[0] != '\0') {
        (void)json_object_set_new(json, "reason", json_string(status->text));
    }
    gw_buf_fini(&since);
    return json;
}

/* What is in the files now can't be used: it is served by what was there before. */
static json_t *
config_json(const struct gw_conf *conf, bool is_operator)
{
    char *why = NULL;
    json_t *json = json_pack("{s:s}", "state", gw_admin_is_outdated(&why) ? "outdated" : "loaded");

    if (is_operator && conf != NULL && conf->file != NULL) {
        (void)json_object_set_new(json, "file", json_string(conf->file));
    }
    if (is_operator && why != NULL) {
        (void)json_object_set_new(json, "reason", json_string(why));
    }
    free(why);
    return json;
}

/* When every worker has what is registered: the registry is known to the control thread before.
 * One that is stale is served from: that is no reason to get no requests. */
enum gw_verdict
gw_admin_readyz(struct gw_admin_call *call)
{
    const struct gw_conf *conf = call->req->snapshot;
    struct gw_sync_status status;
    struct gw_control_live live;
    size_t workers = 0;
    bool is_operator = gw_admin_is_operator(call);

    gw_control_registry_status(&status);
    (void)gw_world_all(call->req->world, &workers);
    gw_control_live(&live);
    json_t *json = json_pack("{s:b, s:o, s:o, s:I}", "ready", live.known, "config",
                             config_json(conf, is_operator), "registry",
                             registry_json(&status, is_operator), "workers", (json_int_t)workers);
    json_t *keys = gw_jwt_status_json(is_operator);
    if (keys != NULL) { /* an issuer without keys is told, but others' tokens can be judged */
        (void)json_object_set_new(json, "keys", keys);
    }
    return gw_admin_json(call->req, live.known ? 200 : 503, json);
}

enum gw_verdict
gw_admin_version(struct gw_admin_call *call)
{
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:s, s:s}", "name", "ksgate", "version", PACKAGE_VERSION,
                                   "gitVersion", "v" PACKAGE_VERSION));
}

/* Control.  What was found goes home as text. */
static void
reload_there(struct gw_errand *e)
{
    struct gw_diag diag = {0};
    struct gw_buf text = {0};

    e->created = gw_control_reload(e->control, &diag);
    gw_diag_format(&diag, &text);
    gw_diag_fini(&diag);
    e->text = text.p; /* owned by e now */
    gw_errand_return(e);
}

static enum gw_verdict
answer_reload(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_str rest = gw_str_trim(gw_str_of(e->text));
    json_t *findings;

    if (!e->created) {
        return gw_admin_refuse(call, GW_ERR_BAD_OBJECT,
                               "the configuration is wrong; the one of before stays in use:\n%.*s",
                               GW_STR_ARG(rest));
    }
    findings = json_array();
    while (rest.n > 0) {
        struct gw_str line = gw_str_cut(&rest, '\n');

        if (line.n > 0) {
            (void)json_array_append_new(findings, json_stringn(line.p, line.n));
        }
    }
    return gw_admin_json(call->req, 200,
                         json_pack("{s:b, s:o}", "reloaded", 1, "warnings", findings));
}

enum gw_verdict
gw_admin_reload(struct gw_admin_call *call)
{
    if (gw_admin_query(call, "dryRun").n > 0) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "reload has no dryRun; `ksgate check FILE` checks a configuration "
                               "without using it");
    }
    return gw_errand_send(gw_errand_new(call, reload_there, answer_reload));
}
