#include "server/admin_owner.h"

#include <string.h>

#include "server/admin_sight.h"

#define SOCKET_OWNER "admin-socket"
#define USER         "User/"

bool
gw_owner_counts(const struct gw_kind *kind)
{
    return strcmp(kind->kind, "Endpoint") == 0 && strcmp(kind->group, "ksgate.io") == 0;
}

const char *
gw_owner_of(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *owner =
        json_string_value(json_object_get(json_object_get(metadata, "annotations"), GW_EXT_OWNER));

    return owner == NULL ? "" : owner;
}

void
gw_owner_set(json_t *object, const char *owner)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_t *annotations = json_object_get(metadata, "annotations");

    if (*owner == '\0') {
        (void)json_object_del(annotations, GW_EXT_OWNER);
        if (json_is_object(annotations) && json_object_size(annotations) == 0) {
            (void)json_object_del(metadata, "annotations");
        }
        return;
    }
    if (!json_is_object(annotations)) {
        annotations = json_object();
        (void)json_object_set_new(metadata, "annotations", annotations);
    }
    (void)json_object_set_new(annotations, GW_EXT_OWNER, json_string(owner));
}

/* Two tokens of one user are one owner.  No user's name makes them the admin socket. */
const char *
gw_owner_caller(const struct gw_admin_call *call)
{
    const struct gw_subject *s = &call->req->subject;

    return s->trusted ? SOCKET_OWNER
                      : gw_arena_printf(call->req->arena, USER "%.*s", GW_STR_ARG(s->name));
}

struct gw_object *
gw_owner_stamp(struct gw_object *object, const char *owner, struct gw_diag *diag)
{
    json_t *json = gw_object_json(object);
    struct gw_object *stamped = object;

    if (strcmp(gw_owner_of(json), owner) != 0) {
        gw_owner_set(json, owner);
        stamped = gw_object_stored(json, diag); /* it was valid, and still is, if not too large */
    }
    if (stamped != NULL && stamped != object) {
        gw_object_unref(object);
    }
    json_decref(json);
    return stamped;
}

/* Who puts a backup back by the admin socket, which may do all, puts its owners back. */
static const char *
owner_of_new(struct gw_admin_call *call, const json_t *json)
{
    const char *sent = gw_owner_of(json);

    return call->req->subject.trusted && *sent != '\0' ? sent : gw_owner_caller(call);
}

static enum gw_verdict
stamp(struct gw_admin_call *call, const char *owner, struct gw_object **next)
{
    struct gw_diag diag = {0};
    struct gw_object *stamped = gw_owner_stamp(*next, owner, &diag);

    if (stamped == NULL) {
        return gw_admin_invalid(call, &diag);
    }
    *next = stamped;
    gw_diag_fini(&diag);
    return GW_NEXT;
}

enum gw_verdict
gw_owner_decide(struct gw_admin_call *call, const struct gw_object *now, struct gw_object **next)
{
    const struct gw_object *source = now != NULL ? now : *next;
    enum gw_verdict v = GW_NEXT;

    if (source == NULL) {
        return GW_NEXT;
    }
    json_t *json = gw_object_json(source);
    const char *owner = now != NULL ? gw_owner_of(json) : owner_of_new(call, json);

    if (now != NULL && *owner != '\0' && strcmp(owner, gw_owner_caller(call)) != 0 &&
        !gw_owner_may_override(call)) {
        v = gw_owner_refuse(call, owner);
    } else if (*next != NULL) {
        v = stamp(call, owner, next);
    }
    json_decref(json);
    return v;
}

static struct gw_request_info
about_endpoints(struct gw_str verb, struct gw_str name)
{
    return (struct gw_request_info){
        .verb = verb,
        .api_group = GW_STR("ksgate.io"),
        .api_version = GW_STR("v1"),
        .resource = GW_STR("endpoints"),
        .name = name,
        .scope = GW_STR("Cluster"),
        .is_resource = true,
    };
}

/* To register for all extensions is not enough: that is what a platform gives to all of its
 * services. */
bool
gw_owner_may_override(const struct gw_admin_call *call)
{
    bool removal = gw_str_eq(call->req->head->method, GW_STR("DELETE"));
    const struct gw_request_info all =
        about_endpoints(removal ? GW_STR("delete") : GW_STR("update"), GW_STR(""));

    return gw_admin_may(call, &all) && gw_admin_may_register(call, GW_STR(""));
}

enum gw_verdict
gw_owner_refuse(struct gw_admin_call *call, const char *owner)
{
    const struct gw_request_info get = about_endpoints(GW_STR("get"), call->name);
    bool is_user = strncmp(owner, USER, sizeof(USER) - 1) == 0;
    const char *whose = "somebody else";

    if (gw_admin_may(call, &get)) {
        whose = is_user ? gw_arena_printf(call->req->arena, "User \"%s\"", owner + sizeof(USER) - 1)
                        : "who made it by the admin socket";
    }
    return gw_admin_refuse(call, GW_ERR_NOT_OWNER,
                           "%s \"%.*s\" is forbidden: it belongs to %s; use another id, or wait "
                           "until its lease has ended or it is deleted, by its owner or by who may "
                           "%s all Endpoints of all extensions",
                           gw_admin_resource(call), GW_STR_ARG(call->name), whose,
                           gw_str_eq(call->req->head->method, GW_STR("DELETE")) ? "delete"
                                                                                : "update");
}
