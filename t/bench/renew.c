/*
 * renew.c - backends that keep themselves registered: very many, at an even pace.
 *
 *     renew --to PORT[,PORT...] --token T --extensions 1000 --endpoints 100000 --lease 30
 *           [--rate 10000 --seconds 20] [--threads 64]
 *
 * Without --rate it registers all of them once, as fast as it can; with it they are renewed in
 * turn, so many a second.  Each thread is one connection to one of the gateways.  Prints
 * {"requests", "failed", "seconds", "median_us", "p99_us", "late"}; late: sent more than 100 ms
 * after it was due, because all connections waited.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATE_NS 100000000LL

static struct {
    unsigned ports[64], n_ports;
    const char *token;
    unsigned long extensions, endpoints, lease, rate, seconds, threads;
} o = {.extensions = 1000, .endpoints = 100000, .lease = 30, .threads = 64};

static atomic_ulong next_one, failed, late;
static int64_t began_ns;
static uint32_t *taken_us; /* one for each request */
static unsigned long total;

static int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void __attribute__((noreturn)) die(const char *what)
{
    (void)fprintf(stderr, "renew: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int
dial(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        die("connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* The status of the answer, all of which is read. */
static int
read_answer(int fd)
{
    char text[8192];
    size_t n = 0;

    for (;;) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

        if (got <= 0) {
            die("recv");
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL &&
            n >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10)) {
            return (int)strtol(text + 9, NULL, 10);
        }
        if (n == sizeof(text) - 1) {
            die("an answer that is too long");
        }
    }
}

static bool
renew(int fd, unsigned long i)
{
    char body[256];
    char text[4096];
    int n =
        snprintf(body, sizeof(body), "{\"url\":\"http://10.%lu.%lu.%lu:80\",\"leaseSeconds\":%lu}",
                 i >> 16 & 255, i >> 8 & 255, i & 255, o.lease);

    n = snprintf(text, sizeof(text),
                 "PUT /-/apis/ksgate.io/v1/extensionservices/e%lu/endpoints/p%lu HTTP/1.1\r\n"
                 "Host: gateway\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 i % o.extensions, i, o.token, n, body);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
        die("send");
    }
    int status = read_answer(fd);
    return status == 200 || status == 201;
}

/* When the i-th is due. */
static void
wait_for_turn(unsigned long i)
{
    int64_t due = began_ns + (int64_t)(i * 1000000000ULL / o.rate);
    struct timespec at = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};

    if (now_ns() > due + LATE_NS) {
        atomic_fetch_add(&late, 1);
    }
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *
run(void *arg)
{
    int fd = dial(o.ports[(uintptr_t)arg % o.n_ports]);
    unsigned long i;

    while ((i = atomic_fetch_add(&next_one, 1)) < total) {
        if (o.rate > 0) {
            wait_for_turn(i);
        }
        int64_t start = now_ns();
        if (!renew(fd, i % o.endpoints)) {
            atomic_fetch_add(&failed, 1);
        }
        taken_us[i] = (uint32_t)((now_ns() - start) / 1000);
    }
    close(fd);
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void
read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"to", 1, NULL, 't'},        {"token", 1, NULL, 'k'},   {"extensions", 1, NULL, 'x'},
        {"endpoints", 1, NULL, 'n'}, {"lease", 1, NULL, 'l'},   {"rate", 1, NULL, 'r'},
        {"seconds", 1, NULL, 's'},   {"threads", 1, NULL, 'c'}, {0},
    };
    unsigned long *numbers[] = {['x'] = &o.extensions, ['n'] = &o.endpoints, ['l'] = &o.lease,
                                ['r'] = &o.rate,       ['s'] = &o.seconds,   ['c'] = &o.threads};
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 't') {
            for (char *p = strtok(optarg, ","); p != NULL && o.n_ports < 64;
                 p = strtok(NULL, ",")) {
                o.ports[o.n_ports++] = (unsigned)strtoul(p, NULL, 10);
            }
        } else if (c == 'k') {
            o.token = optarg;
        } else if (c == '?') {
            exit(2);
        } else {
            *numbers[c] = strtoul(optarg, NULL, 10);
        }
    }
    if (o.n_ports == 0 || o.token == NULL || o.endpoints == 0 || o.extensions == 0) {
        (void)fputs("renew: --to, --token, --endpoints and --extensions are needed\n", stderr);
        exit(2);
    }
}

int
main(int argc, char **argv)
{
    read_options(argc, argv);
    total = o.rate > 0 ? o.rate * o.seconds : o.endpoints;
    taken_us = calloc(total, sizeof(*taken_us));
    pthread_t *threads = calloc(o.threads, sizeof(*threads));
    if (taken_us == NULL || threads == NULL) {
        die("memory");
    }
    began_ns = now_ns();
    for (uintptr_t i = 0; i < o.threads; i++) {
        if (pthread_create(&threads[i], NULL, run, (void *)i) != 0) {
            die("a thread");
        }
    }
    for (unsigned long i = 0; i < o.threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    double seconds = (double)(now_ns() - began_ns) / 1e9;
    qsort(taken_us, total, sizeof(*taken_us), compare);
    printf("{\"requests\":%lu,\"failed\":%lu,\"seconds\":%.2f,\"median_us\":%u,\"p99_us\":%u,"
           "\"late\":%lu}\n",
           total, (unsigned long)failed, seconds, taken_us[total / 2], taken_us[total * 99 / 100],
           (unsigned long)late);
    free(threads);
    free(taken_us);
    return 0;
}
