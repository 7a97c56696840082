/*
 * addresses.h - where an endpoint may be reached: a number, a socket's path, or a name that is
 * followed.
 *
 * A name is asked for when a connection is wanted, and again when its answer has run out, for as
 * long as connections are open.  What is known stays in use while that takes, and for as long as
 * no name server answers; a server's word that there is no such name is believed.
 */
#ifndef GW_GATEWAY_ADDRESSES_H
#define GW_GATEWAY_ADDRESSES_H

#include "gateway/upstream.h"
#include "net/dns.h"

/* One of an endpoint's addresses.  AF_UNIX: the path is the URL's. */
struct gw_spot {
    union gw_address address;
    unsigned id;        /* its own for as long as the name has it; never 0 */
    uint64_t failed_ms; /* mono; could not be connected to at; 0: never */
};

void gw_addresses_init(struct gw_endpoint *e); /* e->url is there */
void gw_addresses_fini(struct gw_endpoint *e);

/* May it be dialled now?  If not, gw_dial_waiting(e) is called when that is known, perhaps from
 * within gw_addresses_ask(). */
bool gw_addresses_known(const struct gw_endpoint *e);

/* Asks for the name, if it is time. */
void gw_addresses_ask(struct gw_endpoint *e);

/* The next to try: in turn, but those that failed of late come last, and after one of family
 * `last` (0: none) one of another comes first.  *tried: a bit for each of e's spots.  NULL: none
 * is left. */
struct gw_spot *gw_addresses_next(struct gw_endpoint *e, uint32_t *tried, int last);

void gw_addresses_failed(struct gw_endpoint *e, unsigned id);

/* Is it still one of the name's? */
bool gw_addresses_has(const struct gw_endpoint *e, unsigned id);

/* Why nothing is known of the name; static text. */
const char *gw_addresses_why(const struct gw_endpoint *e);

/* How often the list has changed: bits of `tried` hold for one edition. */
unsigned gw_addresses_edition(const struct gw_endpoint *e);

#endif
