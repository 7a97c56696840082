/*
 * jwt_wait.h - a request whose token needs a key that is not known waits while it is looked for.
 *
 * As many may wait as there are connections; each for key_sets.wait at most.  When there is news,
 * so many of them are looked at in one turn of the loop that the others' requests don't notice.
 */
#ifndef GW_MODULES_JWT_WAIT_H
#define GW_MODULES_JWT_WAIT_H

#include "modules/jwt_verify.h"

enum gw_jwt_hope {
    GW_JWT_WAITS,  /* the request waits: req->pending is set */
    GW_JWT_KNOWN,  /* the issuer was asked after the token was made, and has no such key */
    GW_JWT_UNSURE, /* it does not answer, or was asked before and may not be asked yet */
};

/* The step that is run again. */
typedef enum gw_verdict gw_jwt_step_fn(struct gw_req *req, const void *conf);

/* Why a token is not good as far as we know. */
struct gw_jwt_finding {
    const struct gw_jwt_lack *lacking; /* the request's arena's; at least one */
    const char *why;                   /* static */
    enum gw_err err;
};

/* Looks for more keys, at all sources that lack them, once for all who ask at the same time.  When
 * there is an answer, or none within most_ms, step(req, conf) is run again, and unless it waits on
 * its verdict goes on.  now_ms: wall; by then the token was there. */
enum gw_jwt_hope gw_jwt_wait(struct gw_req *req, const struct gw_jwt_finding *found,
                             uint64_t now_ms, long long most_ms, gw_jwt_step_fn *step,
                             const void *conf);

/* Of a request that looks again while all keys are what they were: what was found before.  NULL:
 * there is something to look at. */
const struct gw_jwt_finding *gw_jwt_wait_found(const struct gw_req *req);

/* For jwt_source.c, on the worker's thread: all who wait look again; the keys are others now. */
void gw_jwt_wake(struct gw_jwt_slot *slot);
void gw_jwt_wait_changed(void);

#endif
