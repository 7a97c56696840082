/*
 * identity_assertion.h - a short-lived token that tells one extension who asks.
 *
 * A JWS in compact form (RFC 7515), ES256 (RFC 7518, 3.4).  Header: alg, typ "JWT", kid.  Claims:
 * iss, aud (the extension's name), sub and username (the user's name), groups, uid and extra
 * where there are any, iat, nbf, exp, jti (128 random bits), and token_type "assertion", so that
 * one that is sent to a gateway is no credential there.
 */
#ifndef GW_MODULES_IDENTITY_ASSERTION_H
#define GW_MODULES_IDENTITY_ASSERTION_H

#include "gateway/req.h"
#include "modules/identity_settings.h"

/* What one thread signs with. */
struct gw_identity_signer;

/* The settings are borrowed, and have a signing key.  NULL: OpenSSL can't. */
struct gw_identity_signer *gw_identity_signer_new(const struct gw_identity_settings *settings);
void gw_identity_signer_free(struct gw_identity_signer *s); /* NULL is fine */

/* Appends the token.  False when it can't be made: a name that is no UTF-8 can't be told. */
bool gw_identity_sign(struct gw_identity_signer *s, const struct gw_subject *subject,
                      struct gw_str audience, uint64_t now_ms, struct gw_buf *out);

#endif
