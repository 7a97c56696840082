/* admin_write.h - what the writing functions of the admin interface share. */
#ifndef GW_SERVER_ADMIN_WRITE_H
#define GW_SERVER_ADMIN_WRITE_H

#include "server/admin_errand.h"

/* Worker: a write of one object: what the path and the query say of it, and then the body. */
enum gw_verdict gw_admin_write_by(struct gw_admin_call *call, gw_admin_body_fn *then);

/* Worker: makes the object of the body's JSON (which may be changed), checked and with what the
 * path says.  GW_NEXT and a reference in *out, or the refusal. */
enum gw_verdict gw_admin_object(struct gw_admin_call *call, json_t *json, struct gw_object **out);

/* Worker: an errand that writes the object (takes its reference); `when` is the caller's. */
struct gw_errand *gw_admin_put_errand(struct gw_admin_call *call, struct gw_object *object);

/* Control thread: e->result becomes what the store would say to such a write or removal, as far as
 * memory knows. */
void gw_admin_foresee(struct gw_errand *e, const char *key, enum gw_store_when when,
                      uint64_t revision);

/* Control thread: writes e->object, or removes e->key (if it is the one that may go: e->only_uid,
 * e->only_revision); then the errand goes home. */
void gw_admin_put(struct gw_errand *e);
void gw_admin_remove(struct gw_errand *e);
gw_store_done_fn gw_admin_written; /* arg: the errand; takes it home */

/* A JSON merge patch (RFC 7396).  Neither value is changed; what is untouched is shared.  A new
 * reference. */
json_t *gw_admin_merge(json_t *target, json_t *patch);

/* Worker: the answers to these. */
enum gw_verdict gw_admin_answer_put(struct gw_errand *e, struct gw_admin_call *call);
enum gw_verdict gw_admin_answer_remove(struct gw_errand *e, struct gw_admin_call *call);

#endif
