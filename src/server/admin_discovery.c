/* admin_discovery.c - which groups, versions and kinds there are: what kubectl asks first. */
#include <stdio.h>
#include <string.h>

#include "server/admin_call.h"
#include "server/kind_names.h"

/* Is this the first kind of its group?  Kinds of a group stand together, in one version. */
static bool
begins_group(const struct gw_kind *k)
{
    return k == gw_kinds || strcmp(k[-1].group, k->group) != 0;
}

static json_t *
group_json(const struct gw_kind *k)
{
    char version[128];

    (void)snprintf(version, sizeof(version), "%s/%s", k->group, k->version);
    return json_pack("{s:s, s:[{s:s, s:s}], s:{s:s, s:s}}", "name", k->group, "versions",
                     "groupVersion", version, "version", k->version, "preferredVersion",
                     "groupVersion", version, "version", k->version);
}

enum gw_verdict
gw_admin_core(struct gw_admin_call *call)
{
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:s, s:[s], s:[]}", "kind", "APIVersions", "apiVersion",
                                   "v1", "versions", "v1", "serverAddressByClientCIDRs"));
}

enum gw_verdict
gw_admin_groups(struct gw_admin_call *call)
{
    json_t *groups = json_array();

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (k->group[0] != '\0' && begins_group(k)) {
            (void)json_array_append_new(groups, group_json(k));
        }
    }
    return gw_admin_json(
        call->req, 200,
        json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups));
}

enum gw_verdict
gw_admin_group(struct gw_admin_call *call)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (k->group[0] != '\0' && gw_str_eq(call->part[1], gw_str_of(k->group))) {
            json_t *group = group_json(k);

            (void)json_object_set_new(group, "kind", json_string("APIGroup"));
            (void)json_object_set_new(group, "apiVersion", json_string("v1"));
            return gw_admin_json(call->req, 200, group);
        }
    }
    return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "the registry keeps nothing of the group %.*s",
                           GW_STR_ARG(call->part[1]));
}

/* `kubectl describe` asks what has happened to an object, and shows none of it without an answer:
 * the gateway writes no Events, so there are none. */
enum gw_verdict
gw_admin_events(struct gw_admin_call *call)
{
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:s, s:{}, s:[]}", "kind", "EventList", "apiVersion",
                                   "v1", "metadata", "items"));
}

static json_t *
resource_json(const struct gw_kind *k)
{
    const char *letters = gw_kind_short_name(k);
    struct gw_buf singular = {0};
    json_t *json;

    gw_kind_singular(&singular, k);
    json = json_pack("{s:s, s:s, s:b, s:s, s:[s,s,s,s,s,s,s]}", "name", k->plural, "singularName",
                     singular.p, "namespaced", k->namespaced, "kind", k->kind, "verbs", "create",
                     "delete", "get", "list", "patch", "update", "watch");
    if (letters != NULL) {
        (void)json_object_set_new(json, "shortNames", json_pack("[s]", letters));
    }
    gw_buf_fini(&singular);
    return json;
}

/* Of "api/v1" and of "apis/{group}/{version}". */
enum gw_verdict
gw_admin_resources(struct gw_admin_call *call)
{
    bool core = gw_str_eq(call->part[0], GW_STR("api"));
    struct gw_str group = core ? GW_STR("") : call->part[1];
    struct gw_str version = call->part[core ? 1 : 2];
    json_t *resources = json_array();

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (gw_str_eq(group, gw_str_of(k->group)) && gw_str_eq(version, gw_str_of(k->version))) {
            (void)json_array_append_new(resources, resource_json(k));
        }
    }
    if (json_array_size(resources) == 0) {
        json_decref(resources);
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "the registry keeps nothing of %.*s/%.*s",
                               GW_STR_ARG(group), GW_STR_ARG(version));
    }
    return gw_admin_json(
        call->req, 200,
        json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                  "groupVersion",
                  gw_arena_printf(call->req->arena, "%.*s%s%.*s", GW_STR_ARG(group),
                                  core ? "" : "/", GW_STR_ARG(version)),
                  "resources", resources));
}
