/*
 * admin_endpoints.h - what registering (admin_register.c) and leaving (admin_leave.c) share.
 *
 *     PUT    .../extensionservices/{name}/endpoints/{id}   registers, or renews the lease
 *     DELETE .../extensionservices/{name}/endpoints/{id}   leaves; with a body, the one of that url
 *
 * What is registered is the Endpoint "{name}.{id}".  The id has no dot, so that two extensions,
 * of which one is "a" and the other "a.b", never meet in one name.
 *
 * Whose it is (admin_owner.h) is found out where the registry is, so that both are one way there
 * and back, and holds at the write: that is done to what was looked at, or anew.
 */
#ifndef GW_SERVER_ADMIN_ENDPOINTS_H
#define GW_SERVER_ADMIN_ENDPOINTS_H

#include "server/admin_errand.h"

/* The body; its texts are the request's. */
struct gw_registration {
    const char *url, *version; /* version: NULL when there is none */
    long long weight, lease_seconds;
    bool draining;
};

/* The extension that is in the path, and its key, which is owned by the caller. */
struct gw_str gw_endpoints_extension(const struct gw_admin_call *call);
char *gw_endpoints_parent(const struct gw_admin_call *call);

/* ---- worker ---- */

/* Finds what is in the path: the Endpoint's kind and name.  GW_NEXT, or the refusal. */
enum gw_verdict gw_endpoints_locate(struct gw_admin_call *call);

/* GW_NEXT, or the refusal. */
enum gw_verdict gw_endpoints_read(struct gw_admin_call *call, const json_t *json,
                                  struct gw_registration *r);

/* What comes before any answer: there and back once more, or the refusal of whoever is not the
 * owner, or whom memory is too old for.  GW_NEXT: it is as the errand says. */
enum gw_verdict gw_endpoints_back(struct gw_errand *e, struct gw_admin_call *call);

/* ---- control thread ---- */

/* An Endpoint may have been written by hand, and then says itself whose it is: of this extension?
 */
bool gw_endpoints_is_of(const json_t *endpoint, const char *key_of_extension);

/* Is what stands there another's than e->owner's?  Then the errand knows whose. */
bool gw_endpoints_is_others(struct gw_errand *e, const json_t *there);

/* Sends it home, as something that is so however often it is tried. */
void gw_endpoints_return(struct gw_errand *e, enum gw_store_result result);

#endif
