/* redis_name.h - the address of a host's name, asked of evdns once; for the connections to Redis.
 */
#ifndef GW_NET_REDIS_NAME_H
#define GW_NET_REDIS_NAME_H

#include <event2/event.h>
#include <netinet/in.h>

struct gw_redis_name;

/* Told once, from the event loop, never from within: the first address as text ("10.0.0.7",
 * "::1"), or NULL; then error says why.  The name may be freed from there. */
typedef void gw_redis_name_fn(void *arg, const char *address, const char *error);

struct gw_redis_name *gw_redis_name_ask(struct event_base *base, const char *host,
                                        gw_redis_name_fn *told, void *arg);
void gw_redis_name_free(struct gw_redis_name *name); /* NULL is fine; nothing is told any more */

#endif
