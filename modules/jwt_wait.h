/*
 * jwt_wait.h - a request whose token needs a key that is not known waits while it is looked for.
 *
 * As many may wait as there are connections; each for key_sets.wait at most.
 */
#ifndef GW_MODULES_JWT_WAIT_H
#define GW_MODULES_JWT_WAIT_H

#include "modules/jwt_source.h"

enum gw_jwt_hope {
    GW_JWT_WAITS,  /* the request waits: req->pending is set */
    GW_JWT_KNOWN,  /* the issuer was asked after the token was made, and has no such key */
    GW_JWT_UNSURE, /* it does not answer, or was asked before and may not be asked yet */
};

/* made_ms: wall; by then the token was there.  Looks for more keys, once for all who ask at the
 * same time.  When there is an answer, or none within most_ms, step(req, conf) is run again, and
 * unless it waits on its verdict goes on. */
enum gw_jwt_hope gw_jwt_wait(struct gw_jwt_source *s, struct gw_req *req, uint64_t made_ms,
                             long long most_ms,
                             enum gw_verdict (*step)(struct gw_req *req, const void *conf),
                             const void *conf);

/* For jwt_source.c: all who wait look again. */
void gw_jwt_wake(struct gw_jwt_slot *slot);

#endif
