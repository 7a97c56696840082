#include "net/dns.h"

#include <assert.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ares.h>
#include <event2/event_struct.h>
#include <event2/util.h>

#include "base/buf.h"
#include "base/mem.h"

#define TIMEOUT_MS 1000 /* of one server's first chance; doubled for its second */
#define TRIES      2
/* How long what one family has answered waits for the other's answer. */
#define EARLY_MS        50
#define MIN_TTL_MS      5000
#define MAX_TTL_MS      300000
#define NEGATIVE_TTL_MS 1000 /* for a name without any address: its first one is wanted soon */

/* A socket of c-ares. */
struct watch {
    struct watch *next;
    struct gw_dns *dns;
    ares_socket_t fd;
    struct event event;
};

struct gw_dns {
    struct gw_loop *loop;
    ares_channel channel; /* NULL until the first name is asked for */
    struct watch *watches;
    struct gw_timer timer;
    char *servers;      /* comma-separated; NULL: the system's */
    unsigned n_queries; /* that run */
    bool renew;         /* the channel is of yesterday: another one, once nothing runs */
    unsigned long min_ttl_ms, max_ttl_ms;
};

struct gw_dns_query {
    struct gw_dns *dns;
    gw_dns_fn *fn; /* NULL: nobody listens any more */
    void *arg;
    struct gw_timer early;
    struct half {
        struct gw_dns_query *query;
        struct gw_dns_family *family;
    } halves[GW_DNS_FAMILIES];
    unsigned open; /* answers to come, and one while asking */
    int ttl_s;     /* the smallest so far; -1: none */
    struct gw_dns_reply reply;
};

/* -- c-ares on the loop ----------------------------------------------------------------------- */

static void
schedule(struct gw_dns *dns)
{
    struct timeval room;
    struct timeval *next = ares_timeout(dns->channel, NULL, &room);

    if (next == NULL) {
        gw_wheel_cancel(&dns->timer);
        return;
    }
    uint64_t ms = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;
    gw_wheel_set(&dns->loop->wheel, &dns->timer, gw_loop_now_ms(dns->loop) + ms);
}

static void
on_timer(struct gw_timer *t)
{
    struct gw_dns *dns = (struct gw_dns *)((char *)t - offsetof(struct gw_dns, timer));

    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    schedule(dns);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
    struct gw_dns *dns = ((struct watch *)arg)->dns; /* the watch may go below us */

    gw_loop_turn(dns->loop);
    ares_process_fd(dns->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    schedule(dns);
}

static void
drop_watch(struct watch **at)
{
    struct watch *w = *at;

    *at = w->next;
    event_del(&w->event);
    free(w);
}

/* c-ares says what it wants to know of a socket. */
static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct gw_dns *dns = arg;
    struct watch **at = &dns->watches;
    short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

    while (*at != NULL && (*at)->fd != fd) {
        at = &(*at)->next;
    }
    if (*at != NULL && what == 0) {
        drop_watch(at);
        return;
    }
    if (what == 0) {
        return;
    }
    if (*at == NULL) {
        *at = gw_mem_alloc(sizeof(**at));
        (*at)->dns = dns;
        (*at)->fd = fd;
    } else {
        event_del(&(*at)->event);
    }
    event_assign(&(*at)->event, dns->loop->base, fd, (short)(what | EV_PERSIST), on_event, *at);
    event_add(&(*at)->event, NULL);
}

static void
init_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL); /* counts without a lock: once, for all threads */
}

static bool
open_channel(struct gw_dns *dns)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ares_options options = {.timeout = TIMEOUT_MS,
                                   .tries = TRIES,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = dns};

    if (dns->channel != NULL && dns->renew && dns->n_queries == 0) {
        ares_destroy(dns->channel);
        dns->channel = NULL;
    }
    if (dns->channel != NULL) {
        return true;
    }
    dns->renew = false;
    (void)pthread_once(&once, init_library);
    if (ares_init_options(&dns->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS) {
        dns->channel = NULL;
        return false;
    }
    if (dns->servers != NULL &&
        ares_set_servers_ports_csv(dns->channel, dns->servers) != ARES_SUCCESS) {
        ares_destroy(dns->channel); /* the system's servers are not what was asked for */
        dns->channel = NULL;
        return false;
    }
    return true;
}

static struct gw_dns *
dns_of(struct gw_loop *l)
{
    if (l->dns == NULL) {
        struct gw_dns *dns = gw_mem_alloc(sizeof(*dns));

        dns->loop = l;
        dns->timer.fire = on_timer;
        dns->min_ttl_ms = MIN_TTL_MS;
        dns->max_ttl_ms = MAX_TTL_MS;
        l->dns = dns;
    }
    return l->dns;
}

void
gw_dns_use(struct gw_loop *l, const char *const *servers, long long min_ttl_ms,
           long long max_ttl_ms)
{
    struct gw_dns *dns = dns_of(l);
    struct gw_buf list = {0};

    dns->min_ttl_ms = (unsigned long)min_ttl_ms;
    dns->max_ttl_ms = (unsigned long)(max_ttl_ms < min_ttl_ms ? min_ttl_ms : max_ttl_ms);
    dns->renew = true;
    free(dns->servers);
    dns->servers = NULL;
    if (servers == NULL || servers[0] == NULL) {
        return;
    }
    for (size_t i = 0; servers[i] != NULL; i++) {
        gw_buf_printf(&list, "%s%s", i == 0 ? "" : ",", servers[i]);
    }
    dns->servers = gw_mem_strndup((struct gw_str){list.p, list.n});
    gw_buf_fini(&list);
}

bool
gw_dns_server_ok(const char *text)
{
    struct sockaddr_storage at;
    int size = sizeof(at);

    return evutil_parse_sockaddr_port(text, (struct sockaddr *)&at, &size) == 0;
}

void
gw_dns_free(struct gw_dns *dns)
{
    if (dns == NULL) {
        return;
    }
    if (dns->channel != NULL) {
        ares_destroy(dns->channel);
    }
    gw_wheel_cancel(&dns->timer);
    while (dns->watches != NULL) {
        drop_watch(&dns->watches);
    }
    free(dns->servers);
    free(dns);
}

/* -- a query ---------------------------------------------------------------------------------- */

static void
set_ttl(struct gw_dns_query *q)
{
    const struct gw_dns *dns = q->dns;
    unsigned long ms = q->ttl_s < 0 ? 0 : (unsigned long)q->ttl_s * 1000;
    bool none = q->reply.families[GW_DNS_V4].n + q->reply.families[GW_DNS_V6].n == 0;

    if (none) {
        ms = NEGATIVE_TTL_MS;
    } else if (ms < dns->min_ttl_ms) {
        ms = dns->min_ttl_ms;
    } else if (ms > dns->max_ttl_ms) {
        ms = dns->max_ttl_ms;
    }
    q->reply.ttl_ms = ms;
}

/* All answers are in: said, and gone. */
static void
finish(struct gw_dns_query *q)
{
    gw_wheel_cancel(&q->early);
    q->reply.done = true;
    set_ttl(q);
    if (q->fn != NULL) {
        q->fn(q->arg, &q->reply);
    }
    q->dns->n_queries--; /* only now: who asks anew from fn() must not renew the channel below us */
    free(q);
}

static void
on_early(struct gw_timer *t)
{
    struct gw_dns_query *q =
        (struct gw_dns_query *)((char *)t - offsetof(struct gw_dns_query, early));

    set_ttl(q);
    q->fn(q->arg, &q->reply);
}

static void
take_ttl(struct gw_dns_query *q, int ttl_s)
{
    if (ttl_s >= 0 && (q->ttl_s < 0 || ttl_s < q->ttl_s)) {
        q->ttl_s = ttl_s;
    }
}

static void
take_addresses(struct gw_dns_query *q, struct gw_dns_family *family,
               const struct ares_addrinfo *list)
{
    for (const struct ares_addrinfo_node *n = list->nodes; n != NULL; n = n->ai_next) {
        if (family->n < GW_DNS_ADDRESSES && n->ai_addrlen <= sizeof(family->at[0])) {
            memcpy(&family->at[family->n++], n->ai_addr, n->ai_addrlen);
            take_ttl(q, n->ai_ttl);
        }
    }
    for (const struct ares_addrinfo_cname *c = list->cnames; c != NULL; c = c->next) {
        take_ttl(q, c->ttl);
    }
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *list)
{
    const struct half *half = arg;
    struct gw_dns_query *q = half->query;
    struct gw_dns_family *family = half->family;

    (void)timeouts;
    if (status == ARES_SUCCESS && list != NULL) {
        take_addresses(q, family, list);
    }
    if (list != NULL) {
        ares_freeaddrinfo(list);
    }
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
        q->fn = NULL; /* the loop goes */
    }
    if (family->n > 0) {
        family->outcome = GW_DNS_FOUND;
    } else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA) {
        family->outcome = GW_DNS_NONE;
        q->reply.why = q->reply.why != NULL ? q->reply.why : "the name has no address";
    } else {
        family->outcome = GW_DNS_FAILED;
        q->reply.why = ares_strerror(status);
    }
    if (--q->open == 0) {
        finish(q);
    } else if (family->n > 0 && q->fn != NULL) {
        gw_wheel_set(&q->dns->loop->wheel, &q->early, gw_loop_now_ms(q->dns->loop) + EARLY_MS);
    }
}

static void
ask_half(struct gw_dns_query *q, unsigned i, const char *host, const char *port)
{
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
                                              .ai_family = i == GW_DNS_V4 ? AF_INET : AF_INET6,
                                              .ai_socktype = SOCK_STREAM};

    q->halves[i] = (struct half){q, &q->reply.families[i]};
    ares_getaddrinfo(q->dns->channel, host, port, &hints, on_answer, &q->halves[i]);
}

/* RFC 6761, 6.3: is at home, whatever any server or file says. */
static bool
is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t n = strlen(host);

    n -= n > 0 && host[n - 1] == '.';
    if (n < sizeof(name) - 1 ||
        strncasecmp(host + n - (sizeof(name) - 1), name, sizeof(name) - 1) != 0) {
        return false;
    }
    return n == sizeof(name) - 1 || host[n - sizeof(name)] == '.';
}

/* Asked of c-ares 1.18, each time loses some bytes (malloc without free, for the second family). */
static void
answer_localhost(struct gw_dns_query *q, unsigned port)
{
    struct gw_dns_family *v4 = &q->reply.families[GW_DNS_V4];
    struct gw_dns_family *v6 = &q->reply.families[GW_DNS_V6];

    v4->outcome = v6->outcome = GW_DNS_FOUND;
    v4->n = v6->n = 1;
    v4->at[0].v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    v6->at[0].v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                         .sin6_port = htons((uint16_t)port),
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    q->ttl_s = INT_MAX;
    finish(q);
}

struct gw_dns_query *
gw_dns_ask(struct gw_loop *l, const char *host, unsigned port, gw_dns_fn *fn, void *arg)
{
    struct gw_dns *dns = dns_of(l);
    struct gw_dns_query *q = gw_mem_alloc(sizeof(*q));
    char text[8];

    *q = (struct gw_dns_query){.dns = dns, .fn = fn, .arg = arg, .open = 1, .ttl_s = -1};
    q->early.fire = on_early;
    bool local = is_localhost(host);
    bool open = !local && open_channel(dns);
    dns->n_queries++;
    if (local) {
        answer_localhost(q, port);
        return NULL;
    }
    if (!open) {
        q->reply.why = "the resolver does not start";
        q->reply.families[GW_DNS_V4].outcome = GW_DNS_FAILED;
        q->reply.families[GW_DNS_V6].outcome = GW_DNS_FAILED;
        finish(q);
        return NULL;
    }
    (void)snprintf(text, sizeof(text), "%u", port);
    q->open += GW_DNS_FAMILIES;
    ask_half(q, GW_DNS_V6, host, text);
    ask_half(q, GW_DNS_V4, host, text);
    schedule(dns);
    if (--q->open == 0) {
        finish(q);
        return NULL;
    }
    return q;
}

void
gw_dns_cancel(struct gw_dns_query *q)
{
    gw_wheel_cancel(&q->early);
    q->fn = NULL; /* c-ares can't forget one question: the answer then finds nobody */
}
