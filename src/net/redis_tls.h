/* redis_tls.h - TLS to a Redis: the files it needs, and what went wrong; for the rest of redis*.c.
 */
#ifndef GW_NET_REDIS_TLS_H
#define GW_NET_REDIS_TLS_H

#include <openssl/ssl.h>

#include "net/redis.h"

/* Texts are copied and owned; "" becomes NULL. */
void gw_redis_tls_copy(struct gw_redis_tls_conf *to, const struct gw_redis_tls_conf *from);
void gw_redis_tls_fini(struct gw_redis_tls_conf *c);

/* Could it be used, with this URL's scheme?  False: see diag. */
bool gw_redis_tls_check(const struct gw_redis_tls_conf *c, bool spoken, struct gw_diag *diag);

/* Reads the files, so that renewed ones count.  NULL: text says why. */
SSL_CTX *gw_redis_tls_context(const struct gw_redis_tls_conf *c, char *text, size_t size);

/* A client's session on the connected or connecting socket; the server has to have a certificate
 * for `name`, a host or an address.  NULL: text says why. */
SSL *gw_redis_tls_session(SSL_CTX *ctx, int fd, const char *name, char *text, size_t size);

/* After a call that failed: in words. */
void gw_redis_tls_say(const SSL *ssl, char *text, size_t size);

#endif
