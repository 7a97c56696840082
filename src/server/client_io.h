/* client_io.h - the client's socket: connecting, writing and reading until a deadline. */
#ifndef GW_SERVER_CLIENT_IO_H
#define GW_SERVER_CLIENT_IO_H

#include <sys/types.h>

#include "http/url.h"
#include "server/client.h"

struct gw_client_io {
    int fd;
    uint64_t until_ms; /* mono */
    char where[160];   /* for messages: "the gateway at /run/ksgate/admin.sock" */
};

/* What --server says: http://HOST:PORT.  False: it is none; *why may be empty. */
bool gw_client_server(const char *server, struct gw_url *url, const char **why);

/* False: the diag says why.  On success fd is the caller's to close. */
bool gw_client_connect(struct gw_client_io *io, const struct gw_client *c, struct gw_diag *diag);

/* All of it. */
bool gw_client_write(struct gw_client_io *io, struct gw_str bytes, struct gw_diag *diag);

/* How many bytes came; 0: the other side has closed; -1: the diag says why. */
ssize_t gw_client_read(struct gw_client_io *io, char *into, size_t size, struct gw_diag *diag);

#endif
