/*
 * admin_review.c - may they?  Access reviews, for extensions, kubectl and the console:
 *
 *     POST /-/apis/authorization.k8s.io/v1/subjectaccessreviews      about anybody
 *     POST /-/apis/authorization.k8s.io/v1/selfsubjectaccessreviews  about whoever asks
 *     POST /kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews     KubeSphere's, also a list
 *
 * Each is a case of `explain` with attributes, so the answer is the decision that a live request
 * would get (kubesphere.md, 5.7; Kubernetes API, authorization.k8s.io/v1).
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "config/json.h"
#include "gateway/explain.h"
#include "gateway/explain_attrs.h"
#include "modules/request_rules.h"
#include "server/admin_call.h"

#define LIST_MAX 1000 /* reviews in one request */

struct form {
    const char *api_version, *kind;
    unsigned status; /* of the answer */
    bool self;
};

/* One review that is being answered. */
struct review {
    struct gw_admin_call *call;
    const struct form *form;
    const json_t *spec;
    char why[512]; /* "" while all is well */
    bool unknown;  /* what is registered: then nobody can say whether they may */
};

static const struct form forms[] = {
    {"authorization.k8s.io/v1", "SubjectAccessReview", 201, false},
    {"authorization.k8s.io/v1", "SelfSubjectAccessReview", 201, true},
    {"iam.kubesphere.io/v1beta1", "SubjectAccessReview", 200, false},
};

static const struct form *
form_of(const struct gw_admin_call *call)
{
    if (gw_str_eq(call->part[0], GW_STR("kapis"))) {
        return &forms[2];
    }
    return &forms[gw_str_has_prefix(call->part[call->n_parts - 1], GW_STR("self"))];
}

static void __attribute__((format(printf, 2, 3))) complain(struct review *r, const char *fmt, ...)
{
    va_list args;

    if (r->why[0] == '\0') {
        va_start(args, fmt);
        (void)vsnprintf(r->why, sizeof(r->why), fmt, args);
        va_end(args);
    }
}

/* ---- what is asked -------------------------------------------------------------------------- */

static struct gw_str
text_of(struct review *r, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    if (v != NULL && !json_is_null(v) && !json_is_string(v)) {
        complain(r, "spec: %s must be a text", name);
    }
    return json_is_string(v) ? gw_json_text(v) : GW_STR("");
}

/* As a request for it would be read; where the review names a scope, that one. */
static struct gw_request_info
read_resource(struct review *r, const json_t *of)
{
    struct gw_request_info info = {
        .verb = text_of(r, of, "verb"),
        .workspace = text_of(r, of, "workspace"),
        .ns = text_of(r, of, "namespace"),
        .api_group = text_of(r, of, "group"),
        .api_version = text_of(r, of, "version"),
        .resource = text_of(r, of, "resource"),
        .subresource = text_of(r, of, "subresource"),
        .name = text_of(r, of, "name"),
        .scope = text_of(r, of, "resourceScope"),
        .is_resource = true,
    };

    if (info.scope.n == 0) {
        info.scope = gw_request_rules_scope(&info);
    }
    if (info.resource.n == 0) {
        complain(r, "spec.resourceAttributes: resource is missing");
    }
    return info;
}

/* Kubernetes' reviews say "get" of a path; of the request, rules see "GET" (kubesphere.md 4). */
static struct gw_str
method_of(const struct review *r, struct gw_str verb)
{
    char *method = gw_arena_raw(r->call->req->arena, verb.n + 1);

    for (size_t i = 0; i < verb.n; i++) {
        method[i] = (char)toupper((unsigned char)verb.p[i]);
    }
    return (struct gw_str){method, verb.n};
}

static struct gw_request_info
read_attributes(struct review *r)
{
    const json_t *resource = json_object_get(r->spec, "resourceAttributes");
    const json_t *path = json_object_get(r->spec, "nonResourceAttributes");
    struct gw_request_info info;

    if (json_is_object(resource) == json_is_object(path)) {
        complain(r, "spec: exactly one of resourceAttributes and nonResourceAttributes is needed");
    }
    if (json_is_object(resource)) {
        info = read_resource(r, resource);
    } else {
        info = (struct gw_request_info){.verb = method_of(r, text_of(r, path, "verb")),
                                        .path = text_of(r, path, "path")};
    }
    if (info.verb.n == 0) {
        complain(r, "spec: verb is missing");
    }
    return info;
}

/* Whose right is asked for.  The groups are those of the review and no others: Kubernetes, too,
 * adds none. */
static void
read_subject(struct review *r, struct gw_question *q)
{
    const json_t *groups = json_object_get(r->spec, "groups");
    const struct gw_subject *own = &r->call->req->subject;

    if (r->form->self) {
        q->user = own->name;
        q->groups = own->groups;
        q->n_groups = own->n_groups;
        return;
    }
    q->user = text_of(r, r->spec, "user");
    if (groups != NULL && !json_is_null(groups) && !json_is_array(groups)) {
        complain(r, "spec.groups must be a list of texts");
    }
    struct gw_str *list =
        gw_arena_alloc(r->call->req->arena, (json_array_size(groups) + 1) * sizeof(*list));
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *v = json_array_get(groups, i);

        if (!json_is_string(v)) {
            complain(r, "spec.groups[%zu] must be a text", i);
        }
        list[i] = gw_json_text(v);
    }
    q->groups = list;
    q->n_groups = (unsigned)json_array_size(groups);
    if (q->user.n == 0 && q->n_groups == 0) {
        complain(r, "spec: user or groups is needed: whose right is asked for?");
    }
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Roles are named to those who may ask about others.  To all: what the refusal would say. */
static struct gw_str
reason_of(const struct review *r, const struct gw_req *asked)
{
    const struct gw_decision *d = &asked->decision;

    if (d->allowed != GW_ALLOWED && r->form->self) {
        return gw_str_of(asked->detail == NULL ? "" : asked->detail);
    }
    if (d->reason.n > 0) {
        return d->reason;
    }
    return gw_str_of(gw_arena_printf(r->call->req->arena, "allowed by policy: %s",
                                     d->policy == NULL ? "none" : d->policy));
}

static json_t *
status_json(bool allowed, struct gw_str reason)
{
    json_t *status = json_pack("{s:b}", "allowed", allowed);

    (void)json_object_set_new(status, "reason", json_stringn(reason.p, reason.n));
    return status;
}

static json_t *
decide(struct review *r)
{
    const struct gw_req *req = r->call->req;
    struct gw_question q = {0};
    struct gw_request_info info = read_attributes(r);

    read_subject(r, &q);
    if (r->why[0] != '\0') {
        return NULL;
    }
    if (r->form->self && req->subject.trusted) {
        return status_json(true, GW_STR("who may use the admin socket may do everything"));
    }
    json_t *attrs = gw_explain_attrs_of(&info);
    q.attrs = attrs;
    q.asker = req;
    struct gw_req *asked = gw_explain_run(req->snapshot, req->world, &q);
    json_t *status = status_json(asked->decision.allowed == GW_ALLOWED, reason_of(r, asked));
    r->unknown = r->unknown || asked->err == GW_ERR_REGISTRY_UNKNOWN;
    gw_arena_free(asked->arena);
    json_decref(attrs);
    return status;
}

static void
check_word(struct review *r, const json_t *review, const char *name, const char *expected)
{
    const char *word = json_string_value(json_object_get(review, name));

    if (word != NULL && strcmp(word, expected) != 0) {
        complain(r, "%s is \"%s\"; here it must be %s", name, word, expected);
    }
}

/* A new reference; NULL: r->why says what is wrong with it. */
static json_t *
answer(struct review *r, const json_t *review)
{
    r->spec = json_object_get(review, "spec");
    check_word(r, review, "apiVersion", r->form->api_version);
    check_word(r, review, "kind", r->form->kind);
    if (!json_is_object(r->spec)) {
        complain(r, "spec is missing");
        return NULL;
    }
    json_t *status = decide(r);
    return status == NULL
               ? NULL
               : json_pack("{s:s, s:s, s:{}, s:O, s:o}", "apiVersion", r->form->api_version, "kind",
                           r->form->kind, "metadata", "spec", r->spec, "status", status);
}

/* The answers stand in the order of the questions. */
static json_t *
answer_all(struct review *r, const json_t *list)
{
    json_t *answers = json_array();

    if (json_array_size(list) > LIST_MAX) {
        complain(r, "%zu reviews in one request; at most %d are answered", json_array_size(list),
                 LIST_MAX);
    }
    for (size_t i = 0; r->why[0] == '\0' && i < json_array_size(list); i++) {
        json_t *one = answer(r, json_array_get(list, i));

        if (one == NULL) {
            char why[sizeof(r->why)];

            memcpy(why, r->why, sizeof(why));
            (void)snprintf(r->why, sizeof(r->why), "review %zu: %.480s", i, why);
            break;
        }
        (void)json_array_append_new(answers, one);
    }
    return answers;
}

static enum gw_verdict
from_body(struct gw_admin_call *call, struct gw_str body)
{
    struct review r = {.call = call, .form = form_of(call)};
    json_t *asked = NULL;
    json_t *said = NULL;
    enum gw_verdict v = gw_admin_parse_any(call, body, &asked);

    if (v != GW_NEXT) {
        return v;
    }
    const json_t *items = json_object_get(asked, "items");
    if (r.form->self && (json_is_array(asked) || json_is_array(items))) {
        complain(&r, "one review at a time");
    } else if (json_is_array(asked)) {
        said = answer_all(&r, asked);
    } else if (json_is_array(items)) {
        said = json_pack("{s:s, s:s, s:{}, s:o}", "apiVersion", r.form->api_version, "kind",
                         "SubjectAccessReviewList", "metadata", "items", answer_all(&r, items));
    } else {
        said = answer(&r, asked);
    }
    json_decref(asked);
    if (r.why[0] == '\0' && !r.unknown) {
        return gw_admin_json(call->req, r.form->status, said);
    }
    json_decref(said);
    if (r.why[0] == '\0') {
        return gw_admin_refuse(call, GW_ERR_REGISTRY_UNKNOWN, "%s",
                               gw_err_text(GW_ERR_REGISTRY_UNKNOWN));
    }
    return gw_admin_refuse(call, GW_ERR_BAD_OBJECT, "%s", r.why);
}

enum gw_verdict
gw_admin_review(struct gw_admin_call *call)
{
    return gw_admin_body(call, from_body);
}
