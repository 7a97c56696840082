/*
 * admin_fit.h - writes that are meant for one object alone, by its uid or resourceVersion.
 *
 * A condition holds at the store, which compares revisions.  So a uid becomes the revision of the
 * object that has it here: what the store has by then under another one stays.  Where memory has no
 * such object, the store is asked to write over revision 0, which nothing has: it says which one it
 * has.  If that is memory's, the uid is not the object's; else memory is behind, and looked at
 * again.
 */
#ifndef GW_SERVER_ADMIN_FIT_H
#define GW_SERVER_ADMIN_FIT_H

#include "server/admin_errand.h"

/* Of an object's JSON, in heap memory of the caller; NULL: it has none. */
char *gw_admin_fit_uid(const json_t *json);

/* Control: of the one object that may be written over, as far as memory knows; 0: none. */
uint64_t gw_admin_fit_revision(const struct gw_errand *e);

/* Control: the store has refused, and has one of that revision (0: it does not say).  e->unfit
 * becomes why that is not the one, if enough is known to say it; else NULL. */
void gw_admin_fit_note(struct gw_errand *e, enum gw_store_result result, uint64_t revision);

/* Worker: refused, and not known why: memory is behind the store. */
bool gw_admin_fit_is_behind(const struct gw_errand *e);

/* Worker: the refusal that e->unfit is. */
enum gw_verdict gw_admin_fit_refuse(struct gw_errand *e, struct gw_admin_call *call);

#endif
