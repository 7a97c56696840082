/*
 * jwt_fetch.h - the keys of issuers that publish them, fetched by a thread of their own.
 *
 * Each source is asked at the start, again when 80 % of what its answer says of its freshness is
 * over, and when a request has a token of a key that nobody knows.  Whatever comes of it goes to
 * every worker by mail.  An answer that is late, missing or rubbish changes nothing of what is
 * known, but for the time of the next question.
 */
#ifndef GW_MODULES_JWT_FETCH_H
#define GW_MODULES_JWT_FETCH_H

#include "config/schema.h"
#include "modules/jwt_curl.h"
#include "modules/jwt_source.h"

/* The config section `authentication.key_sets`. */
struct gw_jwt_fetch_settings {
    const char *file;     /* what was good last */
    long long timeout_ms; /* of one document */
    long long wait_ms;    /* of a request whose key is looked for */
    long long refetch_ms; /* between two questions that requests are the cause of */
    long long refresh_min_ms, refresh_ms, refresh_max_ms;
};

extern const struct gw_setting gw_jwt_fetch_rows[];

/* Control thread.  These sources are in use from now on, and no others.  The thread begins with the
 * first.  worlds: borrowed until the end. */
void gw_jwt_fetch_use(const struct gw_jwt_fetch_settings *settings,
                      struct gw_jwt_source *const *list, size_t n, struct gw_world *const *worlds,
                      size_t n_worlds);

/* Control thread, when no worker runs any more. */
void gw_jwt_fetch_stop(void);

/* Control thread.  The thread runs, whether there are sources or not: others have questions for
 * issuers, too (login_ask.c).  on_stop: at its end, when it runs no more; there it is one fn for
 * all. */
void gw_jwt_fetch_start(struct gw_world *const *worlds, size_t n_worlds);
void gw_jwt_fetch_on_stop(void (*fn)(void));

/* Any thread, once it was started: mail for it; the receiver is what gw_jwt_fetch_multi() has the
 * handle of. */
void gw_jwt_fetch_send(struct gw_mail *mail);
CURLM *gw_jwt_fetch_multi(void *thread);

/* A worker: a key is missing.  The answer is a gw_jwt_news with `wake`. */
void gw_jwt_fetch_ask(struct gw_jwt_source *s, struct gw_world *w);

#endif
