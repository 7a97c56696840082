/*
 * jwt_verify.h - is this token good, and whom does it name?
 *
 * The whole of decision 13: the keys are chosen by the issuer, one of them by the token's kid, the
 * algorithm by the key, the
 * signature is checked by OpenSSL, and only then the claims are read.  The gateway on its way
 * and `ksgate token --decode` ask the same function.
 */
#ifndef GW_MODULES_JWT_VERIFY_H
#define GW_MODULES_JWT_VERIFY_H

#include "gateway/req.h"
#include "modules/jwt_hash.h"
#include "modules/jwt_issuers.h"

#define GW_JWT_NAME_MAX 256 /* bytes of a user's or a group's name */

/* One thread's OpenSSL contexts for the keys of one settings. */
struct gw_jwt_verifiers;

/* settings are borrowed.  world_id: whose thread it is; of no interest outside a server. */
struct gw_jwt_verifiers *gw_jwt_verifiers_new(const struct gw_jwt_settings *settings,
                                              unsigned world_id);
void gw_jwt_verifiers_free(struct gw_jwt_verifiers *v); /* NULL is fine */

/* A source that may have other keys by now, and when the token was made at the latest, as it says.
 */
struct gw_jwt_lack {
    struct gw_jwt_lack *next;
    struct gw_jwt_source *source;
    uint64_t made_ms; /* wall */
};

/* What a good token says.  Slices live as long as the arena. */
struct gw_jwt_claims {
    const struct gw_jwt_issuer *issuer;
    const struct gw_jwt_key *key; /* whose signature it is; one of the issuer's */
    /* of a token that is not good: where its key may be; each source once; NULL: nowhere */
    const struct gw_jwt_lack *lacking;
    struct gw_str key_id; /* as the header says; or none */
    struct gw_subject subject;
    struct gw_str id;                      /* claim jti, or none */
    bool lasting;                          /* a static_token */
    uint64_t issued_ms;                    /* claim iat, wall clock; 0: there is none */
    uint64_t expires_ms;                   /* wall clock, leeway included; UINT64_MAX: never */
    unsigned char digests[2][GW_JWT_HASH]; /* of what is signed, and of all of it */
};

/* GW_ERR_OK and *out; or KEYS_UNAVAILABLE or a TOKEN_... error, and *why in static words for people
 * who debug. */
enum gw_err gw_jwt_verify(struct gw_jwt_verifiers *v, struct gw_arena *a, struct gw_str token,
                          uint64_t now_ms, struct gw_jwt_claims *out, const char **why);

/* Nobody in particular: system:anonymous, in system:unauthenticated. */
void gw_jwt_anonymous(struct gw_subject *s);

#endif
