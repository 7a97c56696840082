/* admin_extensions.c - every extension with its state and backends, in one answer. */
#include "modules/ext_kube.h"
#include "server/admin_errand.h"
#include "server/admin_select.h"
#include "server/admin_sight.h"
#include "server/admin_versions.h"
#include "server/endpoint_status.h"

static const struct gw_kind *
kind_of(const char *kind)
{
    return gw_kind_find(GW_STR("ksgate.io"), gw_str_of(kind));
}

static void
collect(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);
    struct gw_sync_status status;

    if (gw_errand_registry_known(e)) {
        gw_sync_status(sync, &status);
        e->result = GW_STORE_OK;
        e->revision = status.revision;
        gw_sync_list(sync, kind_of("ExtensionService"), GW_STR_NONE, gw_errand_collect, e);
        gw_sync_list(sync, kind_of("Endpoint"), GW_STR_NONE, gw_errand_collect, e);
    }
    gw_errand_return(e);
}

/* live: it may get requests, as far as is known. */
static json_t *
endpoint_json(const json_t *spec, const char *source, const char *name)
{
    static const char *const copied[] = {"url", "version", "weight", "leaseSeconds", NULL};
    bool live = !json_is_true(json_object_get(spec, "draining"));
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
add_service(json_t *endpoints, const json_t *service)
{
    const char *ns = json_string_value(json_object_get(service, "namespace"));
    const char *name = json_string_value(json_object_get(service, "name"));
    char url[GW_EXT_KUBE_URL_SIZE];

    if (ns == NULL || name == NULL) {
        return;
    }
    gw_ext_kube_url(url, ns, name, json_integer_value(json_object_get(service, "port")));
    json_t *spec = json_pack("{s:s}", "url", url);
    (void)json_array_append_new(endpoints, endpoint_json(spec, "service", NULL));
    json_decref(spec);
}

static json_t *
extension_json(const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    const json_t *spec = json_object_get(json, "spec");
    const json_t *enabled = json_object_get(spec, "enabled");
    const char *access = json_string_value(json_object_get(spec, "access"));
    json_t *endpoints = json_array();
    size_t i;
    json_t *endpoint;

    json_array_foreach(json_object_get(spec, "endpoints"), i, endpoint)
    {
        (void)json_array_append_new(endpoints, endpoint_json(endpoint, "spec", NULL));
    }
    add_service(endpoints, json_object_get(spec, "service"));
    json_t *out =
        json_pack("{s:s, s:b, s:s, s:o}", "name", o->name, "enabled", !json_is_false(enabled),
                  "access", access == NULL ? "authorized" : access, "endpoints", endpoints);

    if (json_array_size(json_object_get(spec, "versions")) > 0) {
        (void)json_object_set(out, "versions", json_object_get(spec, "versions"));
    }
    json_decref(json);
    return out;
}

/* Endpoints whose extension is not there, or not asked for, stay unseen. */
static void
add_endpoint(const json_t *extensions, const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    const json_t *spec = json_object_get(json, "spec");
    const char *name = json_string_value(json_object_get(spec, "extension"));
    const json_t *extension = name == NULL ? NULL : json_object_get(extensions, name);

    if (extension != NULL) {
        (void)json_array_append_new(json_object_get(extension, "endpoints"),
                                    endpoint_json(spec, "registered", o->name));
    }
    json_decref(json);
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

static enum gw_verdict
answer(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_selection s = {0};
    struct gw_viewer viewer;
    enum gw_verdict v;
    json_t *by_name;
    json_t *items;
    json_t *list;
    const char *name;
    json_t *extension;

    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    v = gw_selection_read(&s, call);
    if (v != GW_NEXT) {
        return v;
    }
    gw_viewer_init(&viewer, call->req);
    by_name = json_object();
    items = json_array();
    for (size_t i = 0; i < e->n_objects; i++) { /* all services come before all endpoints */
        if (e->objects[i]->kind != kind_of("ExtensionService")) {
            add_endpoint(by_name, e->objects[i]);
        } else if (gw_admin_sees(&viewer, e->objects[i]) && gw_selection_takes(&s, e->objects[i])) {
            (void)json_object_set_new(by_name, e->objects[i]->name, extension_json(e->objects[i]));
        }
    }
    json_object_foreach(by_name, name, extension)
    {
        json_t *versions = gw_admin_versions(json_object_get(extension, "versions"),
                                             json_object_get(extension, "endpoints"),
                                             may_get(call, gw_str_of(name)));

        if (versions != NULL) { /* in place of the rows, now that all endpoints are there */
            (void)json_object_set_new(extension, "versions", versions);
        }
        (void)json_array_append(items, extension);
    }
    json_decref(by_name);
    list = gw_selection_list(&s, kind_of("ExtensionService"), e->revision, items);
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
