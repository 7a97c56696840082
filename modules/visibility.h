/*
 * visibility.h - may the caller know that there is such an extension?
 *
 * One whose ExtensionService says `visibility: subscribed` or names `workspaces` is for some
 * workspaces alone (ext_audience.h).  Whoever is bound in one of them sees it (rbac_member.h), and
 * whoever may `get` or `use` it by a global or cluster role.  For all others it is not there, which
 * they are told as if it were not: by the same steps, with the same answer.
 */
#ifndef GW_MODULES_VISIBILITY_H
#define GW_MODULES_VISIBILITY_H

#include "modules/ext_router.h"
#include "modules/rbac_member.h"

/* Somebody who looks at what is registered; valid until the world changes. */
struct gw_viewer {
    const struct gw_world *world;
    const struct gw_subject *subject;
    struct gw_arena *arena;
    const struct gw_rbac_index *index;
    struct gw_rbac_member member;
    bool all; /* sees all */
};

/* Whoever asks this request, which RBAC has let in (as those below /-/ are). */
void gw_viewer_init(struct gw_viewer *v, const struct gw_req *req);

/* For a request that goes on while the world changes: anew for each turn, in an arena of it. */
void gw_viewer_init_in(struct gw_viewer *v, const struct gw_req *req, struct gw_arena *arena);

/* An extension of that name.  Where some are not for everybody, one that is not there is for those
 * who may see any. */
bool gw_viewer_sees(struct gw_viewer *v, struct gw_str extension);

/* One that is for these. */
bool gw_viewer_sees_one_for(struct gw_viewer *v, const struct gw_ext_audience *a,
                            struct gw_str extension);

/* RBAC's step, of a request that ext_router left in front of the door: GW_NEXT inside, or the
 * answer.  sees_all: RBAC asks nobody. */
enum gw_verdict gw_visibility_enter(struct gw_req *req, const struct gw_rbac_index *x,
                                    bool sees_all);

/* By these roles, would a request that came to a door go inside?  Then *info is what it asks for.
 * Nothing comes of it. */
bool gw_visibility_would_enter(const struct gw_req *req, const struct gw_rbac_index *x,
                               struct gw_request_info *info);

#endif
