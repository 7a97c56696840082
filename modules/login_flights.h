/*
 * login_flights.h - refreshes that are under way, and what came of those before.
 *
 * A provider that gives a new refresh token with each use takes the second use of an old one for
 * theft, and ends the session (RFC 9700, 4.14.2).  So each is used once, and who comes late with
 * it gets what came of it.  The thread that asks has such a table, and each worker one of its own;
 * one thread at a time.
 */
#ifndef GW_MODULES_LOGIN_FLIGHTS_H
#define GW_MODULES_LOGIN_FLIGHTS_H

#include "modules/login_answer.h"

#define GW_LOGIN_FLIGHT_KEY 32

struct gw_login_use;
struct gw_login_question;

struct gw_login_flight {
    unsigned char key[GW_LOGIN_FLIGHT_KEY];
    struct gw_login_answer *answer;  /* a reference; NULL: it is under way */
    uint64_t until_ms;               /* mono; so long the answer is remembered */
    struct gw_login_use *users;      /* a worker's: requests that wait for it */
    struct gw_login_question *first; /* the thread's: who has asked first, and for all */
    struct gw_login_flight *newer;
};

struct gw_login_flights;

/* The key of a refresh token; tag: whose sessions these are. */
void gw_login_flight_key(const unsigned char tag[GW_LOGIN_TAG], struct gw_str refresh,
                         unsigned char key[GW_LOGIN_FLIGHT_KEY]);

struct gw_login_flights *gw_login_flights_new(void);
void gw_login_flights_free(struct gw_login_flights *f); /* NULL is fine; not who waits */

/* The one that counts for whoever got that refresh token at got_ms (wall): under way, or with an
 * answer of later than that.  NULL: there is none. */
struct gw_login_flight *gw_login_flights_get(struct gw_login_flights *f,
                                             const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                                             uint64_t got_ms, uint64_t now_ms);

/* A new one, since there is none that counts.  At most `most` are remembered. */
struct gw_login_flight *gw_login_flights_begin(struct gw_login_flights *f,
                                               const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                                               uint64_t now_ms, size_t most);

/* What came of it; takes a reference of its own. */
void gw_login_flight_land(struct gw_login_flight *flight, struct gw_login_answer *answer,
                          uint64_t until_ms);

/* How long (mono) what came of a refresh is remembered.  left_ms: of the old token: while a browser
 * may come with the cookie that has it, its refresh token is not used again. */
uint64_t gw_login_flight_until(const struct gw_login_provider *p, const struct gw_login_answer *a,
                               uint64_t left_ms, uint64_t now_ms);

/* All that take memory, those included that are no longer found. */
size_t gw_login_flights_count(const struct gw_login_flights *f);

#endif
