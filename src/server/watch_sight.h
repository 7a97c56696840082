/*
 * watch_sight.h - what somebody who watches may know of, and when that becomes more or less.
 */
#ifndef GW_SERVER_WATCH_SIGHT_H
#define GW_SERVER_WATCH_SIGHT_H

#include "registry/history.h"
#include "server/admin_sight.h"

/* What decides what a viewer sees, beside the extensions themselves. */
struct gw_watch_sight {
    uint64_t places; /* another number when bound in other workspaces, or for one who sees all */
    bool hides;      /* there are extensions that are not for everybody (gw_viewer_sees()) */
};

struct gw_watch_sight gw_watch_sight_now(struct gw_viewer *v);

/* What of the news can turn somebody's sight: read once for all who watch. */
struct gw_watch_turn {
    bool of_roles; /* they change roles, bindings or namespaces */
    size_t n_services, n_workspaces, n_rights;
    struct gw_watch_service *services;    /* made, changed or deleted */
    struct gw_str *workspaces;            /* they have a Subscription more, or less */
    const struct gw_rbac_object **rights; /* roles and bindings of no workspace */
};

/* All of it is the arena's.  NULL: they turn nobody's. */
const struct gw_watch_turn *gw_watch_turn_read(const struct gw_news *news, struct gw_arena *arena);

/* Do they make objects of the kind seen, or unseen, for the viewer, other than by a change of their
 * own that is told?  *sight: what it was; becomes what it is. */
bool gw_watch_sight_turns(struct gw_viewer *v, const struct gw_watch_turn *turn,
                          const struct gw_kind *kind, struct gw_watch_sight *sight);

#endif
