#include "server/watch_sight.h"

#include <string.h>

#include "base/map.h"
#include "modules/rbac_pieces.h"

uint64_t
gw_watch_sight_places(struct gw_viewer *v)
{
    struct gw_str workspace;
    uint64_t sum = v->all;

    gw_rbac_member_start(&v->member);
    while (gw_rbac_member_next(&v->member, &workspace)) {
        sum += gw_hash(workspace) | 1;
    }
    return sum;
}

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
is_ours(const struct gw_object *o, const char *kind)
{
    return strcmp(o->kind->group, "ksgate.io") == 0 && strcmp(o->kind->kind, kind) == 0;
}

/* One that the viewer's workspace has got, or has lost. */
static bool
subscribes(struct gw_viewer *v, const struct gw_object *o)
{
    if (o == NULL) {
        return false;
    }
    json_t *json = gw_object_json(o);
    const json_t *spec = json_object_get(json, "spec");
    const char *workspace = json_string_value(json_object_get(spec, "workspace"));
    bool yes = gw_rbac_member_of(&v->member, gw_str_of(workspace));

    json_decref(json);
    return yes;
}

/* It was for others: what is of it is seen by others, too. */
static bool
has_other_audience(const struct gw_news_item *i)
{
    if (i->before == NULL || i->object == NULL) {
        return false;
    }
    json_t *was = gw_object_json(i->before);
    json_t *is = gw_object_json(i->object);
    const json_t *before = json_object_get(was, "spec");
    const json_t *now = json_object_get(is, "spec");
    bool other = false;

    for (const char *const *name = (const char *const[]){"visibility", "workspaces", NULL};
         *name != NULL; name++) {
        json_t *a = json_object_get(before, *name);
        json_t *b = json_object_get(now, *name);

        other = other || (a != b && (a == NULL || b == NULL || !json_equal(a, b)));
    }
    json_decref(was);
    json_decref(is);
    return other;
}

static bool
turned(struct gw_viewer *v, const struct gw_news_item *i, const struct gw_object *o)
{
    if (is_ours(o, "ExtensionService")) {
        return has_other_audience(i);
    }
    return is_ours(o, "Subscription") && (subscribes(v, i->object) || subscribes(v, i->before));
}

bool
gw_watch_sight_turns(struct gw_viewer *v, const struct gw_news *news, uint64_t *places)
{
    bool of_roles = false;
    bool turns = false;

    for (size_t i = 0; i < news->n && !turns && !(v->all && of_roles); i++) {
        const struct gw_news_item *item = &news->items[i];
        const struct gw_object *o = item->object != NULL ? item->object : item->before;

        if (o == NULL) {
            continue;
        }
        of_roles = of_roles || is_of_roles(o);
        turns = !v->all && turned(v, item, o);
    }
    uint64_t before = *places;

    *places = of_roles ? gw_watch_sight_places(v) : before;
    return turns || *places != before;
}
