/*
 * outlier.h - endpoints whose requests fail are left alone for a while (spec.outlier,
 * core.outlier; docs/adr/0005-endpoint-health.md).
 *
 * What the requests of one worker find out; nobody is asked, nothing is shared.  How the states
 * go is breaker.h's; here an endpoint has them, and tries.c tells how its requests went.
 */
#ifndef GW_GATEWAY_OUTLIER_H
#define GW_GATEWAY_OUTLIER_H

#include "config/schema.h"

struct gw_destination;
struct gw_endpoint;
struct gw_outlier; /* of an endpoint; made with the first failure, gone with a success */

struct gw_outlier_rules {
    long long errors;      /* in a row; 0: nothing is ever left alone */
    long long eject_ms;    /* the first time */
    long long max_ejected; /* percent of a destination's endpoints */
};

/* Of an object's section, and of the configuration's. */
extern const struct gw_setting gw_outlier_rows[], gw_outlier_core_rows[];

/* For endpoints that have failed: as in breaker.h. */
bool gw_outlier_admits(const struct gw_endpoint *e);
bool gw_outlier_refuses(const struct gw_endpoint *e);
/* How long until the next trial; 0: now, or one is under way. */
uint64_t gw_outlier_wait_ms(const struct gw_endpoint *e);
/* Why it is left alone: "5 failures in a row, the last: ..."; NULL: it is not.  A state of the
 * machine in one word is in *state when it is asked for. */
const char *gw_outlier_why(const struct gw_endpoint *e, struct gw_arena *arena, const char **state);

/* A request is sent there.  Not 0: as a trial of this number, which ends with one of the other
 * three. */
unsigned gw_outlier_begin(struct gw_endpoint *e);
/* The trial has ended, and nobody knows how it would have. */
void gw_outlier_cancel(struct gw_endpoint *e, unsigned trial);
/* A good answer began. */
void gw_outlier_ok(struct gw_endpoint *e);
/* to: for whose request; its rules hold.  silent: a deadline passed without a sign.  why: for
 * people, copied. */
void gw_outlier_failed(struct gw_endpoint *e, const struct gw_destination *to, bool silent,
                       unsigned trial, const char *why);

/* Something else speaks for it: the next request is a trial, however long it was to be left alone.
 */
void gw_outlier_retry_now(struct gw_endpoint *e);
void gw_outlier_fini(struct gw_endpoint *e);

#endif
