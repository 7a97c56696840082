/*
 * jwt_claims.h - what a token says, read after its signature was found good.
 *
 * RFC 7519 for the times and the audience, KubeSphere's own rules for the identity.  The claims
 * are read by jansson itself: libjwt, which reads them by jansson too, would parse the token a
 * second time and has no way to tell a missing number from 0.
 */
#ifndef GW_MODULES_JWT_CLAIMS_H
#define GW_MODULES_JWT_CLAIMS_H

#include "modules/jwt_verify.h"

/* Fills subject and expires_ms; out->issuer says by which rules.  GW_ERR_OK or TOKEN_...; *why
 * in static words. */
enum gw_err gw_jwt_claims_read(struct gw_jwt_claims *out, struct gw_arena *a, const json_t *claims,
                               uint64_t now_ms, const char **why);

#endif
