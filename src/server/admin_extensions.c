/* admin_extensions.c - every extension with its state, version, backends and entries. */
#include "modules/ext_kube.h"
#include "server/admin_errand.h"
#include "server/admin_sight.h"
#include "server/admin_versions.h"
#include "server/endpoint_status.h"
#include "server/extension_parts.h"
#include "server/extension_state.h"

static void
collect(struct gw_errand *e)
{
    struct gw_sync_status status;

    if (gw_errand_registry_known(e)) {
        gw_sync_status(gw_control_sync(e->control), &status);
        e->result = GW_STORE_OK;
        e->revision = status.revision;
        gw_extension_parts_collect(e);
    }
    gw_errand_return(e);
}

/* live: it may get requests, as far as is known.  used: its extension is, too. */
static json_t *
endpoint_json(const json_t *spec, const char *source, const char *name, bool used)
{
    static const char *const copied[] = {"url", "version", "weight", "leaseSeconds", NULL};
    const json_t *weight = json_object_get(spec, "weight");
    bool live = used && !json_is_true(json_object_get(spec, "draining")) &&
                !(json_is_integer(weight) && json_integer_value(weight) == 0);
    json_t *out = json_pack("{s:s}", "source", source);

    if (name != NULL) {
        (void)json_object_set_new(out, "name", json_string(name));
    }
    for (const char *const *c = copied; *c != NULL; c++) {
        json_t *value = json_object_get(spec, *c);

        if (value != NULL) {
            (void)json_object_set(out, *c, value);
        }
    }
    live = gw_endpoint_status_add(out, json_string_value(json_object_get(spec, "url"))) && live;
    (void)json_object_set_new(out, "live", json_boolean(live));
    return out;
}

static void
add_service(json_t *endpoints, const json_t *service, bool used)
{
    const char *ns = json_string_value(json_object_get(service, "namespace"));
    const char *name = json_string_value(json_object_get(service, "name"));
    char url[GW_EXT_KUBE_URL_SIZE];

    if (ns == NULL || name == NULL) {
        return;
    }
    gw_ext_kube_url(url, ns, name, json_integer_value(json_object_get(service, "port")));
    json_t *spec = json_pack("{s:s}", "url", url);
    (void)json_array_append_new(endpoints, endpoint_json(spec, "service", NULL, used));
    json_decref(spec);
}

static json_t *
endpoints_json(const struct gw_extension_part *p, const json_t *spec)
{
    bool used = gw_extension_is_used(p->service, spec);
    json_t *endpoints = json_array();
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(spec, "endpoints"), i, one)
    {
        (void)json_array_append_new(endpoints, endpoint_json(one, "spec", NULL, used));
    }
    add_service(endpoints, json_object_get(spec, "service"), used);
    json_array_foreach(p->registered, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));

        (void)json_array_append_new(
            endpoints, endpoint_json(json_object_get(one, "spec"), "registered", name, used));
    }
    return endpoints;
}

/* The summary is for all who see the extension; what else its object says is not. */
static bool
may_get(const struct gw_admin_call *call, struct gw_str extension)
{
    const struct gw_request_info info = {
        .verb = GW_STR("get"),
        .api_group = GW_STR("ksgate.io"),
        .api_version = GW_STR("v1"),
        .resource = GW_STR("extensionservices"),
        .name = extension,
        .scope = GW_STR("Cluster"),
        .is_resource = true,
    };

    return gw_admin_may(call, &info);
}

static json_t *
extension_json(const struct gw_admin_call *call, const struct gw_extension_part *p)
{
    bool whole = may_get(call, gw_str_of(p->name));
    json_t *service = p->service == NULL ? NULL : gw_object_json(p->service);
    json_t *plan = p->plan == NULL ? NULL : gw_object_json(p->plan);
    json_t *extension = p->extension == NULL ? NULL : gw_object_json(p->extension);
    const json_t *spec = json_object_get(service, "spec");
    const char *access = json_string_value(json_object_get(spec, "access"));
    json_t *endpoints = endpoints_json(p, spec);
    json_t *out = json_pack("{s:s}", "name", p->name);
    json_t *versions = gw_admin_versions(json_object_get(spec, "versions"), endpoints, whole);

    gw_extension_state_add(out, &(struct gw_extension_facts){.service = p->service,
                                                             .spec = spec,
                                                             .endpoints = endpoints,
                                                             .plan = plan,
                                                             .extension = extension,
                                                             .released = p->released,
                                                             .whole = whole});
    if (service != NULL) {
        (void)json_object_set_new(out, "access",
                                  json_string(access == NULL ? "authorized" : access));
    }
    (void)json_object_set_new(out, "endpoints", endpoints);
    (void)json_object_set_new(out, "entries",
                              p->entries == NULL ? json_array() : json_incref(p->entries));
    if (versions != NULL) {
        (void)json_object_set_new(out, "versions", versions);
    }
    json_decref(service);
    json_decref(plan);
    json_decref(extension);
    return out;
}

static enum gw_verdict
answer(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_extension_parts parts;
    struct gw_selection s = {0};
    struct gw_viewer viewer;
    json_t *items;
    json_t *list;
    enum gw_verdict v;

    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    v = gw_selection_read(&s, call);
    if (v != GW_NEXT) {
        return v;
    }
    gw_viewer_init(&viewer, call->req);
    gw_extension_parts_read(&parts, e, &viewer, &s);
    items = json_array();
    for (size_t i = 0; i < parts.n; i++) {
        if (parts.list[i]->taken) {
            (void)json_array_append_new(items, extension_json(call, parts.list[i]));
        }
    }
    gw_extension_parts_fini(&parts);
    list = gw_selection_list(&s, gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService")),
                             e->revision, items);
    (void)json_object_set_new(list, "kind", json_string("ExtensionSummaryList"));
    return gw_admin_json(call->req, 200, list);
}

/* The selector is not only a wish: who may list one extension has named it there. */
enum gw_verdict
gw_admin_extensions(struct gw_admin_call *call)
{
    struct gw_selection s = {0};
    enum gw_verdict v = gw_selection_read(&s, call); /* a wrong one is refused before the errand */

    if (v != GW_NEXT) {
        return v;
    }
    return gw_errand_send(gw_errand_new(call, collect, answer));
}
