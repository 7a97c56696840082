/*
 * login_provider.h - one identity provider as a client of it sees it: who we are to it, and where
 * its endpoints are.
 *
 * Made with a configuration; whoever asks it something keeps it until there is an answer.
 */
#ifndef GW_MODULES_LOGIN_PROVIDER_H
#define GW_MODULES_LOGIN_PROVIDER_H

#include <stdatomic.h>

#include "base/buf.h"
#include "modules/jwt_http.h"

enum gw_login_endpoint {
    GW_LOGIN_AUTHORIZATION,
    GW_LOGIN_TOKEN,
    GW_LOGIN_END_SESSION,
    GW_LOGIN_REVOCATION,
    GW_LOGIN_N_ENDPOINTS
};

/* How a client shows its secret (RFC 6749, 2.3.1). */
enum gw_login_auth {
    GW_LOGIN_AUTH_BASIC,
    GW_LOGIN_AUTH_POST,
};

#define GW_LOGIN_TAG 8

struct gw_login_question;

struct gw_login_provider {
    atomic_uint refs;
    /* what the settings say; owned, never changed */
    char *issuer, *ca_file, *client_id;
    char *secret;   /* NULL: a public client */
    char *document; /* where the endpoints are told; NULL: all that is needed is written */
    char *written[GW_LOGIN_N_ENDPOINTS]; /* or NULL */
    unsigned char tag[GW_LOGIN_TAG];     /* of the issuer and who we are to it */
    enum gw_login_auth auth;
    long long timeout_ms, remember_ms, retry_ms;
    long long fresh_ms; /* of the document */
    size_t remembered, pending;
    /* the thread's that asks (login_ask.c) */
    char *found[GW_LOGIN_N_ENDPOINTS];  /* what the document says, or NULL */
    uint64_t found_ms;                  /* mono; 0: never read */
    struct gw_jwt_get *get;             /* the document is being fetched */
    struct gw_login_question *waiting;  /* until it is here */
    size_t asking;                      /* questions that are under way */
    uint64_t failed_ms;                 /* mono; the document could not be had; 0: it could */
    const char *trouble[2];             /* static words: the last that the log has of the document,
                                           and of the endpoints; NULL: all is well */
    struct gw_login_provider *fetching; /* the next whose document is being fetched */
};

struct gw_login_provider *gw_login_provider_ref(struct gw_login_provider *p);
void gw_login_provider_unref(struct gw_login_provider *p); /* NULL is fine */

/* What is written, or else what was found; NULL: neither. */
const char *gw_login_provider_url(const struct gw_login_provider *p, enum gw_login_endpoint e);

/* Takes over what the document says (OpenID Connect Discovery 1.0, 3).  NULL; or why it is of no
 * use, in static words: then nothing has changed. */
const char *gw_login_provider_read(struct gw_login_provider *p, struct gw_str document);

/* Appends who we are to a form, and makes the header (or none) that shows it, in `header`. */
void gw_login_provider_identify(const struct gw_login_provider *p, struct gw_buf *form,
                                struct gw_buf *header);

/* Appends "name=value" of a form or query, with '&' before it unless it is the first; the value is
 * escaped. */
void gw_login_form_add(struct gw_buf *out, const char *name, struct gw_str value);

#endif
