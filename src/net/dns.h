/*
 * dns.h - names to addresses, without waiting: c-ares on a loop.
 *
 * Asked as the system would be: /etc/hosts first, then the name servers, search domains and
 * options of /etc/resolv.conf.  Both families are asked for at once and answer for themselves.
 * localhost, and what is below it, is this host: nobody is asked (RFC 6761, 6.3).
 */
#ifndef GW_NET_DNS_H
#define GW_NET_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/loop.h"

#define GW_DNS_ADDRESSES 16 /* of one family; further ones are left out */

union gw_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum gw_dns_outcome {
    GW_DNS_PENDING, /* not answered yet */
    GW_DNS_FOUND,
    GW_DNS_NONE,   /* the servers say that there are none */
    GW_DNS_FAILED, /* no answer, or none that makes sense */
};

struct gw_dns_family {
    enum gw_dns_outcome outcome;
    unsigned n;
    union gw_address at[GW_DNS_ADDRESSES];
};

enum {
    GW_DNS_V4,
    GW_DNS_V6,
    GW_DNS_FAMILIES
};

struct gw_dns_reply {
    struct gw_dns_family families[GW_DNS_FAMILIES];
    bool done;            /* nothing more comes: the query is no more */
    unsigned long ttl_ms; /* how long it may be believed, within the bounds of the settings */
    const char *why;      /* there is no address; static text */
};

struct gw_dns_query;

/* Perhaps from within gw_dns_ask().  First, perhaps, with what one family has answered while the
 * other keeps silent; last with ->done. */
typedef void gw_dns_fn(void *arg, const struct gw_dns_reply *reply);

/* NULL: it has answered from within, and is done. */
struct gw_dns_query *gw_dns_ask(struct gw_loop *l, const char *host, unsigned port, gw_dns_fn *fn,
                                void *arg);
void gw_dns_cancel(struct gw_dns_query *q); /* fn is not called any more */

/* Other servers than the system's ("address" or "address:port"; NULL or none: the system's).  They
 * are asked, and the system's files read anew, once no query runs; the bounds hold for every
 * answer from now on. */
void gw_dns_use(struct gw_loop *l, const char *const *servers, long long min_ttl_ms,
                long long max_ttl_ms);

bool gw_dns_server_ok(const char *text);

void gw_dns_free(struct gw_dns *dns); /* the loop's; NULL is fine */

#endif
