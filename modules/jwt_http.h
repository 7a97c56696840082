/*
 * jwt_http.h - one question to an issuer, by libcurl (docs/adr/0013-libcurl-fetches-keys.md): for a
 * document, or by a form.
 *
 * http and https alone; redirects to a document are followed, but never from https to http, and
 * never to an address with a user's name or password; bounded in time and size.  The address
 * comes from the configuration, or from a document that does.
 */
#ifndef GW_MODULES_JWT_HTTP_H
#define GW_MODULES_JWT_HTTP_H

#include "base/buf.h"
#include "modules/jwt_curl.h"

struct gw_jwt_get;

/* It has come to an end; thread: what gw_jwt_get_over() was given. */
typedef void gw_jwt_over_fn(void *thread, void *owner, CURLcode code);

struct gw_jwt_ask {
    const char *url;
    const char *ca_file; /* the CAs in it are believed and no others; "": the system's are */
    long long timeout_ms;
    const char *form;          /* a form's content, copied; NULL: a document is asked for */
    const char *authorization; /* a whole header line; NULL: none */
    gw_jwt_over_fn *over;
    void *owner;
};

/* Asks.  A form is sent once: neither behind a redirect nor anew, for what is in it may be good
 * for one time only.  NULL: curl has refused it. */
struct gw_jwt_get *gw_jwt_get_start(CURLM *multi, const struct gw_jwt_ask *ask);

/* curl_multi_info_read() says that it is over: its owner hears of it. */
void gw_jwt_get_over(CURL *easy, void *thread, CURLcode code);

/* When it is over: NULL, and the rest can be asked; or why it was in vain, in static words. */
const char *gw_jwt_get_trouble(const struct gw_jwt_get *g, CURLcode code);
/* The same when an answer of any status is one; the status is told. */
const char *gw_jwt_get_answered(const struct gw_jwt_get *g, CURLcode code, long *status);
struct gw_str gw_jwt_get_body(const struct gw_jwt_get *g); /* borrowed */
/* How long the answer may be used without asking again (RFC 9111, 4.2.1: max-age less Age);
 * -1: it does not say. */
long long gw_jwt_get_fresh_ms(const struct gw_jwt_get *g);

/* Stops it when it is not over. */
void gw_jwt_get_free(struct gw_jwt_get *g); /* NULL is fine */

/* A user's name or a password stands in the URL, whether the rest of it is good or not. */
bool gw_jwt_url_has_user(const char *url);

/* By http, and nobody else is between here and there. */
bool gw_jwt_url_is_loopback(const char *url);

/* The URL without what may be a secret, for logs: up to its query. */
struct gw_str gw_jwt_url_shown(const char *url);

#endif
