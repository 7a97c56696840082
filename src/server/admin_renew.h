/*
 * admin_renew.h - the renewal of a lease: nearly all that backends which registered themselves ask
 * for, so it makes no object, and goes to the registry with those of others.
 */
#ifndef GW_SERVER_ADMIN_RENEW_H
#define GW_SERVER_ADMIN_RENEW_H

#include "server/admin_errand.h"

/* In the request's arena. */
struct gw_renewal {
    const char *key;   /* of the Endpoint */
    uint64_t revision; /* that the registry has to have, or it is none; never 0 */
    long long lease_ms;
    /* What to do instead when the registry has another one by now, or none. */
    enum gw_verdict (*otherwise)(struct gw_admin_call *call);
};

/* Worker: renews it within two ticks (gw_errand_send_soon()), and answers. */
enum gw_verdict gw_admin_renew(struct gw_admin_call *call, const struct gw_renewal *r);

/* Worker: the answer to a registration or renewal. */
enum gw_verdict gw_admin_answer_lease(struct gw_admin_call *call, bool created, long long lease_ms,
                                      uint64_t until_ms, uint64_t revision);

#endif
