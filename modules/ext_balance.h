/*
 * ext_balance.h - spec.loadBalancer: how the endpoints of an extension share its requests.
 */
#ifndef GW_MODULES_EXT_BALANCE_H
#define GW_MODULES_EXT_BALANCE_H

#include "config/schema.h"
#include "gateway/req.h"

/* What the rows fill. */
struct gw_ext_balance {
    int policy;                  /* enum gw_policy */
    const char *header, *cookie; /* NULL: not written */
    bool ip;
    long long slow_start_ms;
};

extern const struct gw_setting gw_ext_balance_rows[];

/* Checks what rows can't, and makes the balancer; its texts are those of b.  json: the section
 * as written, for places; NULL: it is not there. */
bool gw_ext_balance_compile(struct gw_balancer *out, const struct gw_ext_balance *b,
                            struct gw_loader *l, const json_t *json);

#endif
