/* lease.h - how long an object stays without being written or renewed. */
#ifndef GW_REGISTRY_LEASE_H
#define GW_REGISTRY_LEASE_H

#include "registry/object.h"

#define GW_LEASE_SECONDS_MAX 3600 /* of a self-registered Endpoint */

/* Of an Endpoint its lease, of a Revocation the time until it means nothing any more; 0: it stays
 * until it is deleted. */
long long gw_lease_ms(const struct gw_object *o);

#endif
