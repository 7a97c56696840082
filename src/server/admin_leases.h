/*
 * admin_leases.h - when the leases of Endpoints end, for whoever reads these: the store alone
 * knows, and is asked when somebody wants to know.
 *
 * An errand that has come home goes there once more, and then its `back` is called again.  While
 * the store can't tell, nobody is told, and the rest of the answer is as it is.
 */
#ifndef GW_SERVER_ADMIN_LEASES_H
#define GW_SERVER_ADMIN_LEASES_H

#include "server/admin_errand.h"

/* All of these on the worker.  Has the errand come home for the first time? */
bool gw_admin_leases_open(const struct gw_errand *e, const struct gw_kind *kind);

/* The object, which the errand holds, is to be asked about, if it has a lease. */
void gw_admin_leases_add(struct gw_errand *e, const struct gw_object *o);

/* Is there anything to ask?  Then send it by this, which returns GW_WAIT. */
bool gw_admin_leases_any(const struct gw_errand *e);
enum gw_verdict gw_admin_leases_send(struct gw_errand *e);

/* When the object's lease ends; 0: it has none, or that is not known.  *at: 0, and kept from one
 * object to the next: each that was added has to come, in the order in which they were. */
uint64_t gw_admin_leases_next(const struct gw_errand *e, size_t *at, const struct gw_object *o);

#endif
