#include "modules/login_flights.h"

#include <stdlib.h>

#include <openssl/sha.h>

#include "base/map.h"
#include "base/mem.h"

struct gw_login_flights {
    struct gw_map *map; /* by key, which is part of the flight */
    struct gw_login_flight *oldest, **end;
    size_t n; /* of them: more than the map has, where a key came again */
};

struct gw_login_flights *
gw_login_flights_new(void)
{
    struct gw_login_flights *f = gw_mem_alloc(sizeof(*f));

    f->map = gw_map_of_values();
    f->end = &f->oldest;
    return f;
}

static void
free_flight(struct gw_login_flight *flight)
{
    gw_login_answer_unref(flight->answer);
    free(flight);
}

void
gw_login_flights_free(struct gw_login_flights *f)
{
    if (f == NULL) {
        return;
    }
    gw_map_free(f->map, NULL);
    while (f->oldest != NULL) {
        struct gw_login_flight *flight = f->oldest;

        f->oldest = flight->newer;
        free_flight(flight);
    }
    free(f);
}

void
gw_login_flight_key(const unsigned char tag[GW_LOGIN_TAG], struct gw_str refresh,
                    unsigned char key[GW_LOGIN_FLIGHT_KEY])
{
    struct gw_buf all = {0};

    gw_buf_add(&all, tag, GW_LOGIN_TAG);
    gw_buf_str(&all, refresh);
    SHA256((const unsigned char *)all.p, all.n, key);
    gw_buf_fini(&all);
}

uint64_t
gw_login_flight_until(const struct gw_login_provider *p, const struct gw_login_answer *a,
                      uint64_t left_ms, uint64_t now_ms)
{
    switch (a->outcome) {
    case GW_LOGIN_GOOD:
        return now_ms + (uint64_t)p->remember_ms + left_ms;
    case GW_LOGIN_DENIED:
        return now_ms + (uint64_t)p->remember_ms;
    case GW_LOGIN_AWAY:
    case GW_LOGIN_ODD:
        break;
    }
    return now_ms + (uint64_t)p->retry_ms;
}

static struct gw_str
key_of(const unsigned char key[GW_LOGIN_FLIGHT_KEY])
{
    return (struct gw_str){(const char *)key, GW_LOGIN_FLIGHT_KEY};
}

struct gw_login_flight *
gw_login_flights_get(struct gw_login_flights *f, const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                     uint64_t got_ms, uint64_t now_ms)
{
    struct gw_login_flight *flight = gw_map_get(f->map, key_of(key));

    if (flight == NULL || flight->answer == NULL) {
        return flight;
    }
    return now_ms < flight->until_ms && flight->answer->got_ms > got_ms ? flight : NULL;
}

/* From the oldest on, as far as they are of no more use, or too many. */
static void
forget_some(struct gw_login_flights *f, uint64_t now_ms, size_t most)
{
    while (f->oldest != NULL && f->oldest->answer != NULL &&
           (now_ms >= f->oldest->until_ms || f->n >= most)) {
        struct gw_login_flight *flight = f->oldest;

        f->oldest = flight->newer;
        f->end = f->oldest == NULL ? &f->oldest : f->end;
        if (gw_map_get(f->map, key_of(flight->key)) == flight) {
            (void)gw_map_take(f->map, key_of(flight->key));
        }
        free_flight(flight);
        f->n--;
    }
}

/* One of before with the same key stays in the line, and is no longer found. */
struct gw_login_flight *
gw_login_flights_begin(struct gw_login_flights *f, const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                       uint64_t now_ms, size_t most)
{
    struct gw_login_flight *flight = gw_mem_alloc(sizeof(*flight));

    forget_some(f, now_ms, most);
    memcpy(flight->key, key, sizeof(flight->key));
    (void)gw_map_put(f->map, key_of(flight->key), flight);
    *f->end = flight;
    f->n++;
    f->end = &flight->newer;
    return flight;
}

void
gw_login_flight_land(struct gw_login_flight *flight, struct gw_login_answer *answer,
                     uint64_t until_ms)
{
    flight->answer = gw_login_answer_ref(answer);
    flight->until_ms = until_ms;
}

size_t
gw_login_flights_count(const struct gw_login_flights *f)
{
    return f->n;
}
