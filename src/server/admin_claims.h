/*
 * admin_claims.h - what is written may not claim what another object claims (registry/claims.h).
 *
 * Decided on the control thread, by what is in memory and by what is just being written.  What
 * another gateway writes at the same moment is not known yet: then both are stored, and all
 * gateways agree on who has it (gateway/claimed.h).
 */
#ifndef GW_SERVER_ADMIN_CLAIMS_H
#define GW_SERVER_ADMIN_CLAIMS_H

#include "server/admin_errand.h"

/* Control: true and e->result, when one of the objects, of which no two have the same key, would
 * claim what another one claims and the version before it did not, or take an object's place that
 * is another extension's; e->refused says which.  Held or not, enabled or not, the other one
 * counts; of those that are written together, what they will be. */
bool gw_admin_claims_refused(struct gw_errand *e, struct gw_object *const *objects, size_t n);

/* Control: until the store has answered, what they claim is theirs.  _end() is fine for an errand
 * that has begun nothing, as a removal. */
void gw_admin_claims_begin(struct gw_errand *e, struct gw_object *const *objects, size_t n);
void gw_admin_claims_end(struct gw_errand *e, const char *key);

/* Worker: 422, and who it is, to those who may get that. */
enum gw_verdict gw_admin_claims_refusal(struct gw_errand *e, struct gw_admin_call *call);

#endif
