/*
 * check_names.h - has each backend's name an address, as far as this machine can tell?
 *
 * Asked of whom the gateway would ask (`dns.servers`, or the system's).  A name without one stops
 * no gateway from starting: it is a warning.
 */
#ifndef GW_SERVER_CHECK_NAMES_H
#define GW_SERVER_CHECK_NAMES_H

#include "gateway/conf.h"

/* Those of `core.url`, `core.console`, and of the objects in `registry.files`.  Waits for all
 * answers, which are bounded by the resolver's own deadlines. */
void gw_check_names(const struct gw_conf *conf, struct gw_diag *diag);

#endif
