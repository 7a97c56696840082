/*
 * jwt_token.h - a token taken apart, strictly, before anything in it is believed.
 *
 * JWS compact form (RFC 7515, 7.1) with a JSON payload: header.payload.signature, each in
 * canonical base64url.  What two readers could read in two ways is refused: duplicate members,
 * padding, unused bits that are set, trailing bytes.
 */
#ifndef GW_MODULES_JWT_TOKEN_H
#define GW_MODULES_JWT_TOKEN_H

#include "base/err.h"
#include "modules/jwt_json.h"

#define GW_JWT_TOKEN_MAX 16384 /* bytes of a token */
#define GW_JWT_DEPTH_MAX 8     /* of its JSON; KubeSphere's own have two levels */

struct gw_jwt_token {
    struct gw_str text;                        /* as given */
    struct gw_str signed_text;                 /* "header.payload" of it */
    struct gw_str signature;                   /* decoded, arena */
    struct gw_str header_text, claims_text;    /* decoded, arena */
    const struct gw_jwt_json *header, *claims; /* arena */
    struct gw_str alg, kid;                    /* of the header; kid may be none */
    struct gw_str issuer;                      /* claim iss, or none */
};

/* GW_ERR_OK; else TOKEN_MALFORMED, TOKEN_ALGORITHM (no alg, none) or TOKEN_CLAIM (no iss), and
 * *why in static words for people who debug.  Whatever was read stays in t (NULL: not read). */
enum gw_err gw_jwt_token_split(struct gw_jwt_token *t, struct gw_arena *a, struct gw_str text,
                               const char **why);

/* Canonical base64url without padding (RFC 7515, 2).  False when it is not. */
bool gw_jwt_base64url(struct gw_arena *a, struct gw_str text, struct gw_str *bytes);

/* A text member, or none when it is absent; false when it is there and no text. */
bool gw_jwt_text(const struct gw_jwt_json *object, const char *name, struct gw_str *out);

#endif
