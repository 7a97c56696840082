/* redis_wire.h - the socket of a connection to Redis; for redis_link.c. */
#ifndef GW_NET_REDIS_WIRE_H
#define GW_NET_REDIS_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

struct gw_redis_wire {
    int fd;   /* -1: none */
    SSL *tls; /* NULL: plain */
    bool connected;
};

enum gw_redis_wire_got {
    GW_REDIS_WIRE_END = 0,         /* the server has closed it */
    GW_REDIS_WIRE_WAIT_READ = -1,  /* nothing until the socket can be read */
    GW_REDIS_WIRE_WAIT_WRITE = -2, /* ... or written */
    GW_REDIS_WIRE_FAILED = -3      /* text says why */
};

/* Begin to connect, to an address or a socket file.  False: text says why. */
bool gw_redis_wire_tcp(struct gw_redis_wire *w, const char *address, int port, char *text,
                       size_t size);
bool gw_redis_wire_unix(struct gw_redis_wire *w, const char *path, char *text, size_t size);
/* ... and TLS over it, with a server that proves to be `name`. */
bool gw_redis_wire_secure(struct gw_redis_wire *w, SSL_CTX *ctx, const char *name, char *text,
                          size_t size);
void gw_redis_wire_close(struct gw_redis_wire *w);

/* The socket was said to be writable: > 0 it is connected, or gw_redis_wire_got. */
int gw_redis_wire_arrive(struct gw_redis_wire *w, char *text, size_t size);

/* TLS' handshake is not over. */
bool gw_redis_wire_is_greeting(const struct gw_redis_wire *w);

/* Bytes of the last read are left, of which the socket knows nothing. */
bool gw_redis_wire_has_more(const struct gw_redis_wire *w);

/* Bytes moved, or gw_redis_wire_got. */
long gw_redis_wire_read(struct gw_redis_wire *w, char *into, size_t n, char *text, size_t size);
long gw_redis_wire_write(struct gw_redis_wire *w, const char *bytes, size_t n, char *text,
                         size_t size);

#endif
