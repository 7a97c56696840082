/*
 * admin_owner.h - an Endpoint belongs to whoever made it: others who may register for the same
 * extension can't write it over or take it out.
 *
 * The owner is kept in the object, in an annotation that the gateway alone writes: "User/NAME", or
 * "admin-socket".  An Endpoint without one was made before there were owners, or in the store by
 * hand; it becomes that of the first who registers under its name.  Operators, who may do as they
 * like with all Endpoints, do not become the owner of what they change.
 */
#ifndef GW_SERVER_ADMIN_OWNER_H
#define GW_SERVER_ADMIN_OWNER_H

#include "server/admin_errand.h"

/* Is it an Endpoint? */
bool gw_owner_counts(const struct gw_kind *kind);

/* Whose the object (as JSON) is; borrowed from it; "": nobody's. */
const char *gw_owner_of(const json_t *object);

/* Makes it that owner's; "": nobody's. */
void gw_owner_set(json_t *object, const char *owner);

/* Worker: the owner that the caller is, in the request's arena. */
const char *gw_owner_caller(const struct gw_admin_call *call);

/* Any thread: the same object as one of that owner's; takes the reference, and gives one.  NULL:
 * see diag, and the reference stays the caller's. */
struct gw_object *gw_owner_stamp(struct gw_object *object, const char *owner, struct gw_diag *diag);

/* Worker, before `next` (an Endpoint; NULL: it is taken out) is put in place of `now` (NULL: there
 * is none), which has to be done as one step: *next is given its owner.  GW_NEXT, or the refusal.
 */
enum gw_verdict gw_owner_decide(struct gw_admin_call *call, const struct gw_object *now,
                                struct gw_object **next);

/* Worker: may the caller change what is of others? */
bool gw_owner_may_override(const struct gw_admin_call *call);

/* Worker: the refusal of whoever is not the owner. */
enum gw_verdict gw_owner_refuse(struct gw_admin_call *call, const char *owner);

#endif
