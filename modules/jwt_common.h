/*
 * jwt_common.h - what the tokens of many have in common, kept once.
 *
 * Issuer, key, groups and what else is said of the subject: of 50 000 remembered tokens these are
 * some hundred different ones.  Counted; one thread at a time.
 */
#ifndef GW_MODULES_JWT_COMMON_H
#define GW_MODULES_JWT_COMMON_H

#include "modules/jwt_verify.h"

struct gw_jwt_commons;

struct gw_jwt_common {
    unsigned refs;
    struct gw_jwt_commons *home;  /* where it can be found; NULL: nowhere */
    const struct gw_jwt_key *key; /* compared, and not looked into: it may be gone */
    struct gw_str issuer, key_id; /* the issuer is the settings' own text */
    struct gw_subject subject;    /* without a name */
    struct gw_str text;           /* all of it, as it is compared */
};

struct gw_jwt_commons *gw_jwt_commons_new(void);
/* Those that somebody refers to stay for as long. */
void gw_jwt_commons_free(struct gw_jwt_commons *c);
size_t gw_jwt_commons_bytes(const struct gw_jwt_commons *c); /* of the heap, all together */

/* The one that says what the claims say; made when there is none.  One reference for the caller.
 * c may be NULL: then it is the caller's alone. */
struct gw_jwt_common *gw_jwt_common_get(struct gw_jwt_commons *c,
                                        const struct gw_jwt_claims *claims);
void gw_jwt_common_unref(struct gw_jwt_common *m);

#endif
