#include "server/watch_sight.h"

#include <string.h>

#include "base/map.h"
#include "modules/rbac_pieces.h"

/* An ExtensionService, or that it is not there. */
struct side {
    bool there;
    struct gw_ext_audience audience;
};

struct gw_watch_service {
    struct gw_str name;
    struct side before, now;
};

/* -- the news ---------------------------------------------------------------------------------- */

static bool
is_of_roles(const struct gw_object *o)
{
    for (const char *const *k = gw_rbac_piece_kinds; *k != NULL; k++) {
        if (strncmp(o->key, *k, strlen(*k)) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_ours(const struct gw_kind *k, const char *kind)
{
    return strcmp(k->group, "ksgate.io") == 0 && strcmp(k->kind, kind) == 0;
}

static struct side
read_side(const struct gw_object *o, struct gw_arena *arena)
{
    struct side side = {.there = o != NULL, .audience = {.restricted = true, .subscribed = true}};

    if (o != NULL) {
        json_t *json = gw_object_json(o);

        gw_ext_audience_read(&side.audience, json_object_get(json, "spec"), arena);
        json_decref(json);
    }
    return side;
}

static void
add_service(struct gw_watch_turn *t, const struct gw_news_item *i, struct gw_arena *arena)
{
    const struct gw_object *o = i->object != NULL ? i->object : i->before;

    t->services[t->n_services++] =
        (struct gw_watch_service){.name = gw_arena_str(arena, gw_str_of(o->name)),
                                  .before = read_side(i->before, arena),
                                  .now = read_side(i->object, arena)};
}

static void
add_workspace(struct gw_watch_turn *t, const struct gw_object *o, struct gw_arena *arena)
{
    if (o != NULL) {
        json_t *json = gw_object_json(o);
        const json_t *spec = json_object_get(json, "spec");
        const char *workspace = json_string_value(json_object_get(spec, "workspace"));

        t->workspaces[t->n_workspaces++] = gw_arena_str(arena, gw_str_of(workspace));
        json_decref(json);
    }
}

/* What is of a workspace or a namespace gives no right to an extension. */
static bool
is_wide(const struct gw_rbac_object *o)
{
    const struct gw_rbac_binding *b = (const struct gw_rbac_binding *)(const void *)o;

    switch (o->sort) {
    case GW_RBAC_ROLE:
    case GW_RBAC_TEMPLATE:
        return true;
    case GW_RBAC_BINDING:
        return b->level == GW_RBAC_GLOBAL || b->level == GW_RBAC_CLUSTER;
    case GW_RBAC_NAMESPACE:
        break;
    }
    return false;
}

static void
add_right(struct gw_watch_turn *t, const struct gw_object *o, struct gw_arena *arena)
{
    if (o == NULL) {
        return;
    }
    struct gw_diag diag = {0};
    json_t *json = gw_object_json(o);
    struct gw_piece *piece = gw_rbac_piece_compile(o->kind, json, NULL, &diag);

    json_decref(json);
    gw_diag_fini(&diag);
    if (piece == NULL) {
        return; /* it is none for RBAC, either */
    }
    gw_arena_defer(arena, gw_piece_let_go, piece);
    if (is_wide(gw_rbac_piece_object(piece))) {
        t->rights[t->n_rights++] = gw_rbac_piece_object(piece);
    }
}

static void
add_item(struct gw_watch_turn *t, const struct gw_news_item *i, struct gw_arena *arena)
{
    const struct gw_object *o = i->object != NULL ? i->object : i->before;

    if (o == NULL) {
        return;
    }
    if (is_of_roles(o)) {
        t->of_roles = true;
        add_right(t, i->before, arena);
        add_right(t, i->object, arena);
    } else if (is_ours(o->kind, "ExtensionService")) {
        add_service(t, i, arena);
    } else if (is_ours(o->kind, "Subscription")) {
        add_workspace(t, i->before, arena);
        add_workspace(t, i->object, arena);
    }
}

const struct gw_watch_turn *
gw_watch_turn_read(const struct gw_news *news, struct gw_arena *arena)
{
    struct gw_watch_turn *t = gw_arena_alloc(arena, sizeof(*t));

    t->services = gw_arena_alloc(arena, (news->n + 1) * sizeof(*t->services));
    t->workspaces = gw_arena_alloc(arena, (2 * news->n + 1) * sizeof(*t->workspaces));
    t->rights = gw_arena_alloc(arena, (2 * news->n + 1) * sizeof(struct gw_rbac_object *));
    for (size_t i = 0; i < news->n; i++) {
        add_item(t, &news->items[i], arena);
    }
    return t->of_roles || t->n_services > 0 || t->n_workspaces > 0 ? t : NULL;
}

/* -- a viewer ---------------------------------------------------------------------------------- */

struct gw_watch_sight
gw_watch_sight_now(struct gw_viewer *v)
{
    struct gw_watch_sight sight = {.places = v->all,
                                   .hides = gw_ext_index_has_restricted(v->world)};
    struct gw_str workspace;

    gw_rbac_member_start(&v->member);
    while (gw_rbac_member_next(&v->member, &workspace)) {
        sight.places += gw_hash(workspace) | 1;
    }
    return sight;
}

/* What is of the extension, as gw_admin_sees() has it. */
static bool
sees_what_is_of(struct gw_viewer *v, struct gw_str name, const struct side *s)
{
    if (!s->there && !gw_ext_index_has_restricted(v->world)) {
        return true;
    }
    return gw_viewer_sees_one_for(v, &s->audience, name);
}

/* The ExtensionService itself is told of as it comes and goes. */
static bool
turned_by_services(struct gw_viewer *v, const struct gw_watch_turn *t, const struct gw_kind *kind)
{
    for (size_t i = 0; !is_ours(kind, "ExtensionService") && i < t->n_services; i++) {
        const struct gw_watch_service *s = &t->services[i];

        if (sees_what_is_of(v, s->name, &s->before) != sees_what_is_of(v, s->name, &s->now)) {
            return true;
        }
    }
    return false;
}

static bool
turned_by_subscriptions(struct gw_viewer *v, const struct gw_watch_turn *t)
{
    for (size_t i = 0; i < t->n_workspaces; i++) {
        if (gw_rbac_member_of(&v->member, t->workspaces[i])) {
            return true;
        }
    }
    return false;
}

/* Does the viewer have the role, or one that takes in templates, by a binding of that level? */
static bool
has_role(struct gw_viewer *v, enum gw_rbac_level level, const struct gw_rbac_role *role)
{
    const struct gw_rbac_binding *b;

    gw_rbac_found_start(&v->member.found, level, NULL);
    while ((b = gw_rbac_found_next(&v->member.found)) != NULL) {
        const struct gw_rbac_role *has = gw_rbac_index_role_of(v->index, b);

        if (role->object.sort == GW_RBAC_TEMPLATE
                ? has != NULL && has->gather.n > 0
                : gw_str_eq(b->role_key, (struct gw_str){role->object.key, role->object.key_n})) {
            return true;
        }
    }
    return false;
}

/* Rights to single extensions may have come or gone. */
static bool
turned_by_rights(struct gw_viewer *v, const struct gw_watch_turn *t)
{
    for (size_t i = 0; i < t->n_rights; i++) {
        const void *o = t->rights[i];

        if (t->rights[i]->sort == GW_RBAC_BINDING
                ? gw_rbac_index_subject(o, v->subject) != NULL
                : has_role(v, GW_RBAC_GLOBAL, o) || has_role(v, GW_RBAC_CLUSTER, o)) {
            return true;
        }
    }
    return false;
}

bool
gw_watch_sight_turns(struct gw_viewer *v, const struct gw_watch_turn *turn,
                     const struct gw_kind *kind, struct gw_watch_sight *sight)
{
    struct gw_watch_sight was = *sight;

    *sight = gw_watch_sight_now(v);
    if (was.places != sight->places) {
        return true;
    }
    if (v->all) {
        return false;
    }
    return (was.hides != sight->hides && !is_ours(kind, "ExtensionService")) ||
           (sight->hides && turned_by_rights(v, turn)) || turned_by_subscriptions(v, turn) ||
           turned_by_services(v, turn, kind);
}
