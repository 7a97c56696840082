#include "server/client_io.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static const struct gw_place nowhere;

/* Waits for the socket.  False: the deadline has passed, which the diag says. */
static bool
wait_for(struct gw_client_io *io, short events, struct gw_diag *diag)
{
    for (;;) {
        uint64_t now = gw_clock_mono_ms();
        struct pollfd p = {.fd = io->fd, .events = events};
        int n = now < io->until_ms ? poll(&p, 1, (int)(io->until_ms - now)) : 0;

        if (n > 0) {
            return true;
        }
        if (n == 0) {
            gw_diag_error(diag, nowhere, "%s did not answer in time", io->where);
            return false;
        }
        if (errno != EINTR) {
            gw_diag_error(diag, nowhere, "%s: %s", io->where, strerror(errno));
            return false;
        }
    }
}

/* 0, or the errno of why not. */
static int
connect_to(struct gw_client_io *io, const struct sockaddr *address, socklen_t n,
           struct gw_diag *diag)
{
    int error = 0;
    socklen_t size = sizeof(error);

    io->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (io->fd < 0) {
        return errno;
    }
    if (connect(io->fd, address, n) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        if (!wait_for(io, POLLOUT, diag)) {
            error = ETIMEDOUT;
        } else if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            error = errno;
        }
    }
    if (error != 0) {
        (void)close(io->fd);
        io->fd = -1;
    }
    return error;
}

static bool
connect_socket(struct gw_client_io *io, const char *path, struct gw_diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    int error;

    if (n >= sizeof(address.sun_path)) {
        gw_diag_error(diag, nowhere, "the socket's path is longer than %zu bytes: %s",
                      sizeof(address.sun_path) - 1, path);
        return false;
    }
    memcpy(address.sun_path, path, n);
    error = connect_to(io, (struct sockaddr *)&address, sizeof(address), diag);
    switch (error) {
    case 0:
        return true;
    case ENOENT:
    case ECONNREFUSED:
        gw_diag_error(diag, nowhere,
                      "no gateway listens at %s: is `ksgate serve` running? (--socket names "
                      "another socket, -c another configuration)",
                      path);
        return false;
    case EACCES:
        gw_diag_error(diag, nowhere,
                      "%s may not be used by this user: run it as the gateway's user or root, or "
                      "use --server with a token",
                      path);
        return false;
    default:
        gw_diag_error(diag, nowhere, "%s: %s", path, strerror(error));
        return false;
    }
}

bool
gw_client_server(const char *server, struct gw_url *url, const char **why)
{
    *why = "";
    return gw_url_parse(gw_str_of(server), url, why) && gw_str_eq(url->scheme, GW_STR("http")) &&
           url->path.n == 0;
}

static bool
connect_server(struct gw_client_io *io, const char *server, struct gw_diag *diag)
{
    struct gw_url url;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *why = "";
    char port[8];
    int error = 0;

    if (!gw_client_server(server, &url, &why)) {
        gw_diag_error(diag, nowhere, "--server %s: it takes http://HOST:PORT%s%s", server,
                      *why == '\0' ? "" : "; ", why);
        return false;
    }
    char *host = gw_mem_strndup(url.host);
    (void)snprintf(port, sizeof(port), "%u", url.port);
    error = getaddrinfo(host, port, &hints, &found);
    free(host);
    if (error != 0) {
        gw_diag_error(diag, nowhere, "%s: %s", server, gai_strerror(error));
        return false;
    }
    error = EADDRNOTAVAIL;
    for (const struct addrinfo *a = found; a != NULL && error != 0; a = a->ai_next) {
        error = connect_to(io, a->ai_addr, a->ai_addrlen, diag);
    }
    freeaddrinfo(found);
    if (error != 0) {
        gw_diag_error(diag, nowhere, "no gateway answers at %s: %s", server, strerror(error));
    }
    return error == 0;
}

bool
gw_client_connect(struct gw_client_io *io, const struct gw_client *c, struct gw_diag *diag)
{
    (void)snprintf(io->where, sizeof(io->where), "the gateway at %s",
                   c->server != NULL ? c->server : c->socket);
    return c->server != NULL ? connect_server(io, c->server, diag)
                             : connect_socket(io, c->socket, diag);
}

bool
gw_client_write(struct gw_client_io *io, struct gw_str bytes, struct gw_diag *diag)
{
    while (bytes.n > 0) {
        ssize_t n = send(io->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (n >= 0) {
            bytes = gw_str_skip(bytes, (size_t)n);
        } else if (errno == EAGAIN) {
            if (!wait_for(io, POLLOUT, diag)) {
                return false;
            }
        } else if (errno != EINTR) {
            gw_diag_error(diag, nowhere, "%s: %s", io->where, strerror(errno));
            return false;
        }
    }
    return true;
}

ssize_t
gw_client_read(struct gw_client_io *io, char *into, size_t size, struct gw_diag *diag)
{
    for (;;) {
        ssize_t n = recv(io->fd, into, size, 0);

        if (n >= 0) {
            return n;
        }
        if (errno == EAGAIN) {
            if (!wait_for(io, POLLIN, diag)) {
                return -1;
            }
        } else if (errno != EINTR) {
            gw_diag_error(diag, nowhere, "%s: %s", io->where, strerror(errno));
            return -1;
        }
    }
}
