/* admin_body.c - a request's body as JSON. */
#include "config/json_quick.h"
#include "http/headers.h"
#include "server/admin_call.h"

#define STRATEGIC "application/strategic-merge-patch+json"

/* What a strategic merge patch (Kubernetes) has that a merge patch (RFC 7396) has not: members that
 * say how, "$patch" and the like.  Without them the two mean the same but for lists, which both
 * replace where the kind names no key for them; no kind of ours does. */
static bool
has_directive(const json_t *value)
{
    const char *key;
    size_t i;
    json_t *inner;

    json_array_foreach(value, i, inner)
    {
        if (has_directive(inner)) {
            return true;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        if (key[0] == '$' || has_directive(inner)) {
            return true;
        }
    }
    return false;
}

/* The media type without its parameters. */
static struct gw_str
media_type(const struct gw_req *req)
{
    struct gw_str type = gw_headers_value(&req->head->headers, GW_H_CONTENT_TYPE);

    return gw_str_trim(gw_str_cut(&type, ';'));
}

static bool
is_one_of(struct gw_str type, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (gw_str_eq_nocase(type, gw_str_of(*names))) {
            return true;
        }
    }
    return false;
}

static enum gw_verdict
parse_json(struct gw_admin_call *call, struct gw_str body, json_t **out)
{
    json_error_t error;

    *out = gw_json_quick(body);
    if (*out == NULL) {
        *out = json_loadb(body.n == 0 ? "" : body.p, body.n, JSON_REJECT_DUPLICATES, &error);
    }
    if (*out != NULL) {
        return GW_NEXT;
    }
    return gw_admin_refuse(call, GW_ERR_BAD_BODY, "the body is not JSON: line %d, column %d: %s",
                           error.line, error.column, error.text);
}

static enum gw_verdict
parse_yaml(struct gw_admin_call *call, struct gw_str body, json_t **out)
{
    struct gw_yaml y = {0};
    struct gw_diag diag = {0};
    enum gw_verdict v = GW_NEXT;

    if (!gw_yaml_read(&y, "body", body, &diag)) {
        v = gw_admin_refuse(call, GW_ERR_BAD_BODY, "the body is not YAML: line %d: %s",
                            diag.n > 0 ? diag.findings[0].place.line : 0, gw_diag_first(&diag));
    } else if (y.n_docs != 1) {
        v = gw_admin_refuse(call, GW_ERR_BAD_BODY,
                            "the body must hold one YAML document, it holds %zu", y.n_docs);
    } else {
        *out = json_incref(y.docs[0]);
    }
    gw_yaml_fini(&y);
    gw_diag_fini(&diag);
    return v;
}

/* kubectl writes the kinds that it knows itself as protobuf, unless it reads them from a file. */
static enum gw_verdict
refuse_type(struct gw_admin_call *call, struct gw_str type)
{
    bool kubectl = gw_str_eq_nocase(type, GW_STR("application/vnd.kubernetes.protobuf"));

    return gw_admin_refuse(call, GW_ERR_BAD_MEDIA_TYPE,
                           "\"%.*s\" is not understood: say Content-Type: application/json or "
                           "application/yaml%s",
                           GW_STR_ARG(type),
                           kubectl && call->kind != NULL
                               ? "; with kubectl: create ... --dry-run=client -o yaml | kubectl "
                                 "create -f -"
                               : "");
}

enum gw_verdict
gw_admin_parse_any(struct gw_admin_call *call, struct gw_str body, json_t **out)
{
    static const char *const json[] = {"application/json", "application/merge-patch+json",
                                       STRATEGIC, NULL};
    static const char *const patches[] = {"application/merge-patch+json", STRATEGIC, NULL};
    static const char *const yaml[] = {"application/yaml", "application/x-yaml", "text/yaml", NULL};
    struct gw_str type = media_type(call->req);
    bool is_patch = gw_str_eq(call->req->head->method, GW_STR("PATCH"));
    enum gw_verdict v;

    *out = NULL;
    if (is_patch && !is_one_of(type, patches)) {
        return gw_admin_refuse(call, GW_ERR_BAD_MEDIA_TYPE,
                               "\"%.*s\": a PATCH is understood as application/merge-patch+json "
                               "(RFC 7396) only; with kubectl: patch --type=merge",
                               GW_STR_ARG(type));
    }
    if (type.n == 0 || is_one_of(type, json)) {
        v = parse_json(call, body, out);
    } else if (is_one_of(type, yaml)) {
        v = parse_yaml(call, body, out);
    } else {
        return refuse_type(call, type);
    }
    if (v == GW_NEXT && is_patch && gw_str_eq_nocase(type, GW_STR(STRATEGIC)) &&
        has_directive(*out)) {
        json_decref(*out);
        *out = NULL;
        return gw_admin_refuse(call, GW_ERR_BAD_MEDIA_TYPE,
                               "members that begin with \"$\" are not understood in a strategic "
                               "merge patch; with kubectl: patch --type=merge");
    }
    return v;
}

enum gw_verdict
gw_admin_parse(struct gw_admin_call *call, struct gw_str body, json_t **out)
{
    enum gw_verdict v = gw_admin_parse_any(call, body, out);

    if (v == GW_NEXT && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return gw_admin_refuse(call, GW_ERR_BAD_BODY, "the body must be an object, a map of names");
    }
    return v;
}
