/*
 * login_ask.h - questions to the identity provider, asked by the thread that fetches keys
 * (jwt_fetch.h), since workers wait for nobody.
 *
 *     a worker  -- a question, as mail -->  the thread  -- the same, with its answer -->  the
 * worker
 *
 * Where its endpoints are is asked at the first question that has to know it, and again beside one
 * when that is old (login.discovery_refresh).  A
 * refresh token is used once, whoever asks: what came of it is remembered (login.refresh_remember,
 * and as long as the token is good that it was to replace) for those who come late.  What is given
 * back at a logout is the newest that came of it.
 */
#ifndef GW_MODULES_LOGIN_ASK_H
#define GW_MODULES_LOGIN_ASK_H

#include "base/mailbox.h"
#include "gateway/world.h"
#include "modules/login_answer.h"
#include "modules/login_flights.h"

enum gw_login_kind {
    GW_LOGIN_ASK_ENDPOINTS, /* where is everything? */
    GW_LOGIN_ASK_CODE,      /* tokens for a code */
    GW_LOGIN_ASK_REFRESH,   /* and for a refresh token */
    GW_LOGIN_ASK_REVOKE,    /* a refresh token is given back; nobody waits for it */
};

struct gw_login_question;

/* On the worker that has asked; the answer is borrowed. */
typedef void gw_login_told_fn(struct gw_login_question *q, struct gw_login_answer *answer);

/* Heap memory.  The asker fills in what stands first, and it is the thread's from gw_login_ask()
 * on, but for the owner; it is freed when `told` returns. */
struct gw_login_question {
    struct gw_mail mail;
    enum gw_login_kind kind;
    struct gw_login_provider *provider; /* a reference */
    struct gw_world *world;             /* whose worker asks */
    gw_login_told_fn *told;             /* NULL: nobody wants to know */
    void *owner; /* the worker's own, looked at by nobody else; it may be changed meanwhile */
    char *form;  /* owned; the grant, without who asks; to be given back: the refresh token; or NULL
                  */
    unsigned char key[GW_LOGIN_FLIGHT_KEY]; /* of a refresh token */
    uint64_t got_ms;     /* wall; when it was got: what came of it before does not count */
    uint64_t expires_ms; /* wall; until then somebody may come with that refresh token again */
    /* the thread's */
    struct gw_jwt_get *get;
    struct gw_login_answer *answer;
    struct gw_login_question *next, **prev; /* of all that are under way */
    struct gw_login_question *after;        /* of those who wait for the same */
    bool again;                             /* it was asked once in vain */
};

/* A worker.  There is an answer to each, be it that there is none. */
void gw_login_ask(struct gw_login_question *q);

/* Control thread: the thread runs from now on. */
void gw_login_ask_start(struct gw_world *const *worlds, size_t n);

#endif
