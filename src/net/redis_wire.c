#include "net/redis_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include "net/redis_tls.h"

static bool
say_errno(int error, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", strerror(error));
    return false;
}

/* On the line to a Sentinel nothing is said for days: a peer that is cut off is found within a
 * minute. */
static void
keep_alive(int fd)
{
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){30}, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){10}, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
}

static bool
begin(struct gw_redis_wire *w, const void *address, socklen_t n, char *text, size_t size)
{
    const struct sockaddr *to = address;

    *w = (struct gw_redis_wire){
        .fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (w->fd < 0) {
        return say_errno(errno, text, size);
    }
    if (to->sa_family != AF_UNIX) {
        (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        keep_alive(w->fd);
    }
    if (connect(w->fd, to, n) != 0 && errno != EINPROGRESS) {
        int error = errno;

        gw_redis_wire_close(w);
        return say_errno(error, text, size);
    }
    return true;
}

bool
gw_redis_wire_tcp(struct gw_redis_wire *w, const char *address, int port, char *text, size_t size)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    w->fd = -1;
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
        return begin(w, &in, sizeof(in), text, size);
    }
    if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
        return begin(w, &in6, sizeof(in6), text, size);
    }
    (void)snprintf(text, size, "%s is no address", address);
    return false;
}

bool
gw_redis_wire_unix(struct gw_redis_wire *w, const char *path, char *text, size_t size)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    w->fd = -1;
    if (strlen(path) >= sizeof(un.sun_path)) {
        return say_errno(ENAMETOOLONG, text, size);
    }
    memcpy(un.sun_path, path, strlen(path));
    return begin(w, &un, sizeof(un), text, size);
}

bool
gw_redis_wire_secure(struct gw_redis_wire *w, SSL_CTX *ctx, const char *name, char *text,
                     size_t size)
{
    w->tls = gw_redis_tls_session(ctx, w->fd, name, text, size);
    return w->tls != NULL;
}

void
gw_redis_wire_close(struct gw_redis_wire *w)
{
    SSL_free(w->tls);
    w->tls = NULL;
    if (w->fd >= 0) {
        (void)close(w->fd);
        w->fd = -1;
    }
}

int
gw_redis_wire_arrive(struct gw_redis_wire *w, char *text, size_t size)
{
    int error = 0;
    socklen_t n = sizeof(error);

    (void)getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error != 0) {
        (void)say_errno(error, text, size);
        return GW_REDIS_WIRE_FAILED;
    }
    w->connected = true;
    return 1;
}

/* What became of a call that moved nothing.  The handshake is part of the first ones. */
static long
tls_got(struct gw_redis_wire *w, int result, char *text, size_t size)
{
    int error = errno;

    switch (SSL_get_error(w->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return GW_REDIS_WIRE_WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
        return GW_REDIS_WIRE_WAIT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return GW_REDIS_WIRE_END;
    case SSL_ERROR_SYSCALL:
        if (ERR_peek_error() == 0) {
            (void)say_errno(error, text, size);
            return error == 0 ? GW_REDIS_WIRE_END : GW_REDIS_WIRE_FAILED;
        }
        break;
    default:
        break;
    }
    gw_redis_tls_say(w->tls, text, size);
    return GW_REDIS_WIRE_FAILED;
}

bool
gw_redis_wire_is_greeting(const struct gw_redis_wire *w)
{
    return w->tls != NULL && SSL_is_init_finished(w->tls) == 0;
}

bool
gw_redis_wire_has_more(const struct gw_redis_wire *w)
{
    return w->tls != NULL && SSL_pending(w->tls) > 0;
}

static long
tls_read(struct gw_redis_wire *w, char *into, size_t n, char *text, size_t size)
{
    size_t got = 0;

    ERR_clear_error();
    errno = 0;
    int ok = SSL_read_ex(w->tls, into, n, &got);
    return ok == 1 ? (long)got : tls_got(w, ok, text, size);
}

static long
tls_write(struct gw_redis_wire *w, const char *bytes, size_t n, char *text, size_t size)
{
    size_t put = 0;

    ERR_clear_error();
    errno = 0;
    int ok = SSL_write_ex(w->tls, bytes, n, &put);
    return ok == 1 ? (long)put : tls_got(w, ok, text, size);
}

long
gw_redis_wire_read(struct gw_redis_wire *w, char *into, size_t n, char *text, size_t size)
{
    if (w->tls != NULL) {
        return tls_read(w, into, n, text, size);
    }
    ssize_t got = read(w->fd, into, n);

    if (got >= 0) {
        return got;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return GW_REDIS_WIRE_WAIT_READ;
    }
    (void)say_errno(errno, text, size);
    return GW_REDIS_WIRE_FAILED;
}

long
gw_redis_wire_write(struct gw_redis_wire *w, const char *bytes, size_t n, char *text, size_t size)
{
    if (w->tls != NULL) {
        return tls_write(w, bytes, n, text, size);
    }
    ssize_t put = write(w->fd, bytes, n);

    if (put > 0) {
        return put;
    }
    if (put == 0 || errno == EAGAIN || errno == EINTR) {
        return GW_REDIS_WIRE_WAIT_WRITE;
    }
    (void)say_errno(errno, text, size);
    return GW_REDIS_WIRE_FAILED;
}
