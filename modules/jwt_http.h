/*
 * jwt_http.h - one document from an issuer, by libcurl (docs/adr/0013-libcurl-fetches-keys.md).
 *
 * http and https alone; redirects are followed, but never from https to http, and never to an
 * address with a user's name or password; bounded in time and size.  The address of a document
 * comes from the configuration, or from a document that does.
 */
#ifndef GW_MODULES_JWT_HTTP_H
#define GW_MODULES_JWT_HTTP_H

#include "base/buf.h"
#include "modules/jwt_curl.h"

struct gw_jwt_get;

/* Asks for it; the owner comes back by gw_jwt_get_owner() when curl_multi_info_read() says that it
 * is over.  ca_file: the CAs in it are believed and no others; "": the system's are.  NULL: curl
 * has refused it. */
struct gw_jwt_get *gw_jwt_get_start(CURLM *multi, const char *url, const char *ca_file,
                                    long long timeout_ms, void *owner);
void *gw_jwt_get_owner(CURL *easy);

/* When it is over: NULL, and the rest can be asked; or why it was in vain, in static words. */
const char *gw_jwt_get_trouble(const struct gw_jwt_get *g, CURLcode code);
struct gw_str gw_jwt_get_body(const struct gw_jwt_get *g); /* borrowed */
/* How long the answer may be used without asking again (RFC 9111, 4.2.1: max-age less Age);
 * -1: it does not say. */
long long gw_jwt_get_fresh_ms(const struct gw_jwt_get *g);

/* Stops it when it is not over. */
void gw_jwt_get_free(struct gw_jwt_get *g); /* NULL is fine */

/* A user's name or a password stands in the URL, whether the rest of it is good or not. */
bool gw_jwt_url_has_user(const char *url);

/* The URL without what may be a secret, for logs: up to its query. */
struct gw_str gw_jwt_url_shown(const char *url);

#endif
