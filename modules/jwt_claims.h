/*
 * jwt_claims.h - what a token says, read after its signature was found good.
 *
 * RFC 7519 for the times and the audience, KubeSphere's own rules for the identity.
 */
#ifndef GW_MODULES_JWT_CLAIMS_H
#define GW_MODULES_JWT_CLAIMS_H

#include "modules/jwt_json.h"
#include "modules/jwt_verify.h"

/* Fills subject and expires_ms; out->issuer says by which rules.  GW_ERR_OK or TOKEN_...; *why
 * in static words. */
enum gw_err gw_jwt_claims_read(struct gw_jwt_claims *out, struct gw_arena *a,
                               const struct gw_jwt_json *claims, uint64_t now_ms, const char **why);

#endif
