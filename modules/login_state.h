/* login_state.h - what a worker has of the login: its counts, and the refreshes that it knows of.
 */
#ifndef GW_MODULES_LOGIN_STATE_H
#define GW_MODULES_LOGIN_STATE_H

#include "gateway/world.h"
#include "modules/counter.h"
#include "modules/login_flights.h"

/* What became of logins, refreshes and logouts. */
#define GW_LOGIN_COUNTS(X)                                      \
    X(BEGUN, "ksgate_logins_total", "begun")                    \
    X(OK, "ksgate_logins_total", "ok")                          \
    X(STATE, "ksgate_logins_total", "login_state")              \
    X(DENIED, "ksgate_logins_total", "login_denied")            \
    X(FAILED, "ksgate_logins_total", "login_failed")            \
    X(UNAVAILABLE, "ksgate_logins_total", "login_unavailable")  \
    X(TOKEN, "ksgate_logins_total", "token_refused")            \
    X(REFRESHED, "ksgate_login_refreshes_total", "ok")          \
    X(REFRESH_DENIED, "ksgate_login_refreshes_total", "ended")  \
    X(REFRESH_FAILED, "ksgate_login_refreshes_total", "failed") \
    X(LEFT, "ksgate_logouts_total", "ok")                       \
    X(LEFT_FOREIGN, "ksgate_logouts_total", "cross_site")       \
    X(BAD_COOKIE, "ksgate_login_cookies_total", "not_ours")

enum gw_login_count {
#define X(id, name, result) GW_LOGIN_N_##id,
    GW_LOGIN_COUNTS(X)
#undef X
    GW_LOGIN_N_COUNTS
};

/* The worker's alone. */
struct gw_login_flights *gw_login_flights_of(const struct gw_world *world);

/* The worker counts; anyone may read. */
void gw_login_count(struct gw_world *world, enum gw_login_count what);
unsigned long long gw_login_counted(struct gw_world *world, enum gw_login_count what);

extern const struct gw_view gw_login_view;

#endif
