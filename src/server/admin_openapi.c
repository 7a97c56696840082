/*
 * admin_openapi.c - what kubectl asks before it writes: which parameters a PATCH takes, by
 * OpenAPI v3 (kubectl since 1.27), or by v2 as protobuf (before).
 *
 * It describes the paths.  What an object may hold is checked when it is written, whatever the
 * client has checked: so the schemas leave that open.
 */
#include "server/admin_call.h"

/* OpenAPI v2 as older kubectls want it (gnostic's openapiv2.Document): swagger "2.0", info {title,
 * version}, and no definitions, with which they check nothing themselves. */
#define PROTO_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

static json_t *
info(void)
{
    return json_pack("{s:s, s:s}", "title", "ksgate", "version", PACKAGE_VERSION);
}

enum gw_verdict
gw_admin_openapi_v2(struct gw_admin_call *call)
{
    struct gw_str accept = gw_headers_value(&call->req->head->headers, GW_H_ACCEPT);

    if (gw_str_has_prefix(accept, GW_STR("application/com.github.proto-openapi"))) {
        const char *document = gw_arena_printf(call->req->arena,
                                               "\x0a\x03"
                                               "2.0"
                                               "\x12%c\x0a\x06ksgate\x12%c%s",
                                               (int)sizeof(PACKAGE_VERSION) - 1 + 10,
                                               (int)sizeof(PACKAGE_VERSION) - 1, PACKAGE_VERSION);

        return gw_req_reply(call->req, 200, GW_STR(PROTO_TYPE), gw_str_of(document));
    }
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:o, s:{}}", "swagger", "2.0", "info", info(), "paths"));
}

/* The first of its group and version? */
static bool
begins_version(const struct gw_kind *k)
{
    return k == gw_kinds || strcmp(k[-1].group, k->group) != 0;
}

static const char *
base_of(const struct gw_admin_call *call, const struct gw_kind *k)
{
    return gw_arena_printf(call->req->arena, "%s%s%s%s", k->group[0] == '\0' ? "api" : "apis/",
                           k->group, "/", k->version);
}

/* Where each group's document is.  The URLs are the server's, with our own prefix: a kubectl that
 * takes one for its path below --server would ask below /-/-/. */
enum gw_verdict
gw_admin_openapi(struct gw_admin_call *call)
{
    json_t *paths = json_object();

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (begins_version(k)) {
            const char *base = base_of(call, k);

            (void)json_object_set_new(
                paths, base,
                json_pack("{s:s}", "serverRelativeURL",
                          gw_arena_printf(call->req->arena, "/-/openapi/v3/%s?hash=%s", base,
                                          PACKAGE_VERSION)));
        }
    }
    return gw_admin_json(call->req, 200, json_pack("{s:o}", "paths", paths));
}

static json_t *
parameters(const char *const *names)
{
    json_t *list = json_array();

    for (; *names != NULL; names++) {
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s}}", "name", *names, "in",
                                                    "query", "schema", "type", "string"));
    }
    return list;
}

static json_t *
operation(const struct gw_kind *k, const char *action, const char *const *names)
{
    return json_pack("{s:o, s:{s:{s:s}}, s:s, s:{s:s, s:s, s:s}}", "parameters", parameters(names),
                     "responses", "default", "description", "the object, the list, or a Status",
                     "x-kubernetes-action", action, "x-kubernetes-group-version-kind", "group",
                     k->group, "version", k->version, "kind", k->kind);
}

static void
add_paths(struct gw_admin_call *call, json_t *paths, const struct gw_kind *k)
{
    static const char *const none[] = {NULL};
    static const char *const writes[] = {"dryRun", "fieldValidation", "wait", NULL};
    static const char *const lists[] = {
        "labelSelector",       "fieldSelector",  "limit",           "continue",          "watch",
        "allowWatchBookmarks", "timeoutSeconds", "resourceVersion", "sendInitialEvents", NULL};
    const char *all = gw_arena_printf(call->req->arena, "/%s%s/%s", base_of(call, k),
                                      k->namespaced ? "/namespaces/{namespace}" : "", k->plural);
    const char *one = gw_arena_printf(call->req->arena, "%s/{name}", all);

    (void)json_object_set_new(paths, all,
                              json_pack("{s:o, s:o}", "get", operation(k, "list", lists), "post",
                                        operation(k, "post", writes)));
    (void)json_object_set_new(paths, one,
                              json_pack("{s:o, s:o, s:o, s:o}", "get", operation(k, "get", none),
                                        "put", operation(k, "put", writes), "patch",
                                        operation(k, "patch", writes), "delete",
                                        operation(k, "delete", writes)));
}

static json_t *
schema(const struct gw_kind *k)
{
    json_t *properties = json_pack("{s:{s:s}, s:{s:s}, s:{s:s}}", "apiVersion", "type", "string",
                                   "kind", "type", "string", "metadata", "type", "object");

    return json_pack("{s:s, s:o, s:b, s:[{s:s, s:s, s:s}]}", "type", "object", "properties",
                     properties, "x-kubernetes-preserve-unknown-fields", 1,
                     "x-kubernetes-group-version-kind", "group", k->group, "version", k->version,
                     "kind", k->kind);
}

/* Of "openapi/v3/api/v1" and "openapi/v3/apis/{group}/{version}". */
enum gw_verdict
gw_admin_openapi_group(struct gw_admin_call *call)
{
    bool core = call->n_parts == 4;
    struct gw_str group = core ? GW_STR("") : call->part[3];
    struct gw_str version = call->part[core ? 3 : 4];
    json_t *paths = json_object();
    json_t *schemas = json_object();

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (gw_str_eq(group, gw_str_of(k->group)) && gw_str_eq(version, gw_str_of(k->version))) {
            add_paths(call, paths, k);
            (void)json_object_set_new(schemas, k->kind, schema(k));
        }
    }
    if (json_object_size(paths) == 0) {
        json_decref(paths);
        json_decref(schemas);
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "the registry keeps nothing of %.*s/%.*s",
                               GW_STR_ARG(group), GW_STR_ARG(version));
    }
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(),
                                   "paths", paths, "components", "schemas", schemas));
}
