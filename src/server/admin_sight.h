/*
 * admin_sight.h - of what is registered, what may the caller know, and write?
 *
 * What is of an extension that is not there for the caller (modules/visibility.h) is not there
 * below
 * /-/, either: its ExtensionService, Endpoints and Subscriptions, KubeSphere's objects with the
 * label kubesphere.io/extension-ref, its Extension and InstallPlan; decisions about it, and
 * metrics.  All on the worker.
 */
#ifndef GW_SERVER_ADMIN_SIGHT_H
#define GW_SERVER_ADMIN_SIGHT_H

#include "modules/visibility.h"
#include "server/admin_errand.h"

/* May the viewer know of the object? */
bool gw_admin_sees(struct gw_viewer *v, const struct gw_object *o);

/* Are objects of this kind mostly of extensions?  (The label can be on any.) */
bool gw_admin_is_of_extensions(const struct gw_kind *kind);

/* May they know where things are here, and how many: whoever may read the metrics. */
bool gw_admin_is_operator(const struct gw_admin_call *call);

/* Beside what RBAC has let in: may they do that, too?  Where no roles are asked, they may. */
bool gw_admin_may(const struct gw_admin_call *call, const struct gw_request_info *info);

/* May they get it, and know of it?  Else nothing that others get in its place names it. */
bool gw_admin_may_get(const struct gw_admin_call *call, struct gw_viewer *v,
                      const struct gw_object *o);

/* The right to do to backends of the extension what the call does; "": of all extensions. */
bool gw_admin_may_register(const struct gw_admin_call *call, struct gw_str extension);

/* Before the object is written, or (NULL) the one of the path deleted: who registers a backend of
 * an extension needs the right to that, and who subscribes to one has to see it.  GW_NEXT, or the
 * refusal. */
enum gw_verdict gw_admin_may_write(struct gw_admin_call *call, const struct gw_object *object);

/* May the caller change or delete what stands there now?  Else, to them, nothing does. */
bool gw_admin_may_touch(struct gw_admin_call *call, const struct gw_object *now);

/* Sends the errand, a write or a removal, once gw_admin_may_touch() what stands under e->key and,
 * of an Endpoint, its owner is known (admin_owner.h); it is done to that alone, and looked at anew
 * when somebody else was faster. */
enum gw_verdict gw_admin_send_seen(struct gw_errand *e);

/* Takes the lines out of metrics that are about extensions which the caller may not know of. */
void gw_admin_sight_metrics(struct gw_admin_call *call, struct gw_buf *metrics);

#endif
