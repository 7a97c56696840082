/*
 * guests.h - how many connections each client address has, in all workers together
 * (limits.connections_per_client).
 *
 * The only thing that workers share.  It is asked once per connection, never for a request, and
 * only if the limit is set; addresses are spread over many locks.  An IPv6 client is its /64:
 * whoever has one address there has all of them.
 */
#ifndef GW_GATEWAY_GUESTS_H
#define GW_GATEWAY_GUESTS_H

/* address: 16 bytes, IPv4 mapped.  One more; how many there are now.  Any thread. */
unsigned gw_guests_enter(const unsigned char address[16]);
void gw_guests_leave(const unsigned char address[16]);

#endif
