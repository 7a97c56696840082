#include "net/redis_name.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "base/mem.h"

/* One question to the resolver; outlives the name that asked. */
struct lookup {
    struct gw_redis_name *name; /* NULL: nobody wants to know any more */
};

struct gw_redis_name {
    struct evdns_base *dns;
    struct lookup *lookup; /* NULL: answered */
    struct event *later;
    gw_redis_name_fn *told;
    void *arg;
    char *host;
    char address[INET6_ADDRSTRLEN]; /* "": none was found */
    char error[200];
};

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_name *n = arg;

    (void)fd;
    (void)what;
    n->told(n->arg, n->address[0] == '\0' ? NULL : n->address, n->error);
}

static void
read_address(struct gw_redis_name *n, const struct evutil_addrinfo *found)
{
    const void *sa = found->ai_addr;

    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *in = sa;
        (void)inet_ntop(AF_INET, &in->sin_addr, n->address, sizeof(n->address));
    } else {
        const struct sockaddr_in6 *in = sa;
        (void)inet_ntop(AF_INET6, &in->sin6_addr, n->address, sizeof(n->address));
    }
}

/* Only notes what came: the resolver can't be freed from within its own callback. */
static void
on_answer(int error, struct evutil_addrinfo *found, void *arg)
{
    struct lookup *l = arg;
    struct gw_redis_name *n = l->name;

    free(l);
    if (n != NULL) {
        n->lookup = NULL;
        if (error != 0 || found == NULL) {
            (void)snprintf(n->error, sizeof(n->error), "the name %s is not known: %s", n->host,
                           evutil_gai_strerror(error));
        } else {
            read_address(n, found);
        }
        event_active(n->later, 0, 0);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
}

struct gw_redis_name *
gw_redis_name_ask(struct event_base *base, const char *host, gw_redis_name_fn *told, void *arg)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct gw_redis_name *n = gw_mem_alloc(sizeof(*n));

    n->told = told;
    n->arg = arg;
    n->host = gw_mem_strdup(host);
    n->later = event_new(base, -1, 0, on_later, n);
    assert(n->later != NULL);
    n->dns =
        evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (n->dns == NULL) {
        /* no nameserver is configured: /etc/hosts still answers */
        n->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (n->dns == NULL) {
            (void)snprintf(n->error, sizeof(n->error), "no resolver could be made");
            event_active(n->later, 0, 0);
            return n;
        }
        (void)evdns_base_load_hosts(n->dns, "/etc/hosts");
    }
    n->lookup = gw_mem_alloc(sizeof(*n->lookup));
    n->lookup->name = n;
    (void)evdns_getaddrinfo(n->dns, host, NULL, &hints, on_answer, n->lookup);
    return n;
}

void
gw_redis_name_free(struct gw_redis_name *n)
{
    if (n == NULL) {
        return;
    }
    if (n->lookup != NULL) {
        n->lookup->name = NULL;
    }
    if (n->dns != NULL) {
        evdns_base_free(n->dns, 1);
    }
    event_free(n->later);
    free(n->host);
    free(n);
}
