#include "server/admin_sight.h"

#include <stdlib.h>
#include <string.h>

#include "modules/rbac.h"
#include "modules/rbac_say.h"
#include "modules/request_rules.h"
#include "server/admin_owner.h"

#define REF_LABEL "kubesphere.io/extension-ref"

/* ---- whose it is -------------------------------------------------------------------------- */

static bool
is_ours(const struct gw_kind *k, const char *kind)
{
    return strcmp(k->group, "ksgate.io") == 0 && strcmp(k->kind, kind) == 0;
}

static const char *
text_at(const json_t *json, const char *a, const char *b)
{
    const char *text = json_string_value(json_object_get(json_object_get(json, a), b));

    return text == NULL ? "" : text;
}

/* That of KubeSphere's objects; "" when of none. */
static const char *
reference_of(const struct gw_object *o, const json_t *json)
{
    const json_t *labels = json_object_get(json_object_get(json, "metadata"), "labels");
    const char *label = json_string_value(json_object_get(labels, REF_LABEL));
    bool by_name =
        strcmp(o->kind->group, "kubesphere.io") == 0 &&
        (strcmp(o->kind->kind, "Extension") == 0 || strcmp(o->kind->kind, "InstallPlan") == 0);

    return label != NULL ? label : by_name ? o->name : "";
}

/* While some are not for everybody, one of which nothing is known may be such a one: it was
 * deleted before what belongs to it, or comes later. */
static bool
sees_reference(struct gw_viewer *v, struct gw_str name)
{
    return name.n == 0 || gw_viewer_sees(v, name);
}

/* By what it says itself: it may be one of before, or one that is just being made. */
static bool
sees_service(struct gw_viewer *v, const struct gw_object *o, const json_t *json)
{
    struct gw_ext_audience audience;

    gw_ext_audience_read(&audience, json_object_get(json, "spec"), v->arena);
    return gw_viewer_sees_one_for(v, &audience, gw_str_of(o->name));
}

bool
gw_admin_sees(struct gw_viewer *v, const struct gw_object *o)
{
    if (v->all) {
        return true;
    }
    json_t *json = gw_object_json(o);
    bool sees = false;

    if (is_ours(o->kind, "ExtensionService")) {
        sees = sees_service(v, o, json);
    } else if (is_ours(o->kind, "Endpoint") || is_ours(o->kind, "Subscription")) {
        sees = gw_viewer_sees(v, gw_str_of(text_at(json, "spec", "extension")));
    } else {
        sees = sees_reference(v, gw_str_of(reference_of(o, json)));
    }
    json_decref(json);
    return sees;
}

bool
gw_admin_is_of_extensions(const struct gw_kind *kind)
{
    return strcmp(kind->group, "extensions.kubesphere.io") == 0 ||
           strcmp(kind->group, "kubesphere.io") == 0 || is_ours(kind, "ExtensionService") ||
           is_ours(kind, "Endpoint") || is_ours(kind, "Subscription");
}

/* ---- rights that are asked for beside the request's own ------------------------------------- */

static bool
is_let_in_by_roles(const struct gw_req *req)
{
    const char *policy = req->decision.policy;

    return !req->subject.trusted && (policy == NULL || strcmp(policy, "allow_all") != 0);
}

bool
gw_admin_may(const struct gw_admin_call *call, const struct gw_request_info *info)
{
    const struct gw_req *req = call->req;

    return !is_let_in_by_roles(req) || gw_rbac_decide(gw_world_index(req->world, &gw_rbac_view),
                                                      req->arena, &req->subject, info, GW_STR_NONE)
                                           .allowed;
}

/* As a request for it would be read. */
static struct gw_request_info
about_object(const struct gw_object *o)
{
    struct gw_request_info info = {
        .verb = GW_STR("get"),
        .api_group = gw_str_of(o->kind->group),
        .api_version = gw_str_of(o->kind->version),
        .resource = gw_str_of(o->kind->plural),
        .ns = gw_str_of(o->ns),
        .name = gw_str_of(o->name),
        .is_resource = true,
    };

    info.scope = gw_request_rules_scope(&info);
    return info;
}

bool
gw_admin_may_get(const struct gw_admin_call *call, struct gw_viewer *v, const struct gw_object *o)
{
    const struct gw_request_info info = about_object(o);

    return gw_admin_sees(v, o) && gw_admin_may(call, &info);
}

bool
gw_admin_is_operator(const struct gw_admin_call *call)
{
    const struct gw_request_info info = {.verb = GW_STR("GET"), .path = GW_STR("/-/metrics")};

    return gw_admin_may(call, &info);
}

/* The right to .../extensionservices/{extension}/endpoints/{id}, which the verb `register` of the
 * extension gives as well; extension "": of all of them. */
static struct gw_request_info
registration(const struct gw_admin_call *call, struct gw_str extension)
{
    bool removal = gw_str_eq(call->req->head->method, GW_STR("DELETE"));

    return (struct gw_request_info){
        .verb = removal ? GW_STR("delete") : GW_STR("update"),
        .api_group = GW_STR("ksgate.io"),
        .api_version = GW_STR("v1"),
        .resource = GW_STR("extensionservices"),
        .subresource = GW_STR("endpoints"),
        .name = extension,
        .scope = GW_STR("Cluster"),
        .is_resource = true,
    };
}

bool
gw_admin_may_register(const struct gw_admin_call *call, struct gw_str extension)
{
    const struct gw_request_info info = registration(call, extension);

    return gw_admin_may(call, &info);
}

static enum gw_verdict
refuse_registration(struct gw_admin_call *call, struct gw_str extension)
{
    const struct gw_request_info info = registration(call, extension);
    struct gw_str text = gw_rbac_say_forbidden(call->req->arena, &call->req->subject, &info);

    return gw_admin_refuse(call, GW_ERR_FORBIDDEN, "%.*s", GW_STR_ARG(text));
}

/* "devops.pod-1" is an Endpoint of devops; the id has no dot (admin_endpoints.h). */
static struct gw_str
extension_of_endpoint(struct gw_str name)
{
    while (name.n > 0 && name.p[name.n - 1] != '.') {
        name.n--;
    }
    return (struct gw_str){name.p, name.n > 0 ? name.n - 1 : 0};
}

/* Whoever may not register for all extensions stays within the names of those for which they may:
 * or they would stand in another's way, or in its place. */
static enum gw_verdict
may_write_endpoint(struct gw_admin_call *call, const struct gw_object *o)
{
    struct gw_str by_name = extension_of_endpoint(call->name);
    json_t *json = o == NULL ? NULL : gw_object_json(o);
    struct gw_str wanted = gw_arena_str(
        call->req->arena, o == NULL ? by_name : gw_str_of(text_at(json, "spec", "extension")));

    json_decref(json);
    if (gw_admin_may_register(call, GW_STR(""))) {
        return GW_NEXT;
    }
    if (wanted.n == 0 || !gw_admin_may_register(call, wanted)) {
        return refuse_registration(call, wanted);
    }
    if (!gw_str_eq(by_name, wanted)) {
        return gw_admin_refuse(call, GW_ERR_FORBIDDEN,
                               "an Endpoint of the extension \"%.*s\" has to be named %.*s.ID, "
                               "with an ID that has no dot",
                               GW_STR_ARG(wanted), GW_STR_ARG(wanted));
    }
    return GW_NEXT;
}

static enum gw_verdict
may_subscribe(struct gw_admin_call *call, const struct gw_object *o)
{
    struct gw_viewer v;

    gw_viewer_init(&v, call->req);
    if (gw_admin_sees(&v, o)) {
        return GW_NEXT;
    }
    json_t *json = gw_object_json(o);
    enum gw_verdict verdict =
        gw_admin_refuse(call, GW_ERR_NO_OBJECT, "extensionservices.ksgate.io \"%s\" not found",
                        text_at(json, "spec", "extension"));
    json_decref(json);
    return verdict;
}

enum gw_verdict
gw_admin_may_write(struct gw_admin_call *call, const struct gw_object *object)
{
    if (is_ours(call->kind, "Endpoint")) {
        return may_write_endpoint(call, object);
    }
    if (is_ours(call->kind, "Subscription") && object != NULL) {
        return may_subscribe(call, object);
    }
    return GW_NEXT;
}

/* ---- what stands there so far --------------------------------------------------------------- */

bool
gw_admin_may_touch(struct gw_admin_call *call, const struct gw_object *now)
{
    struct gw_viewer v;

    if (is_ours(now->kind, "ExtensionService")) {
        return true; /* by its name, which RBAC has been asked about */
    }
    if (!is_ours(now->kind, "Endpoint")) {
        gw_viewer_init(&v, call->req);
        return gw_admin_sees(&v, now);
    }
    json_t *json = gw_object_json(now);
    bool yes = gw_admin_may_register(call, gw_str_of(text_at(json, "spec", "extension")));
    json_decref(json);
    return yes;
}

/* Control. */
static void
look(struct gw_errand *e)
{
    if (gw_errand_registry_known(e)) {
        e->object = gw_sync_get(gw_control_sync(e->control), e->key);
        e->result = GW_STORE_OK;
    }
    gw_errand_return(e);
}

/* What is written over, or taken out, is what was looked at.  False: the registry has another one
 * by now, or none, or its memory is behind what the caller knows. */
static bool
bind_to(struct gw_errand *e, const struct gw_object *now)
{
    uint64_t revision = now == NULL ? 0 : now->revision;

    e->when = e->wanted_when;
    e->revision = e->wanted_revision;
    if (e->wanted_when == GW_WHEN_REVISION) {
        return revision >= e->wanted_revision;
    }
    if (now == NULL) {
        e->when = GW_WHEN_ABSENT;
    } else if (revision > 0) { /* else it is a file's, and stays */
        e->when = GW_WHEN_REVISION;
        e->revision = revision;
    }
    return true;
}

static enum gw_verdict look_again(struct gw_errand *e);

/* Somebody else was faster: it is another one that stands there. */
static enum gw_verdict
written(struct gw_errand *e, struct gw_admin_call *call)
{
    bool other = e->result == GW_STORE_CONFLICT || e->result == GW_STORE_EXISTS ||
                 e->result == GW_STORE_NOT_FOUND;
    bool looked = e->when != e->wanted_when || e->only_uid != NULL; /* that was in the way */

    if (other && looked && e->unfit == NULL && e->tries < GW_ERRAND_TRIES) {
        e->next_object = e->object;
        e->object = NULL;
        return look_again(e);
    }
    return e->next_back(e, call);
}

/* What there is not, or not for them, has to be there for it? */
static bool
needs_it(const struct gw_errand *e)
{
    bool removal = e->next_object == NULL;

    return removal || e->wanted_when == GW_WHEN_PRESENT;
}

/* Its name is taken, which is all that they are told of what is not for them. */
static bool
may_create(const struct gw_errand *e)
{
    return !needs_it(e) && e->wanted_when != GW_WHEN_REVISION;
}

static enum gw_verdict
go_on(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_object *now = e->object;
    enum gw_verdict v = GW_NEXT;

    e->object = NULL;
    bool hidden = e->result == GW_STORE_OK && now != NULL && !gw_admin_may_touch(call, now);
    if (hidden && !may_create(e)) { /* all goes on, and lasts, as without it */
        gw_object_unref(now);
        now = NULL;
        hidden = false;
    }
    if (hidden) {
        e->result = GW_STORE_EXISTS;
    } else if (e->result == GW_STORE_OK && now == NULL && needs_it(e)) {
        e->result = GW_STORE_NOT_FOUND;
    } else if (e->result == GW_STORE_OK && gw_owner_counts(call->kind)) {
        v = gw_owner_decide(call, now, &e->next_object);
    }
    if (v != GW_NEXT) {
        gw_object_unref(now);
        return v;
    }
    bool bound = bind_to(e, now);
    bool there = now != NULL;
    gw_object_unref(now);
    if (e->result != GW_STORE_OK) {
        return e->next_back(e, call);
    }
    e->tries++;
    if (!bound && e->tries < GW_ERRAND_TRIES) {
        return look_again(e);
    }
    if (!bound) {
        e->result = there ? GW_STORE_CONFLICT : GW_STORE_NOT_FOUND;
        return gw_errand_refuse(e, call);
    }
    e->object = e->next_object;
    e->next_object = NULL;
    e->there = e->next_there;
    e->back = written;
    return gw_errand_send(e);
}

static enum gw_verdict
look_again(struct gw_errand *e)
{
    free(e->text);
    e->text = NULL;
    e->there = look;
    e->back = go_on;
    return gw_errand_send_again(e);
}

/* Whatever stands there? */
static bool
may_touch_all(const struct gw_admin_call *call)
{
    struct gw_viewer v;

    if (gw_owner_counts(call->kind)) {
        return false; /* whoever writes it, it stays its owner's */
    }
    if (!is_let_in_by_roles(call->req) || is_ours(call->kind, "ExtensionService")) {
        return true;
    }
    gw_viewer_init(&v, call->req);
    return v.all;
}

enum gw_verdict
gw_admin_send_seen(struct gw_errand *e)
{
    if (may_touch_all(e->call)) {
        return gw_errand_send(e);
    }
    e->next_there = e->there;
    e->next_back = e->back;
    e->next_object = e->object;
    e->object = NULL;
    e->wanted_when = e->when;
    e->wanted_revision = e->revision;
    return look_again(e);
}
