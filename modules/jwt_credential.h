/*
 * jwt_credential.h - where a request's credential stands.
 *
 * What is found here is not believed yet: jwt.c has it judged.
 */
#ifndef GW_MODULES_JWT_CREDENTIAL_H
#define GW_MODULES_JWT_CREDENTIAL_H

#include "gateway/req.h"

/* Slices of the request's head. */
struct gw_jwt_credential {
    struct gw_str scheme; /* as written: "Bearer", "basic" ...; NULL: there is no credential */
    struct gw_str token;  /* all that stands behind it */
};

/* False when there are two that disagree: nobody could know which one is meant. */
bool gw_jwt_credential_find(const struct gw_req *req, struct gw_jwt_credential *out);

#endif
