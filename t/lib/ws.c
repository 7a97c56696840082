/*
 * ws.c - both ends of many WebSockets, for t/lib/Gateway/Sockets.pm.
 *
 *     ws echo PORT                   a backend that sends each message back; prints "ready"
 *     ws load PORT SOCKETS SIZE PATH opens them, prints "open", and obeys its standard input:
 *         rate MESSAGES SECONDS      so many a second, each by the next socket
 *         window MESSAGES SECONDS    so many under way at any time, as fast as goes
 *
 * An order is answered by "COUNT SECONDS P50 P99 LATE": messages that came back, the time they took
 * in microseconds, and how many could not be sent in time.  At most one message of a socket is
 * under way.  One thread each, on 127.0.0.1; any surprise ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The key and the answer of RFC 6455, 1.3: so nobody needs SHA-1 here. */
#define KEY        "dGhlIHNhbXBsZSBub25jZQ=="
#define ANSWER     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define BUFFER     ((size_t)256 * 1024)
#define SIZE_MOST  65535
#define FRAME_MOST ((size_t)SIZE_MOST + 8)
#define TIMES_MOST 4000000
#define BATCH      256

struct end {
    int fd;
    bool open; /* the handshake is over */
    bool busy; /* load: a message of it is under way */
    uint64_t sent_ns;
    char *kept; /* the beginning of a head or a frame */
    size_t n_kept;
};

static int loop;
static char buffer[BUFFER];
static char out[FRAME_MOST];

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in
local(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void
watch(struct end *e)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
    const int on = 1;

    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(loop, EPOLL_CTL_ADD, e->fd, &event) != 0) {
        err(1, "epoll_ctl");
    }
}

static void
put(const struct end *e, const char *p, size_t n)
{
    if (send(e->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n) {
        err(1, "send"); /* one message always fits into a socket's buffer */
    }
}

/* -- frames -------------------------------------------------------------------------------------
 */

static size_t
make_frame(bool masked, const char *payload, size_t size)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t at = 0;

    out[at++] = (char)0x82;
    if (size < 126) {
        out[at++] = (char)(size | (masked ? 0x80U : 0));
    } else {
        out[at++] = (char)(126U | (masked ? 0x80U : 0));
        out[at++] = (char)(size >> 8);
        out[at++] = (char)(size & 0xffU);
    }
    for (size_t i = 0; masked && i < sizeof(mask); i++) {
        out[at++] = (char)mask[i];
    }
    for (size_t i = 0; i < size; i++) {
        out[at + i] = (char)(payload[i] ^ (masked ? mask[i % 4] : 0));
    }
    return at + size;
}

/* The length of the frame at p, payload at *from; 0: it is not all there. */
static size_t
read_frame(char *p, size_t n, size_t *from, size_t *size)
{
    if (n < 2) {
        return 0;
    }
    const unsigned char *u = (const unsigned char *)p;
    bool masked = (u[1] & 0x80U) != 0;
    size_t at = 2;

    *size = u[1] & 0x7fU;
    if (u[0] != 0x82 || *size == 127) {
        errx(1, "not a frame of ours");
    }
    if (*size == 126) {
        at = 4;
        *size = n < 4 ? SIZE_MOST : (size_t)u[2] << 8 | u[3];
    }
    *from = at + (masked ? 4 : 0);
    if (n < *from + *size) {
        return 0;
    }
    for (size_t i = 0; masked && i < *size; i++) {
        p[*from + i] = (char)(p[*from + i] ^ p[at + i % 4]);
    }
    return *from + *size;
}

/* What has come, behind what was kept; false at the end. */
static bool
take(struct end *e, size_t *n)
{
    if (e->n_kept > 0) {
        memcpy(buffer, e->kept, e->n_kept);
    }
    ssize_t got = recv(e->fd, buffer + e->n_kept, BUFFER - e->n_kept, 0);
    if (got < 0) {
        err(1, "recv");
    }
    *n = e->n_kept + (size_t)got;
    return got > 0;
}

static void
keep(struct end *e, const char *p, size_t n)
{
    if (n > 0 && e->kept == NULL) {
        e->kept = malloc(FRAME_MOST);
    }
    if (n > FRAME_MOST || (n > 0 && e->kept == NULL)) {
        errx(1, "no room");
    }
    if (n > 0) {
        memcpy(e->kept, p, n);
    }
    e->n_kept = n;
}

/* The length of the head, with its empty line; 0: not all there. */
static size_t
head_size(const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);

    return end == NULL ? 0 : (size_t)(end - p) + 4;
}

/* -- echo ---------------------------------------------------------------------------------------
 */

static void
echo_some(struct end *e)
{
    static const char switching[] =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Accept: " ANSWER "\r\n\r\n";
    size_t n;
    size_t at = 0;
    size_t here;
    size_t from;
    size_t size;

    if (!take(e, &n)) {
        close(e->fd);
        free(e->kept);
        free(e);
        return;
    }
    if (!e->open && (at = head_size(buffer, n)) > 0) {
        e->open = true;
        put(e, switching, sizeof(switching) - 1);
    }
    while (e->open && (here = read_frame(buffer + at, n - at, &from, &size)) > 0) {
        put(e, out, make_frame(false, buffer + at + from, size));
        at += here;
    }
    keep(e, buffer + at, n - at);
}

static void
echo(const char *port)
{
    struct sockaddr_in address = local(port);
    struct end listener = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    const int on = 1;
    struct epoll_event events[BATCH];

    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener.fd, 4096) != 0) {
        err(1, "port %s", port);
    }
    watch(&listener);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(loop, events, BATCH, -1);

        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;

            if (e != &listener) {
                echo_some(e);
                continue;
            }
            struct end *new = calloc(1, sizeof(*new));
            if (new == NULL || (new->fd = accept(listener.fd, NULL, NULL)) < 0) {
                err(1, "accept");
            }
            watch(new);
        }
    }
}

/* -- load ---------------------------------------------------------------------------------------
 */

static struct {
    struct end *ends;
    size_t n, size, next; /* of the sockets; of a message; which one's turn it is */
    size_t under_way;
    uint32_t *took; /* microseconds of each message */
    size_t n_took;
} load;

static void
shake_hands(const char *port, const char *path, struct end *e)
{
    struct sockaddr_in address = local(port);
    size_t n = 0;
    int head = snprintf(out, sizeof(out),
                        "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: " KEY "\r\n\r\n",
                        path);

    e->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(e->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        err(1, "port %s", port);
    }
    put(e, out, (size_t)head);
    while (head_size(buffer, n) == 0) {
        ssize_t got = recv(e->fd, buffer + n, BUFFER - n, 0);

        if (got <= 0) {
            errx(1, "closed in the handshake");
        }
        n += (size_t)got;
    }
    if (memcmp(buffer, "HTTP/1.1 101", 12) != 0 || head_size(buffer, n) != n) {
        errx(1, "refused: %.40s", buffer);
    }
    e->open = true;
    watch(e);
}

/* By the next socket that is free; false: there is none. */
static bool
say_something(void)
{
    static char payload[SIZE_MOST];

    for (size_t tries = 0; tries < load.n; tries++) {
        struct end *e = &load.ends[load.next];

        load.next = (load.next + 1) % load.n;
        if (!e->busy) {
            e->busy = true;
            e->sent_ns = now_ns();
            load.under_way++;
            put(e, out, make_frame(true, payload, load.size));
            return true;
        }
    }
    return false;
}

static void
hear_some(struct end *e)
{
    size_t n;
    size_t from;
    size_t size;

    if (!take(e, &n)) {
        errx(1, "a socket was closed");
    }
    size_t here = read_frame(buffer, n, &from, &size);
    if (here == 0) {
        keep(e, buffer, n);
        return;
    }
    if (!e->busy || here != n || size != load.size) {
        errx(1, "not the message that was sent");
    }
    e->busy = false;
    e->n_kept = 0;
    load.under_way--;
    if (load.n_took < TIMES_MOST) {
        load.took[load.n_took++] = (uint32_t)((now_ns() - e->sent_ns) / 1000);
    }
}

/* What has come, or waits for it until then. */
static void
hear(uint64_t until_ns)
{
    struct epoll_event events[BATCH];
    uint64_t now = now_ns();
    uint64_t left = until_ns > now ? until_ns - now : 0;
    const struct timespec wait = {.tv_sec = (time_t)(left / 1000000000U),
                                  .tv_nsec = (long)(left % 1000000000U)};
    int n = epoll_pwait2(loop, events, BATCH, &wait, NULL);

    for (int i = 0; i < n; i++) {
        hear_some(events[i].data.ptr);
    }
}

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
obey(bool window, size_t messages, double seconds)
{
    uint64_t begin = now_ns();
    uint64_t end = begin + (uint64_t)(seconds * 1e9);
    size_t said = 0;
    size_t late = 0;

    load.n_took = 0;
    for (uint64_t now = begin; now < end; now = now_ns()) {
        size_t due = window ? said + messages - load.under_way
                            : (size_t)((double)(now - begin) / 1e9 * (double)messages) + 1;

        for (; said < due; said++) {
            late += !say_something();
        }
        hear(window ? end : begin + (uint64_t)((double)said / (double)messages * 1e9));
    }
    while (load.under_way > 0) {
        hear(now_ns() + 5000000000U);
        if (now_ns() > end + 10000000000U) {
            errx(1, "%zu messages are lost", load.under_way);
        }
    }
    qsort(load.took, load.n_took, sizeof(*load.took), by_size);
    printf("%zu %.3f %" PRIu32 " %" PRIu32 " %zu\n", load.n_took, (double)(now_ns() - begin) / 1e9,
           load.took[load.n_took / 2], load.took[load.n_took * 99 / 100], late);
    fflush(stdout);
}

static void
load_it(const char *port, size_t n, size_t size, const char *path)
{
    char word[16];
    size_t messages;
    double seconds;

    load.ends = calloc(n, sizeof(*load.ends));
    load.took = malloc(TIMES_MOST * sizeof(*load.took));
    if (load.ends == NULL || load.took == NULL || n == 0 || size > SIZE_MOST) {
        errx(2, "too many, or too much");
    }
    load.n = n;
    load.size = size;
    for (size_t i = 0; i < n; i++) {
        shake_hands(port, path, &load.ends[i]);
    }
    puts("open");
    fflush(stdout);
    while (scanf("%15s %zu %lf", word, &messages, &seconds) == 3) {
        obey(strcmp(word, "window") == 0, messages, seconds);
    }
}

int
main(int argc, char **argv)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    loop = epoll_create1(0);
    if (argc == 3 && strcmp(argv[1], "echo") == 0) {
        echo(argv[2]);
    } else if (argc == 6 && strcmp(argv[1], "load") == 0) {
        load_it(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), argv[5]);
        return 0;
    }
    fputs("usage: ws echo PORT | ws load PORT SOCKETS SIZE PATH\n", stderr);
    return 2;
}
