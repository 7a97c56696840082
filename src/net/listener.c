#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define BACKLOG 4096
/* Connections taken in one turn: the others' requests must not wait for a flood of new ones. */
#define TURN            64
#define OUT_OF_FILES_MS 100
#define LOG_EVERY_MS    10000

struct gw_listener {
    struct gw_loop *loop;
    struct event *event;
    struct gw_timer retry;
    uint64_t quiet_until_ms; /* what is wrong was said already */
    int fd;
    bool paused;
    void (*accepted)(void *owner, int fd, const struct sockaddr_storage *peer);
    void *owner;
};

static bool
parse_address(const char *text, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    const char *colon = strrchr(text, ':');
    char host[64];
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);

    memset(out, 0, sizeof(*out));
    if (n == 0 || n >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (host[0] == '[') {
        host[n - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        *size = sizeof(*v6);
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    *size = sizeof(*v4);
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

/* A socket with that address; among `shared` ones the kernel spreads the connections. */
static int
bind_one(const struct sockaddr_storage *sa, socklen_t size, bool shared)
{
    const int on = 1;
    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (sa->ss_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        /* what is accepted inherits it */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
        bind(fd, (const struct sockaddr *)sa, size) == 0) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A second server of the same user could share the address, too, and would take half of the
 * connections without a word: one that does not share finds that out. */
static bool
is_free(const struct sockaddr_storage *sa, socklen_t size)
{
    int fd = bind_one(sa, size, false);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

int
gw_listener_bind(const char *address, bool first, char why[160])
{
    struct sockaddr_storage sa;
    socklen_t size;
    int fd = -1;

    if (!parse_address(address, &sa, &size)) {
        (void)snprintf(why, 160, "%s is not an address and a port", address);
        return -1;
    }
    if (!first || is_free(&sa, size)) {
        fd = bind_one(&sa, size, true);
    }
    if (fd >= 0 && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    (void)snprintf(why, 160, "can't listen on %s: %s%s", address, strerror(errno),
                   errno == EADDRINUSE ? " (is another server running there?)" : "");
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* Does somebody answer there? */
static bool
is_live(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool live =
        fd >= 0 && (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno == EAGAIN);

    if (fd >= 0) {
        close(fd);
    }
    return live;
}

int
gw_listener_bind_unix(const char *path, unsigned mode, char why[160])
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(un.sun_path)) {
        (void)snprintf(why, 160, "the socket's path is longer than %zu bytes",
                       sizeof(un.sun_path) - 1);
        return -1;
    }
    memcpy(un.sun_path, path, strlen(path));
    if (is_live(&un)) {
        (void)snprintf(why, 160, "another server answers at %.100s", path);
        return -1;
    }
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mode must be right from the first moment, not a moment later. */
    mode_t before = umask(0777 & ~mode);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(fd, BACKLOG) == 0) {
        umask(before);
        return fd;
    }
    (void)snprintf(why, 160, "can't listen on %.80s: %s", path, strerror(errno));
    umask(before);
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static void
on_retry(struct gw_timer *t)
{
    struct gw_listener *l = (struct gw_listener *)((char *)t - offsetof(struct gw_listener, retry));

    if (!l->paused) {
        event_add(l->event, NULL);
    }
}

/* No descriptor or no memory for one more connection: it stays in the kernel's queue. */
static void
wait_for_files(struct gw_listener *l)
{
    uint64_t now = gw_loop_now_ms(l->loop);

    if (now >= l->quiet_until_ms) {
        gw_log_warn("can't accept: %s; new connections wait (raise the limit of open files)",
                    strerror(errno));
        l->quiet_until_ms = now + LOG_EVERY_MS;
    }
    event_del(l->event);
    gw_wheel_set(&l->loop->wheel, &l->retry, now + OUT_OF_FILES_MS);
}

/* False when there is nothing more to accept now. */
static bool
accept_one(struct gw_listener *l)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        l->accepted(l->owner, fd, &peer);
        return true;
    }
    if (gw_loop_made_room(l->loop, errno)) {
        return true; /* ask again */
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        wait_for_files(l);
        return false;
    }
    /* The client may have gone already (ECONNABORTED and the network errors of accept(2)). */
    return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF && errno != EINVAL;
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct gw_listener *l = arg;

    (void)fd;
    (void)what;
    gw_loop_turn(l->loop);
    for (int i = 0; i < TURN && !l->paused && accept_one(l); i++) {
    }
}

struct gw_listener *
gw_listener_new(struct gw_loop *loop, int fd,
                void (*accepted)(void *owner, int fd, const struct sockaddr_storage *peer),
                void *owner)
{
    struct gw_listener *l = gw_mem_alloc(sizeof(*l));

    *l = (struct gw_listener){.loop = loop, .fd = fd, .accepted = accepted, .owner = owner};
    l->retry.fire = on_retry;
    l->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_event, l);
    event_add(l->event, NULL);
    return l;
}

void
gw_listener_pause(struct gw_listener *l)
{
    l->paused = true;
    event_del(l->event);
}

void
gw_listener_resume(struct gw_listener *l)
{
    if (l->paused) {
        l->paused = false;
        event_add(l->event, NULL);
    }
}

void
gw_listener_retry(struct gw_listener *l)
{
    if (gw_wheel_is_set(&l->retry)) {
        gw_wheel_cancel(&l->retry);
        on_retry(&l->retry);
    }
}

void
gw_listener_close(struct gw_listener *l)
{
    l->paused = false;
    while (accept_one(l)) {
    }
    gw_wheel_cancel(&l->retry);
    event_free(l->event);
    close(l->fd);
    free(l);
}
