/*
 * login_answer.h - what the provider has answered.
 *
 * Never changed once it is made, and counted: what has come of a refresh is for all who wait for
 * it, in all workers.
 */
#ifndef GW_MODULES_LOGIN_ANSWER_H
#define GW_MODULES_LOGIN_ANSWER_H

#include "modules/login_provider.h"

enum gw_login_outcome {
    GW_LOGIN_GOOD,
    GW_LOGIN_DENIED, /* it says no, and will say so again (invalid_grant) */
    GW_LOGIN_AWAY,   /* it can't be reached, is in trouble, or does not know us */
    GW_LOGIN_ODD,    /* its answer is of no use */
};

/* A token, and until when it is good; text NULL: there is none. */
struct gw_login_grant {
    char *text;          /* owned */
    uint64_t expires_ms; /* wall */
};

struct gw_login_answer {
    atomic_uint refs;
    enum gw_login_outcome outcome;
    const char *trouble; /* static words, for the log; NULL: it was good */
    char error[48];      /* the provider's own word for that ("invalid_grant"), or "" */
    uint64_t got_ms;     /* wall */
    struct gw_login_grant access, id, refresh;
    char *url[GW_LOGIN_N_ENDPOINTS]; /* owned; NULL: there is no such endpoint, or nobody asked */
};

struct gw_login_answer *gw_login_answer_new(enum gw_login_outcome outcome, const char *trouble);
struct gw_login_answer *gw_login_answer_ref(struct gw_login_answer *a);
void gw_login_answer_unref(struct gw_login_answer *a); /* NULL is fine */

/* Of a token endpoint (RFC 6749, 5; OpenID Connect Core 1.0, 3.1.3.3).  Nothing in it is believed
 * yet; now_ms: wall. */
struct gw_login_answer *gw_login_answer_read(long status, struct gw_str body, uint64_t now_ms);

/* Copies a provider's word for an error (RFC 6749, 4.1.2.1): what is no such word becomes "?". */
void gw_login_error_word(struct gw_str word, char out[48]);

#endif
