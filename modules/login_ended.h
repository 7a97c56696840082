/*
 * login_ended.h - what is over, in this process: sessions of which somebody has logged out, and
 * states of logins that were used.
 *
 * The browser's cookie is gone then, but a copy of it would be refreshed for as long as a session
 * may last, or lead to question after question to the provider; so its number is remembered until
 * it is over by itself.  Tables for all workers, which nobody waits for: reading and writing are a
 * few atomic steps each, in a few neighbouring places.  Other processes don't know of it, nor does
 * this one when it is started again.
 */
#ifndef GW_MODULES_LOGIN_ENDED_H
#define GW_MODULES_LOGIN_ENDED_H

#include <stdbool.h>
#include <stdint.h>

#define GW_LOGIN_ENDED_MAX                                                \
    65536 /* of each, or a few less: 1 MiB, of memory that is used at all \
           */

enum gw_login_ended {
    GW_LOGIN_SESSIONS,
    GW_LOGIN_STATES,
};

/* Any thread.  until_ms: wall; from then on it is over by itself.  When its places are all taken,
 * what is over soonest is forgotten for it, which is said in the log (of sessions).  False: it is
 * there already. */
bool gw_login_ended_add(enum gw_login_ended what, uint64_t id, uint64_t until_ms, uint64_t now_ms);

bool gw_login_ended_has(enum gw_login_ended what, uint64_t id);

#endif
